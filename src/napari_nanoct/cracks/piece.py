"""One block of a volume in memory, and the mid-surface points of the cracks in it."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks import aperture
from napari_nanoct.cracks.aperture import Levels
from napari_nanoct.cracks.blocks import Box
from napari_nanoct.cracks.census import Block, label_boxes
from napari_nanoct.cracks.evidence import Part, around, read_original
from napari_nanoct.cracks.measurement import Triple
from napari_nanoct.cracks.surface import Surface, mean_voxel, mid_surface
from napari_nanoct.volumes import Geometry, Volume

# Profiles that are held at a time, about 5 kB each.
_POINTS = 20000

# Points so far beyond the core, in mean voxels, lend their aperture to those in it.
_BEYOND = aperture.SMOOTHING + 1


def halo(voxel_size: Triple) -> tuple[int, int, int]:
    """Voxels (z, y, x) that must be read around a block for its points to be those of the whole volume."""
    reach = (_BEYOND + aperture.REACH + 1) * mean_voxel(voxel_size)
    z, y, x = (int(np.ceil(reach / size)) for size in voxel_size)
    return z, y, x


@dataclass(frozen=True, eq=False)
class Piece:
    """A block in memory.

    Attributes
    ----------
    block, geometry
        Where it lies; of the whole volume.
    labels, grey, closed, pores
        (z, y, x) of the padded block: labels; grey values, times -1 where cracks are bright, 0 for NaN; where there are
        pores or NaN; where there are pores.
    sign
        That -1, or 1.
    original
        The same part of the original layer.
    depth
        Slices of the whole volume.
    """

    block: Block
    geometry: Geometry
    labels: NDArray[np.integer]
    grey: NDArray[np.float32]
    closed: NDArray[np.bool_]
    pores: NDArray[np.bool_] | None
    sign: int
    original: Part | None
    depth: int

    @property
    def corner(self) -> NDArray[np.float64]:
        """World coordinates of the first voxel."""
        start = [part.start for part in self.block.padded]
        return np.array(start) * self.geometry.voxel_size + np.array(self.geometry.origin)


@dataclass(frozen=True, eq=False)
class Points:
    """Mid-surface of one crack in the core of a block.

    Attributes
    ----------
    crack
        Its label.
    surface
        Positions in world coordinates.
    opening
        (n,) aperture; NaN where no wall is near.
    original
        Values of the original (`napari_nanoct.cracks.evidence.read_original`).
    """

    crack: int
    surface: Surface
    opening: NDArray[np.float64]
    original: NDArray[np.float64] | None


def load(block: Block, labels: Any, image: Volume, pores: Any | None, original: Volume | None, sign: int) -> Piece:
    """Read a block and what is around it."""
    grey = sign * np.asarray(image.data[block.padded], np.float32)
    closed = ~np.isfinite(grey)
    grey[closed] = 0
    hollow = None
    if pores is not None:
        hollow = (np.asarray(pores[block.padded]) != 0) & ~closed
        closed |= hollow
    here = np.asarray(labels[block.padded])
    piece = Piece(block, image.geometry, here, grey, closed, hollow, sign, None, image.shape[0])
    if original is None:
        return piece
    end = piece.corner + np.array(grey.shape) * image.geometry.voxel_size
    return replace(piece, original=around(original, piece.corner, end, image.geometry.unit))


def points(
    piece: Piece, levels: Levels, through: Container[int], local: NDArray[np.float32] | None = None
) -> Iterator[Points]:
    """Measure the cracks of a block one by one.

    Parameters
    ----------
    piece
        The block.
    levels
        Grey values of wall and void.
    through
        Labels of the cracks that reach from the first slice of the volume to its last.
    local
        (z, y, x) of the core: gets the aperture of the nearest mid-surface point at the labelled voxels.
    """
    present = np.unique(piece.labels[piece.block.inner])
    for label, box, _ in label_boxes(piece.labels):
        if label in present:
            yield _crack(piece, label, box, levels, piece.depth if label in through else 0, local)


def _crack(
    piece: Piece, crack: int, box: Box, levels: Levels, slices: int, local: NDArray[np.float32] | None
) -> Points:
    size = piece.geometry.voxel_size
    grown = tuple(slice(max(part.start - 1, 0), part.stop + 1) for part in box)
    start = np.array([part.start for part in grown])
    found = mid_surface(piece.labels[grown] == crack, size, piece.labels[grown] == 0, slices=slices)
    found = replace(found, voxel=found.voxel + start, position=found.position + start * size)
    beyond = np.ceil(_BEYOND * mean_voxel(size) / np.array(size))
    found = found[_within(found.voxel, piece.block, beyond)]
    opening = np.empty(len(found))
    rows = []
    for first in range(0, len(found), _POINTS):
        some = found[slice(first, first + _POINTS)]
        lines = aperture.profiles(some, crack, piece.labels, piece.grey, piece.closed, levels, size)
        opening[first : first + _POINTS] = aperture.openings(lines, levels.of(crack))
        if piece.original is not None:
            rows.append(read_original(piece.original, piece.sign, some, lines, piece.corner, piece.geometry))
    opening = aperture.smoothed(found, opening, size)
    if local is not None and len(found):
        _spread(piece, crack, found, opening, local)
    core = _within(found.voxel, piece.block, np.zeros(3))
    original = np.concatenate(rows)[core] if rows else None
    kept = found[core]
    return Points(crack, replace(kept, position=kept.position + piece.corner), opening[core], original)


def _within(voxel: NDArray[np.intp], block: Block, beyond: NDArray[np.float64]) -> NDArray[np.bool_]:
    low = np.array([part.start for part in block.inner]) - beyond
    high = np.array([part.stop for part in block.inner]) + beyond
    return np.asarray(((voxel >= low) & (voxel < high)).all(axis=1))


def _spread(piece: Piece, crack: int, found: Surface, opening: NDArray[np.float64], local: NDArray[np.float32]) -> None:
    """Give every labelled voxel of the core the aperture of the nearest point; 0 where none is known."""
    from scipy.spatial import cKDTree

    own = np.argwhere(piece.labels[tuple(piece.block.inner)] == crack)
    start = np.array([part.start for part in piece.block.inner])
    near = cKDTree(found.position).query((own + start) * np.array(piece.geometry.voxel_size))[1]
    local[tuple(own.T)] = np.nan_to_num(opening[near])
