"""The opening of a crack from what its grey values lack against its walls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.measurement import Triple
from napari_nanoct.cracks.surface import Surface, mean_voxel

STEP = 0.5
"""Distance of the samples across a crack; this and what follows in mean voxels."""

REACH = 14.0
"""Where the samples end, on either side."""

MARGIN = 3.0
"""What belongs to the crack beside its label: the reach of the blur."""

WALL = 3.0
"""Depth of the wall that is averaged, beyond the margin."""

# Samples of the wall before something else that are left out where there are others.
_BEFORE = 3

NEIGHBOURS = 48
SMOOTHING = 3.0
"""The opening of a point is the mean of so many nearest ones within this distance: one profile is noisy."""


@dataclass(frozen=True)
class Levels:
    """Grey values of a volume: of its solid around the cracks, of its void, and of the void of wide cracks by label."""

    wall: float
    void: float
    own: dict[int, float]

    def of(self, crack: int) -> float:
        """Void level for one crack."""
        return self.own.get(crack, self.void)


@dataclass(frozen=True, eq=False)
class Profiles:
    """Straight lines across a crack through the points of its mid-surface, (points, side, samples) outwards.

    Attributes
    ----------
    distance
        (samples,) from the mid-surface, in the unit of the voxel size.
    grey
        Grey values; NaN is 0 here and not `free`.
    free
        Nothing else was met up to here: no other crack or branch, no pore, no border of the volume, no void outside.
    edge
        (points, side, 1) where the crack with its margin of blur ends.
    """

    distance: NDArray[np.float64]
    grey: NDArray[np.float64]
    free: NDArray[np.bool_]
    edge: NDArray[np.float64]


def places(surface: Surface, distance: NDArray[np.float64], voxel_size: Triple) -> NDArray[np.float64]:
    """Voxel coordinates (3, points, 2, samples) at distances along the normals, to either side."""
    signed = np.stack([-distance, distance])
    at = surface.position[:, :, None, None] + surface.normal[:, :, None, None] * signed
    return np.asarray(np.moveaxis(at / np.array(voxel_size)[:, None, None], 1, 0))


def profiles(
    surface: Surface,
    crack: int,
    labels: NDArray[np.integer],
    grey: NDArray[np.floating],
    closed: NDArray[np.bool_],
    levels: Levels,
    voxel_size: Triple,
) -> Profiles:
    """Read grey values across a crack.

    Parameters
    ----------
    surface
        Mid-surface of the crack, in a block.
    crack
        Its label.
    labels, grey
        The block.
    closed
        Where the block has pores or no value.
    levels
        What is darker than half-way between wall and void, beyond the crack and its margin, is taken for void.
    voxel_size
        Edge lengths (z, y, x).
    """
    from scipy.ndimage import map_coordinates

    unit = mean_voxel(voxel_size)
    distance = np.arange(round(REACH / STEP) + 1, dtype=np.float64) * (STEP * unit)
    at = places(surface, distance, voxel_size)
    nearest = np.rint(at).astype(np.intp)
    limit = np.array(labels.shape)[:, None, None, None]
    outside = ((nearest < 0) | (nearest >= limit)).any(axis=0)
    nearest = np.clip(nearest, 0, limit - 1)
    label = labels[tuple(nearest)]
    values = np.asarray(map_coordinates(grey, at, order=1, mode="nearest", output=np.float64))
    inside = np.logical_and.accumulate((label == crack) | (distance < 0.75 * unit), axis=2)
    edge = (inside.sum(axis=2, keepdims=True) - 0.5) * STEP * unit + MARGIN * unit
    void = (values - levels.void) / (levels.wall - levels.void) < 0.5
    # A branch of the crack itself, too, is another crack to this line.
    met = outside | ((label != 0) & ~inside) | closed[tuple(nearest)] | (void & (distance > edge))
    return Profiles(distance, values, np.logical_and.accumulate(~met | inside, axis=2), edge)


def openings(lines: Profiles, void: float) -> NDArray[np.float64]:
    """Aperture (points,) by the grey deficit, in the unit of the voxel size.

    The integral of ``(wall - value) / (wall - void)`` along the normal, each side with its own wall. Blur and partial
    volume move the deficit along the normal without changing its integral, so that it does not matter whether the
    crack is wider or narrower than a voxel. Where one side has no wall the other's is taken; where neither has one the
    result is NaN.

    Parameters
    ----------
    lines
        From `profiles`.
    void
        Grey value of the empty crack.
    """
    step = lines.distance[1]
    beyond = (lines.distance > lines.edge) & (lines.distance <= lines.edge + WALL * step / STEP)
    # Just before what ends the profile its blur darkens the wall.
    clear = lines.free.copy()
    clear[:, :, :-_BEFORE] &= lines.free[:, :, _BEFORE:]
    wall = _mean(lines.grey, beyond & clear)
    for other in (wall[:, ::-1], (rest := _mean(lines.grey, beyond & lines.free)), rest[:, ::-1]):
        wall = np.where(np.isnan(wall), other, wall)
    within = (lines.distance <= lines.edge) & lines.free
    share = (wall[:, :, None] - lines.grey) / (wall - void)[:, :, None]
    weight = np.where(np.arange(len(lines.distance)) == 0, step / 2, step)
    return np.asarray((np.where(within, share, 0) * weight).sum(axis=(1, 2)))


def _mean(grey: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean along the samples; NaN of none."""
    count = where.sum(axis=2)
    return np.asarray(np.where(where, grey, 0).sum(axis=2) / np.where(count, count, np.nan))


def smoothed(surface: Surface, aperture: NDArray[np.float64], voxel_size: Triple) -> NDArray[np.float64]:
    """Mean of the neighbouring points' apertures, (points,); NaN counts for nothing."""
    from scipy.spatial import cKDTree

    if not len(aperture):
        return aperture
    reach = SMOOTHING * mean_voxel(voxel_size)
    found = min(NEIGHBOURS, len(aperture))
    _, near = cKDTree(surface.position).query(surface.position, k=[*range(1, found + 1)], distance_upper_bound=reach)
    # A neighbour that is not there has the index one past the last.
    values = np.append(aperture, np.nan)[near]
    known = np.isfinite(values)
    count = known.sum(axis=1)
    return np.asarray(np.where(known, values, 0).sum(axis=1) / np.where(count, count, np.nan))
