"""Where a volume's voxels lie in the world."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.units import METRES

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """Voxel size and position of a (z, y, x) volume.

    Parameters
    ----------
    voxel_size
        Edge lengths of a voxel as (z, y, x), in `unit`.
    origin
        Centre of voxel (0, 0, 0) as (z, y, x), in `unit`.
    unit
        Length unit by its OME-NGFF name ("nanometer", "micrometer", ...); "pixel" where it is not known.

    Raises
    ------
    UserError
        If a voxel size is not positive and finite, an origin not finite, or the unit not known.
    """

    voxel_size: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    unit: str = "pixel"

    def __post_init__(self) -> None:
        if len(self.voxel_size) != 3 or not all(0 < size < math.inf for size in self.voxel_size):
            raise UserError(f"A voxel size is three positive numbers (z, y, x), not {self.voxel_size}.")
        if len(self.origin) != 3 or not all(math.isfinite(place) for place in self.origin):
            raise UserError(f"An origin is three finite numbers (z, y, x), not {self.origin}.")
        if self.unit != "pixel" and self.unit not in METRES:
            raise UserError(f"The unit {self.unit!r} is not one of pixel, {', '.join(METRES)}.")
        object.__setattr__(self, "voxel_size", tuple(float(size) for size in self.voxel_size))
        object.__setattr__(self, "origin", tuple(float(place) + 0.0 for place in self.origin))  # no -0.0

    def cropped(self, z0: int = 0, y0: int = 0, x0: int = 0) -> Geometry:
        """Geometry of the part that starts at voxel (z0, y0, x0)."""
        starts = (z0, y0, x0)
        origin = [t + s * start for t, s, start in zip(self.origin, self.voxel_size, starts, strict=True)]
        return Geometry(self.voxel_size, _triple(origin), self.unit)

    def enlarged(self, factor: float) -> Geometry:
        """Geometry after every slice was enlarged `factor` times in y and x; the outer corners stay in place."""
        return self.coarsened((1, 1 / factor, 1 / factor))

    def coarsened(self, factors: Sequence[float]) -> Geometry:
        """Geometry of the grid whose voxels are `factors` (z, y, x) times as large, from the same outer corner."""
        size = [s * f for s, f in zip(self.voxel_size, factors, strict=True)]
        origin = [t + (new - s) / 2 for t, s, new in zip(self.origin, self.voxel_size, size, strict=True)]
        return Geometry(_triple(size), _triple(origin), self.unit)

    def corners(self, shape: Sequence[int]) -> tuple[Triple, Triple]:
        """Outer corners (lowest, highest), in `unit`, of a volume of `shape`: half a voxel beyond the outer centres."""
        low = [t - s / 2 for t, s in zip(self.origin, self.voxel_size, strict=True)]
        high = [start + s * n for start, s, n in zip(low, self.voxel_size, shape, strict=True)]
        return _triple(low), _triple(high)


def _triple(values: Sequence[float]) -> Triple:
    z, y, x = values
    return (z, y, x)
