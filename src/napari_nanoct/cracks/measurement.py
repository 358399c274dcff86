"""What is known of cracks once they are measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.volumes import Geometry

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Crack:
    """One crack; lengths in the volume's unit, axes (z, y, x).

    Attributes
    ----------
    id
        Its label.
    voxels, volume
        Of its label.
    area
        Of its mid-surface: one side, not two.
    aperture_mean, aperture_p95, aperture_max
        Opening across the mid-surface from the grey deficit, over the area; NaN where no wall was found.
    length
        Longest extent of the mid-surface in a straight line (maximum Feret diameter), not along its bends.
    normal
        Unit vector, mean over the area; the half with z >= 0.
    planarity
        1 for a plane, 0 where the mid-surface extends across it as far as along its shorter side.
    centre
        Of the mid-surface's area, in world coordinates.
    box
        First and last voxel, index (z, y, x) each.
    touches_border, touches_pores
        It reaches the border of the volume; it has a pore next to it (None: pores were not given).
    cnr_original
        Contrast of the crack's place in the original to the noise of one voxel there; NaN where it was not measured.
    evidence
        The same contrast in standard errors of the crack's mean; NaN where it was not measured.
    only_enhanced
        The original does not prove it (`napari_nanoct.cracks.evidence.BOUND`), which of a small crack says little; None
        where that cannot be told.
    """

    id: int
    voxels: int
    volume: float
    area: float
    aperture_mean: float
    aperture_p95: float
    aperture_max: float
    length: float
    normal: Triple
    planarity: float
    centre: Triple
    box: tuple[tuple[int, int, int], tuple[int, int, int]]
    touches_border: bool
    touches_pores: bool | None = None
    cnr_original: float = float("nan")
    evidence: float = float("nan")
    only_enhanced: bool | None = None


@dataclass(frozen=True, eq=False)
class Whole:
    """All cracks together; lengths in the volume's unit.

    Attributes
    ----------
    count
        Cracks.
    volume
        Of the sample: of the mask, or of the whole volume without one.
    volume_fraction
        Share of the sample's voxels that are labelled.
    opening_fraction
        Area times aperture over the sample's volume: the share that is open, without what blur adds to the labels.
    area, density
        Of all mid-surfaces, and per volume of the sample.
    aperture_mean
        Over the area.
    aperture_edges, aperture_area
        Histogram: area of mid-surface by aperture; edges (n + 1,), areas (n,).
    inclination_edges, azimuth_edges, orientation_area
        Histogram of the normals' directions by area: angle to the z axis, 0 to 90 degrees, in steps of equal solid
        angle; azimuth from y towards x, 0 to 360 degrees; areas (inclination, azimuth).
    euler
        Euler number of all labelled voxels (26-neighbourhood): pieces less tunnels plus enclosed hollows.
    percolates
        Whether one crack reaches from border to border along z, y and x.
    only_enhanced
        Cracks that the original does not prove; None where no original was given.
    """

    count: int
    volume: float
    volume_fraction: float
    opening_fraction: float
    area: float
    density: float
    aperture_mean: float
    aperture_edges: NDArray[np.float64]
    aperture_area: NDArray[np.float64]
    inclination_edges: NDArray[np.float64]
    azimuth_edges: NDArray[np.float64]
    orientation_area: NDArray[np.float64]
    euler: int
    percolates: tuple[bool, bool, bool]
    only_enhanced: int | None = None


@dataclass(frozen=True, eq=False)
class Measurement:
    """Measured cracks.

    Attributes
    ----------
    cracks
        In the order of their labels.
    whole
        All together.
    geometry
        Of the labels: voxel size and unit ("pixel" where it is not known: lengths are then in voxels).
    settings
        What was measured and how, for the record: plain numbers and words.
    """

    cracks: tuple[Crack, ...]
    whole: Whole
    geometry: Geometry
    settings: Mapping[str, str | float] = field(default_factory=dict)
