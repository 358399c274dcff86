"""What a volume run reads besides its layer, as it is on disk already or will be written for it; no Qt here."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.cracks.settings import EVERYWHERE
from napari_nanoct.docks.layers import layer_file
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import open_volume

if TYPE_CHECKING:
    from napari_nanoct.cracks.classifier import CrackClassifier
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Volume

SLAB = 16
"""Slices that are compared at once."""


def file_in_place(volume: Volume) -> str | None:
    """Return the layer's file if it has the layer's voxel size, which filters, classifier and measures go by."""
    file = layer_file(volume)
    if file is None:
        return None
    mine, stored = volume.geometry, open_volume(file).geometry
    same = mine.unit == stored.unit and np.allclose(mine.voxel_size, stored.voxel_size)
    return file if same else None


def holds(file: Path, layer: Volume, cancel: CancelToken) -> bool:
    """Whether a file is a mask that is 0 just where the layer is; looks at every slice, for each may be edited."""
    try:
        stored = open_volume(file)
    except (UserError, OSError):
        return False
    if stored.shape != layer.shape:
        return False
    for z in range(0, layer.shape[0], SLAB):
        cancel.check()
        here, there = (np.asarray(one.data[z : z + SLAB]) > 0 for one in (layer, stored))
        if not np.array_equal(here, there):
            return False
    return True


def pores_file(pores: Volume, cancel: CancelToken) -> str | None:
    """Return the file of a layer of pores, if it is on disk as it is now and with its voxel size."""
    file = file_in_place(pores)
    return file if file is not None and holds(Path(file), pores, cancel) else None


def mask_file(mask: Volume | str, beside: Path, cancel: CancelToken) -> tuple[str | None, Volume | None]:
    """Return what a run is told of its mask, and the layer if that must be written there first: to `beside`."""
    if isinstance(mask, str):
        return (EVERYWHERE if mask == EVERYWHERE else None), None
    file = layer_file(mask)
    if file is not None and holds(Path(file), mask, cancel):
        return file, None
    return str(beside), None if holds(beside, mask, cancel) else mask


def as_mask(layer: Volume) -> Volume:
    """Return a layer of labels as 0 and 1."""
    data: Any = layer.data
    return replace(layer, data=(data > 0).astype(np.uint8), levels=())


def is_kept(classifier: CrackClassifier, file: Path) -> bool:
    """Whether this very classifier is in a file already."""
    return file.is_file() and file.read_bytes() == classifier.text().encode()


def unused(path: str) -> str:
    """Return the path, or one that is like it and not there: ``x.mask-2.ome.zarr`` for ``x.mask.ome.zarr``."""
    ending = ".ome.zarr" if path.endswith(".ome.zarr") else Path(path).suffix
    others = (f"{path.removesuffix(ending)}-{number}{ending}" for number in count(2))
    return path if not Path(path).exists() else next(other for other in others if not Path(other).exists())
