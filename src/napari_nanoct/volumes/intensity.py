"""One intensity range for a whole volume, and the way to 0..1 and back."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from napari_nanoct.volumes.volume import Volume

SLICES = 16
"""Slices that are read for the range of a volume, one in each of as many equal parts of its depth."""

VOXELS_PER_SLICE = 1 << 18
"""Voxels drawn from each of them."""

PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class IntensityRange:
    """The grey values that become 0 and 1 for the network; one pair for a whole volume, never per slice or tile."""

    low: float
    high: float

    def normalise(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Grey values as float32 with `low` at 0 and `high` at 1, unclipped; any shape."""
        # float64 until the last step: neighbouring grey values far from 0 would fall together in float32
        return ((np.asarray(x, np.float64) - self.low) / (self.high - self.low)).astype(np.float32)

    def normalise_finite(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Same as `normalise`, 0 where a grey value is NaN or infinite."""
        return np.nan_to_num(self.normalise(x), copy=False, nan=0.0, posinf=0.0, neginf=0.0)

    def restore(self, y: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
        """Inverse of `normalise`, as `dtype`: rounded for integers, saturated at the ends of the type.

        NaN stays NaN in a floating type and becomes `low` in an integer type.
        """
        grey = np.asarray(y, np.float64) * (self.high - self.low) + self.low
        kind = np.dtype(dtype)
        if np.issubdtype(kind, np.floating):
            ends = np.finfo(kind)
            return np.clip(grey, float(ends.min), float(ends.max)).astype(kind)
        grey = np.rint(np.where(np.isnan(grey), self.low, grey))
        ends_int = np.iinfo(kind)
        # the largest 64-bit integers have no float64 of their own: the next one up would wrap around
        top = float(ends_int.max) if kind.itemsize < 8 else np.nextafter(float(ends_int.max), 0)
        return np.clip(grey, float(ends_int.min), top).astype(kind)


def intensity_range(volume: Volume, *, seed: int = 0) -> IntensityRange:
    """Percentiles 0.5 and 99.5 of a seeded sub-sample of the finite voxels of the whole volume.

    At most 16 slices are read, one at a time. The same volume and seed give the same range.

    Parameters
    ----------
    volume
        The whole volume, also where only a part of it is worked on: then any part gives the same values.
    seed
        Seed of the sub-sample.

    Returns
    -------
    IntensityRange
        The ends of the sample where the percentiles are one value: nearly all of the volume is background. ``high =
        low + 1`` for a constant volume; 0 and 1 where no voxel is finite.
    """
    random = np.random.default_rng(seed)
    depth = volume.shape[0]
    edges = np.linspace(0, depth, min(SLICES, depth) + 1).astype(int)
    sample = []
    for start, stop in pairwise(edges):
        plane = np.asarray(volume.data[int(random.integers(start, stop))]).ravel()
        if plane.size > VOXELS_PER_SLICE:
            plane = plane[random.integers(0, plane.size, VOXELS_PER_SLICE)]
        plane = plane.astype(np.float64)
        sample.append(plane[np.isfinite(plane)])
    values = np.concatenate(sample) if sample else np.empty(0)
    if values.size == 0:
        return IntensityRange(0.0, 1.0)
    low, high = (float(value) for value in np.percentile(values, PERCENTILES))
    if low == high:
        low, high = float(values.min()), float(values.max())
    return IntensityRange(low, high if high > low else low + 1.0)
