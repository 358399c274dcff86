"""A volume searched for cracks slab by slab: what is read of it, how it is scored, and the pieces joined on disk."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken, Progress
from napari_nanoct.jobs.files import reading, writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_nanoct.cracks.blocks import Box, Rule
    from napari_nanoct.cracks.proposal import Scored
    from napari_nanoct.volumes import IntensityRange, Volume

SLAB = 16
"""Slices that are joined and written at once: the depth of a shard."""

DEEPEST, SCORED = 64, 1 << 27
"""Most slices, and voxels, of a slab that is scored; all its scores are held, thirteen bytes a voxel."""

BLOCK, NARROWEST = 1 << 23, 64
"""Voxels, with the halo around them, of the part of a slab that is scored at once; and its least side without."""


class Search(Protocol):
    """What gives every voxel a score, and says which pieces are cracks."""

    @property
    def halo(self) -> tuple[int, int, int]: ...
    @property
    def rule(self) -> Rule: ...
    def __call__(self, block: NDArray[np.float32], mask: NDArray[np.bool_] | None, inner: Box) -> Scored: ...


@dataclass(frozen=True, eq=False)
class Source:
    """A volume and a mask of truth values on one grid, read as finite normalised grey values."""

    volume: Volume
    intensity: IntensityRange
    mask: Volume | None = None

    def grey(self, box: Box) -> NDArray[np.float32]:
        """Return a box of the volume, 0 where it is not finite."""
        return self.read(box)[0]

    def __getitem__(self, box: Box) -> NDArray[np.bool_]:
        """Return a box of the mask, of ones where there is none."""
        if self.mask is None:
            return np.ones([part.stop - part.start for part in box], bool)
        return np.asarray(self.mask.data[box], bool)

    def read(self, box: Box) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a box of the volume, 0 where it is not finite, and where it is finite."""
        with reading(self.volume.source):
            values = np.asarray(self.volume.data[box])
        return self.intensity.normalise_finite(values), np.isfinite(values)


def slab_depth(shape: tuple[int, int, int]) -> int:
    """Return how many slices are scored at once, in whole shards: the more, the less of their halo is scored twice."""
    return max(SLAB, min(DEEPEST, SCORED // (shape[1] * shape[2])) // SLAB * SLAB)


def tile_side(depth: int, halo: int) -> int:
    """Return the side of blocks so deep, without the halo: whatever the depth, all take as much memory."""
    return max(NARROWEST, math.isqrt(BLOCK // depth) - 2 * halo)


def find_pieces(
    search: Search, source: Source, masked: bool, folder: Path, cancel: CancelToken
) -> Generator[Progress, None, tuple[NDArray[np.int32], Any]]:
    """Score all slabs and keep their provisional labels on disk; returns what these become, and where they are."""
    import zarr

    from napari_nanoct.cracks.blocks import Pieces
    from napari_nanoct.cracks.proposal import Scored

    depth, height, width = shape = source.volume.shape
    pieces = Pieces(search.rule)
    deep = slab_depth(shape)
    tile = tile_side(min(depth, deep + 2 * search.halo[0]), max(search.halo[1:]))
    chunks = (min(SLAB, depth), min(tile, height), min(tile, width))
    with writing(folder):
        store = str(folder / "pieces.zarr")
        parts = zarr.create_array(store, shape=shape, chunks=chunks, dtype=np.int64, fill_value=0)
    tiles = [(y, x) for y in range(0, height, tile) for x in range(0, width, tile)]
    begin = time.perf_counter()
    for z in range(0, depth, deep):
        slab = (min(deep, depth - z), height, width)
        score, planarity, inside = np.zeros(slab, np.float32), np.ones(slab, np.float32), np.ones(slab, bool)
        gate = np.zeros(slab, np.float32) if search.rule.clear else None
        found = Scored(score, planarity, inside, gate)
        for number, (y, x) in enumerate(tiles):
            cancel.check()
            box = (slice(z, z + slab[0]), slice(y, min(y + tile, height)), slice(x, min(x + tile, width)))
            _score(search, source, masked, box, found)
            share = (z + slab[0] * (number + 1) / len(tiles)) / depth
            seconds = time.perf_counter() - begin
            rate = share * np.prod(shape, dtype=float) / seconds / 1e6
            yield Progress(int(share * depth), depth, rate=rate, seconds_left=seconds * (1 - share) / share)
        for first in range(0, slab[0], SLAB):
            some = slice(first, first + SLAB)
            careful = None if gate is None else gate[some]
            with writing(folder):
                labels = pieces.add(score[some], planarity[some], inside[some], careful)
                parts[z + first : z + first + len(labels)] = labels
    return pieces.numbers(), parts


def _score(search: Search, source: Source, masked: bool, box: Box, slab: Scored) -> None:
    """Fill a box of the volume in the slab that it lies in."""
    from napari_nanoct.cracks.blocks import padded

    around, inner = padded(box, source.volume.shape, search.halo)
    mask = source[around] if masked else None
    if mask is not None and not mask[inner].any():
        return
    grey, finite = source.read(around)
    found = search(grey, mask, inner)
    for whole, part in zip(slab, found, strict=True):
        if whole is not None and part is not None:
            whole[:, box[1], box[2]] = part
    for scored in (slab.score, slab.gate):
        if scored is not None:
            scored[:, box[1], box[2]][~finite[inner]] = 0


def check_values(source: Source) -> None:
    """Refuse a volume that is not finite, or constant, wherever it is sampled."""
    from napari_nanoct.cracks.bodies import sample_boxes

    low, high = np.inf, -np.inf
    for box in sample_boxes(source.volume.shape):
        grey, known = source.read(box)
        if len(values := grey[known]):
            low, high = min(low, values.min()), max(high, values.max())
        if low < high:
            return
    name = source.volume.source
    if low > high:
        raise UserError(f"{name} has no finite voxel where it was sampled (all are NaN or infinite); choose another")
    raise UserError(f"all voxels of {name} are equal where it was sampled, so there is nothing to find; choose another")
