"""HDF5 and NeXus files: their volume, read slice by slice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import hdf5_axes, hdf5_find, hdf5_parts
from napari_nanoct.volumes.formats import Opened, inside_hdf5, naming
from napari_nanoct.volumes.hdf5_file import opened
from napari_nanoct.volumes.lazy import lazy_slices
from napari_nanoct.volumes.volume import Shape

NAMED = 6
"""How many of its volumes a sentence names, and a viewer opens at once."""


@dataclass(frozen=True)
class Hdf5Slices:
    """Slices of a dataset; `sources` are files that it takes voxels from."""

    file: Path
    name: str
    shape: Shape
    dtype: np.dtype[Any]
    axes: hdf5_axes.Axes
    stored: tuple[int, ...]
    sources: tuple[Path, ...]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop."""
        z = self.axes[0]
        key: list[int | slice] = [slice(None) if axis in self.axes else 0 for axis in range(len(self.stored))]
        if z is not None:
            key[z] = slice(start, stop)
        # HDF5 itself would show its fill value in place of a file that has gone
        if lost := [source for source in self.sources if not source.is_file()]:
            raise UserError(f"{self.file}: it takes voxels from {lost[0]}, which is no longer there; put it back.")
        with naming(self.file), opened(self.file) as root:
            dataset = root.get(self.name)
            if [getattr(dataset, part, None) for part in ("shape", "dtype")] != [self.stored, self.dtype]:
                raise UserError(f"its dataset {self.name} has changed since it was opened; open it anew")
            block = np.asarray(dataset[tuple(key)])
        kept = [axis for axis in self.axes if axis is not None]
        block = block.transpose([sorted(kept).index(axis) for axis in kept])
        return block if z is not None else block[None][start:stop]


def open_hdf5(file: Path, part: str) -> Opened:
    """Open the volume of an HDF5 file, or the one that a path in it names (``/entry/data``); "" where none does.

    Raises
    ------
    UserError
        If there is none, or more than one and the file does not say which to show; if what it holds are projections;
        or if the file, or one that it takes voxels from, is damaged or missing.
    """
    with opened(file) as root:
        found = hdf5_find.volumes(root, part)
        if len(found) > 1:
            some = ", ".join(one.name for one in found[:NAMED]) + (" …" if len(found) > NAMED else "")
            raise UserError(f"it holds {len(found)} volumes ({some}); open one of them, as {file}{found[0].name}")
        (one,) = found
        axes = hdf5_axes.axes(one)
        z, y, x = (1 if axis is None else one.data.shape[axis] for axis in axes)
        if 0 in (z, y, x):
            raise UserError(f"its dataset {one.name} is empty (shape {one.data.shape})")
        sources, notes = hdf5_parts.check_written(one.data, one.name)
        geometry, assumed = hdf5_axes.geometry(one, axes)
        reader = Hdf5Slices(file, one.name, (z, y, x), one.data.dtype, axes, one.data.shape, sources)
    metadata = {"assumed": (*notes, *assumed)} if notes or assumed else {}
    return Opened((lazy_slices(reader),), geometry, metadata, one.name)


def volume_paths(path: Path) -> list[Path]:
    """The volumes that a viewer shows of an HDF5 file: the one that it says to show, or else all, if they are few."""
    file, part = inside_hdf5(path)
    with naming(path), opened(file) as root:
        names = [one.name for one in hdf5_find.volumes(root, part)]
    return [Path(f"{file}{name}") for name in names] if len(names) <= NAMED else [path]
