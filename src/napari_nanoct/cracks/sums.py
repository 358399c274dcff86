"""What adds up over the points of mid-surfaces, and the figures that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.measurement import Triple
from napari_nanoct.cracks.surface import Surface

Float = NDArray[np.float64]

# Edges of the histogram that percentiles are read from, in mean voxels: steps of 5 %.
_BINS = np.concatenate([[0.0], np.geomspace(0.05, 30, 132)])

# Edges of the histogram that is shown.
SHOWN = np.arange(0, 30.01, 0.25)

INCLINATIONS = np.degrees(np.arccos(np.linspace(1, 0, 10)))
AZIMUTHS = np.linspace(0, 360, 37)

_DIRECTIONS = 200


def directions(count: int = _DIRECTIONS) -> Float:
    """Unit vectors (count, 3) spread evenly over half a sphere (Fibonacci lattice)."""
    number = np.arange(count) + 0.5
    z = 1 - number / count
    azimuth = np.pi * (1 + np.sqrt(5)) * number
    flat = np.sqrt(1 - z**2)
    return np.stack([z, flat * np.cos(azimuth), flat * np.sin(azimuth)], axis=1)


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the points of each crack (rows), and over all; memory depends on the number of cracks alone.

    Attributes
    ----------
    area, known, opening
        (rows,) area; area of known aperture; aperture times area.
    widest
        (rows,) largest aperture.
    first, second, normals
        (rows, 3), (rows, 3, 3) moments of the positions and of the normals, by area.
    far
        (rows, directions, 2) the farthest that the crack reaches along each direction and against it.
    spread
        (rows, bins) area by aperture.
    shown, orientation
        Histograms over all cracks.
    """

    area: Float
    known: Float
    opening: Float
    widest: Float
    first: Float
    second: Float
    normals: Float
    far: Float
    spread: NDArray[np.float32]
    shown: Float
    orientation: Float

    @classmethod
    def empty(cls, rows: int) -> Sums:
        """Nothing yet, for a number of cracks."""
        return cls(
            area=np.zeros(rows),
            known=np.zeros(rows),
            opening=np.zeros(rows),
            widest=np.zeros(rows),
            first=np.zeros((rows, 3)),
            second=np.zeros((rows, 3, 3)),
            normals=np.zeros((rows, 3, 3)),
            far=np.full((rows, _DIRECTIONS, 2), -np.inf),
            spread=np.zeros((rows, len(_BINS) - 1), np.float32),
            shown=np.zeros(len(SHOWN) - 1),
            orientation=np.zeros((len(INCLINATIONS) - 1, len(AZIMUTHS) - 1)),
        )

    def add(self, row: int, surface: Surface, aperture: Float, unit: float) -> None:
        """Add points of one crack: positions in world coordinates, apertures (points,), ``unit`` the mean voxel."""
        if not len(surface):
            return
        place, normal, area = surface.position, surface.normal, surface.area
        known = np.isfinite(aperture)
        weight, opening = area[known], np.maximum(aperture[known], 0)
        self.area[row] += area.sum()
        self.known[row] += weight.sum()
        self.opening[row] += (weight * opening).sum()
        self.widest[row] = max(self.widest[row], opening.max(initial=0))
        self.first[row] += area @ place
        self.second[row] += np.einsum("n,ni,nj->ij", area, place, place)
        self.normals[row] += np.einsum("n,ni,nj->ij", area, normal, normal)
        along = place @ directions().T
        self.far[row] = np.maximum(self.far[row], np.stack([along.max(axis=0), -along.min(axis=0)], axis=1))
        bins = np.clip(opening / unit, 0, _BINS[-1] * 0.999)
        self.spread[row] += np.histogram(bins, _BINS, weights=weight)[0].astype(np.float32)
        self.shown[:] += np.histogram(bins, SHOWN, weights=weight)[0]
        z, y, x = (normal * np.where(normal[:, :1] < 0, -1, 1)).T
        tilt, azimuth = np.degrees(np.arccos(np.clip(z, 0, 1))), np.degrees(np.arctan2(x, y)) % 360
        self.orientation[:] += np.histogram2d(tilt, azimuth, [INCLINATIONS, AZIMUTHS], weights=area)[0]

    def aperture(self, row: int, unit: float) -> tuple[float, float, float]:
        """Mean, 95th percentile and largest aperture of a crack; NaN where no wall was found."""
        if not self.known[row]:
            return (float("nan"),) * 3
        share = np.concatenate([[0], np.cumsum(self.spread[row], dtype=np.float64)])
        p95 = float(np.interp(0.95 * share[-1], share, _BINS * unit))
        widest = float(self.widest[row])
        return float(self.opening[row] / self.known[row]), min(p95, widest), widest

    def shape(self, row: int) -> tuple[float, Triple, float, Triple]:
        """Length, normal, planarity and centre of a crack.

        Planarity is ``1 - sqrt(l3 / l2)`` with the second and third eigenvalue of the covariance of the mid-surface.
        """
        area = self.area[row]
        if not area:
            return 0.0, (float("nan"),) * 3, float("nan"), (float("nan"),) * 3
        centre = self.first[row] / area
        spread = np.linalg.eigvalsh(self.second[row] / area - np.outer(centre, centre))
        planarity = 1 - np.sqrt(max(spread[0], 0) / spread[1]) if spread[1] > 0 else 0.0
        normal = np.linalg.eigh(self.normals[row])[1][:, -1]
        normal = normal * (-1 if normal[np.argmax(np.abs(normal) > 1e-6)] < 0 else 1)
        return float(self.far[row].sum(axis=1).max()), _triple(normal), float(planarity), _triple(centre)


def _triple(values: Float) -> Triple:
    z, y, x = (float(value) for value in values)
    return z, y, x
