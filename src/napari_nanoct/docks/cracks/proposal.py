"""The proposal for a whole volume, or for what is around the slice in view if the volume is large; no Qt here."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_nanoct.cracks.blocks import whole_box
from napari_nanoct.docks.cracks.controls import EVERYWHERE
from napari_nanoct.volumes import Volume

if TYPE_CHECKING:
    from napari.layers import Layer
    from numpy.typing import NDArray

    from napari_nanoct.docks.cracks.choices import Request
    from napari_nanoct.docks.cracks.overlay import Window
    from napari_nanoct.jobs import CancelToken

PROPOSED = "nanoct proposal"
"""Key in the metadata of a layer that shows a proposal: the `mark` of its labels as they were proposed."""

Part = tuple[slice, slice, slice]

LARGE = 16 << 20
"""Voxels up to which a volume is looked at whole: that takes about a minute and a gigabyte."""

NEAR = (64, 512, 512)
"""Voxels (z, y, x) around the middle of the view that are looked at of a larger one."""


@dataclass(frozen=True, eq=False)
class Proposed:
    """Cracks that were found without a label.

    Attributes
    ----------
    labels : ndarray, (z, y, x) int32
        1..n, 0 background.
    volume : Volume
        What was looked at: the whole volume or a part of it, where it lies in the world.
    clear : bool
        Whether there are clear cracks.
    message : str
        What was found and where, for people.
    """

    labels: NDArray[np.int32]
    volume: Volume
    clear: bool
    message: str


def propose_near(request: Request, z: int, window: Window, cancel: CancelToken) -> Proposed:
    """Find clear cracks in a thread; around slice `z` and the middle of `window` if the volume is large."""
    from napari_nanoct.cracks.proposal import ProposalSettings, propose
    from napari_nanoct.volumes import intensity_range

    whole = request.volume
    y0, y1, x0, x1 = window
    part = near(whole.shape, (z, (y0 + y1) // 2, (x0 + x1) // 2))
    volume = cropped(whole, part)
    intensity = intensity_range(whole)
    cancel.check()
    grey = intensity.normalise(np.asarray(volume.data))
    mask = None
    if isinstance(request.mask, Volume):
        mask = np.asarray(request.mask.data[part]) > 0
    elif request.mask == EVERYWHERE:
        mask = np.ones(volume.shape, bool)
    cancel.check()
    settings = ProposalSettings(sensitivity=request.sensitivity, dark=request.dark)
    found = propose(grey, whole.geometry.voxel_size, settings, mask)
    cancel.check()
    where = "" if volume is whole else f" (In {' × '.join(map(str, volume.shape))} voxels around the slice in view.)"
    return Proposed(found.labels, volume, found.clear, found.message + where)


def mark(labels: NDArray[np.int32]) -> int:
    """Return a number that tells whether labels have been edited since."""
    return zlib.crc32(labels.tobytes())


def is_proposal(layer: Layer, name: str) -> bool:
    """Whether a layer shows a proposal of this name that nobody has edited: another one may take its place."""
    named = re.fullmatch(rf"{re.escape(name)}( \[\d+\])?", layer.name)
    return bool(named) and PROPOSED in layer.metadata and layer.metadata[PROPOSED] == mark(np.asarray(layer.data))


def near(shape: tuple[int, int, int], middle: tuple[int, int, int]) -> Part:
    """Return the part of a volume that is looked at: all of it, or a box around `middle`."""
    if np.prod(shape, dtype=float) <= LARGE:
        return whole_box(shape)
    starts = [
        max(0, min(place - size // 2, length - size)) for place, size, length in zip(middle, NEAR, shape, strict=True)
    ]
    z, y, x = (slice(start, min(start + size, length)) for start, size, length in zip(starts, NEAR, shape, strict=True))
    return (z, y, x)


def cropped(volume: Volume, part: Part) -> Volume:
    """Return a part of a volume at its place in the world; the volume itself for all of it."""
    if all(piece.start == 0 and piece.stop == length for piece, length in zip(part, volume.shape, strict=True)):
        return volume
    geometry = volume.geometry.cropped(*(piece.start for piece in part))
    return replace(volume, data=volume.data[part], geometry=geometry, levels=())
