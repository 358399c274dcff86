"""Does the original layer show a crack that was found in the enhanced one?

Along every normal of the mid-surface the original is read at the surface itself and on parallel surfaces in the wall,
six on either side, one voxel of the original apart, beyond the crack and its blur. The contrast is the mean over the
parallel surfaces less the mean over the mid-surface. Its noise comes from the same means: how much the parallel ones,
each averaged over as many places as the crack, differ among themselves. That holds also for noise that is correlated
from voxel to voxel, and counts texture of the material as noise. A network that makes a crack of a random dark streak
of the original still has that streak for evidence; no measure of the original alone can tell the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.aperture import Profiles
from napari_nanoct.cracks.surface import Surface, mean_voxel
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, Volume
from napari_nanoct.volumes.units import SYMBOLS, convert

BOUND = 4.0
"""Contrast in standard errors below which a crack is flagged: the original does not prove it."""

PARALLEL = 6
"""Surfaces in the wall on either side."""

FEWEST = 4
"""Of all those, as many must be seen; a surface counts where a third of the crack has one."""


def check_place(original: Volume, image: Volume) -> None:
    """Refuse an original of which nobody knows what of it lies where the other volume does, or nothing does.

    Raises
    ------
    UserError
        If one of the two has a unit of length and the other has none, or they do not overlap.
    """
    here, there = image.geometry.unit, original.geometry.unit
    if (here == "pixel") != (there == "pixel"):
        bare, other = (image, original) if here == "pixel" else (original, image)
        raise UserError(
            f"“{bare.name}” has no unit of length and “{other.name}” is in {SYMBOLS[other.geometry.unit]}: what lies "
            f"where in both cannot be told; give “{bare.name}” its voxel size."
        )
    low, high = image.geometry.corners(image.shape)
    first, last = original.geometry.corners(original.shape)
    for axis in range(3):
        if convert(first[axis], there, here) >= high[axis] or convert(last[axis], there, here) <= low[axis]:
            raise UserError(
                f"“{original.name}” and “{image.name}” do not lie in the same place; choose the original of this "
                "volume, or give both their voxel size and origin."
            )


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the original in memory: grey values (z, y, x) and where they lie."""

    grey: NDArray[np.float32]
    geometry: Geometry


@dataclass(frozen=True, eq=False)
class Evidence:
    """Sums of the original's values for each crack (rows), on the mid-surface (first) and the parallel ones."""

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    square: NDArray[np.float64]

    @classmethod
    def empty(cls, rows: int) -> Evidence:
        """Nothing yet, for a number of cracks."""
        return cls(*(np.zeros((rows, 1 + 2 * PARALLEL)) for _ in range(3)))

    def add(self, row: int, values: NDArray[np.float64]) -> None:
        """Add the values of `read_original` to those of one crack."""
        known = np.isfinite(values)
        kept = np.where(known, values, 0)
        self.count[row] += known.sum(axis=0)
        self.total[row] += kept.sum(axis=0)
        self.square[row] += (kept**2).sum(axis=0)

    def judged(self, row: int) -> tuple[float, float]:
        """Contrast to the noise of a voxel, and to the standard error of the mean; NaN where too little was seen."""
        count, total, square = self.count[row], self.total[row], self.square[row]
        seen = count[1:] >= max(1.0, count[0] / 3)
        if count[0] < 1 or seen.sum() < FEWEST:
            return float("nan"), float("nan")
        weight, mean = count[1:][seen], total[1:][seen] / count[1:][seen]
        wall = float(np.average(mean, weights=weight))
        contrast = wall - float(total[0] / count[0])
        voxel = float(np.average(square[1:][seen] / weight - mean**2, weights=weight))
        surfaces = float(np.average((mean - wall) ** 2, weights=weight)) * len(mean) / (len(mean) - 1)
        error = np.sqrt(surfaces * (1 + 1 / len(mean)))
        return _ratio(contrast, np.sqrt(max(voxel, 0.0))), _ratio(contrast, error)


def _ratio(contrast: float, noise: float) -> float:
    """A quotient that stays finite where there is no noise."""
    return float(np.clip(contrast / max(noise, 1e-9 * max(abs(contrast), 1e-30)), -1e6, 1e6))


def read_original(
    original: Part, sign: int, surface: Surface, lines: Profiles, corner: NDArray[np.float64], geometry: Geometry
) -> NDArray[np.float64]:
    """Values of the original (points, 1 + 12) at a mid-surface and on the parallel ones; NaN where there is none.

    Parameters
    ----------
    original
        Grey values around the points, on any grid.
    sign
        They are multiplied by it.
    surface, lines
        The crack's points in a block and its profiles: where the wall begins, and what else was met.
    corner
        World coordinates of the block's first voxel.
    geometry
        Of the labels: their voxel size and unit.
    """
    there = original.geometry
    factor = convert(1.0, geometry.unit, there.unit)
    spacing = mean_voxel(there.voxel_size) / factor
    distance = lines.edge + spacing * np.arange(PARALLEL)
    sample = np.rint(distance / lines.distance[1]).astype(int)
    last = len(lines.distance) - 1
    free = np.take_along_axis(lines.free, np.minimum(sample, last), axis=2) & (sample <= last)
    signed = np.array([-1.0, 1.0])[:, None] * distance
    steps = np.concatenate([np.zeros((len(surface), 1)), signed.reshape(len(surface), -1)], axis=1)
    world = surface.position[:, None] + surface.normal[:, None] * steps[:, :, None] + corner
    at = np.rint((world * factor - there.origin) / there.voxel_size).astype(np.intp)
    valid = np.concatenate([np.ones((len(surface), 1), bool), free.reshape(len(surface), -1)], axis=1)
    valid &= ((at >= 0) & (at < np.array(original.grey.shape))).all(axis=2)
    values = np.full(valid.shape, np.nan)
    values[valid] = sign * original.grey[tuple(at[valid].T)].astype(np.float64)
    return values


def around(original: Volume, low: NDArray[np.float64], high: NDArray[np.float64], unit: str) -> Part:
    """Read what the original has between two points in world coordinates of that unit; may be empty."""
    there = original.geometry
    factor = convert(1.0, unit, there.unit)
    ends = [np.rint((end * factor - there.origin) / there.voxel_size).astype(int) for end in (low, high)]
    start, stop = (np.clip(end, 0, original.shape) for end in (ends[0] - 1, ends[1] + 2))
    z, y, x = (slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))
    part = np.asarray(original.data[z, y, x], np.float32)
    return Part(part, there.cropped(z.start, y.start, x.start))
