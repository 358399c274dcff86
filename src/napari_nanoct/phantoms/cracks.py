"""Thin cracks in particles: rough, bent mid-surfaces with an aperture that closes at the front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.phantoms.noise import rough_noise, smooth_noise
from napari_nanoct.phantoms.packing import Particles, rotations
from napari_nanoct.phantoms.partial_volume import slab_share, through_cube

Kind = Literal["radial", "through", "branch"]
Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class CrackSettings:
    """How the cracks are drawn; lengths in nanometre.

    Attributes
    ----------
    aperture
        Smallest and largest opening in the middle of a crack (log-uniform between).
    probability
        Share of the large particles that are cracked.
    count
        Fewest and most cracks of a cracked particle, branches not counted.
    through, branch
        Share of the cracks that cut the whole particle; chance that another one has a branch.
    smallest_particle
        Particles of a smaller radius are never cracked.
    hurst
        Hurst exponent of the surfaces.
    roughness
        Standard deviation of the mid-surface's height over the crack's half length.
    bend
        Largest height of the mid-surface's overall bend over the crack's half length.
    """

    aperture: tuple[float, float] = (25.0, 170.0)
    probability: float = 0.7
    count: tuple[int, int] = (1, 5)
    through: float = 0.2
    branch: float = 0.5
    smallest_particle: float = 800.0
    hurst: float = 0.7
    roughness: float = 0.07
    bend: float = 0.25


@dataclass(frozen=True)
class Crack:
    """One crack as a height field over a plane, in nanometre.

    Attributes
    ----------
    particle
        Index of the particle that it is in; it stays inside that one.
    kind
        ``"radial"`` (from the core outwards), ``"through"`` (cuts the particle) or ``"branch"``.
    centre
        (3,) middle of the crack (z, y, x).
    frame
        (3, 3) unit vectors as rows: two in the plane, the normal last.
    extent
        Half lengths along the two in-plane vectors.
    aperture
        Opening in the middle before its variation along the surface.
    bend
        Heights of the overall bend at the ends of the two half lengths.
    roughness
        Standard deviation of the mid-surface's fine height.
    hurst
        Hurst exponent of the surface.
    variation
        Standard deviation of the relative aperture along the surface; 0 also makes the front an ellipse.
    closing
        Whether the aperture closes elliptically towards the front (otherwise it ends with its full width).
    seed
        Names the crack's random fields.
    """

    particle: int
    kind: Kind
    centre: NDArray[np.float64]
    frame: NDArray[np.float64]
    extent: tuple[float, float]
    aperture: float
    bend: tuple[float, float] = (0.0, 0.0)
    roughness: float = 0.0
    hurst: float = 0.7
    variation: float = 0.35
    closing: bool = True
    seed: int = 0

    def maps(self, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Height of the mid-surface and aperture over the crack's plane.

        Parameters
        ----------
        step
            Distance of the points in nanometre.

        Returns
        -------
        origin, height, aperture
            In-plane coordinates of the first point (2,), and two maps (nu, nv) in nanometre.
        """
        half = [int(np.ceil(1.4 * extent / step)) + 1 for extent in self.extent]
        u, v = (np.arange(-n, n + 1, dtype=np.float64) * step for n in half)
        s, t = u[:, None] / self.extent[0], v[None, :] / self.extent[1]
        length = max(self.extent)
        height = self.bend[0] * s**2 + self.bend[1] * t**2
        if self.roughness:
            shortest = max(60.0, 1.5 * step)
            height = height + self.roughness * rough_noise((u, v), length, shortest, self.hurst, self.seed)
        radius = np.hypot(s, t)
        if self.variation:
            radius = radius / np.clip(1 + 0.15 * smooth_noise((u, v), length / 3, self.seed + 101), 0.6, 1.4)
        shape = np.sqrt(np.clip(1 - radius**2, 0, None)) if self.closing else (radius < 1).astype(float)
        if self.variation:
            change = self.variation * rough_noise((u, v), length / 2, max(80.0, 2 * step), 0.5, self.seed + 202)
            shape = shape * np.clip(1 + change, 0.15, 2)
        return np.array([u[0], v[0]]), height, self.aperture * shape


@dataclass(frozen=True)
class CrackPart:
    """A crack in the voxels of a grid, all arrays of the box's shape.

    Attributes
    ----------
    box
        Where in the grid the crack may be.
    share
        float32, share of each voxel that lies in the crack, 0 to 1.
    mid_surface
        bool, the crack's mid-surface passes through the voxel.
    aperture
        float32, opening of the crack in nanometre, at the point of its plane next to the voxel; 0 where it is not.
    """

    box: tuple[slice, slice, slice]
    share: NDArray[np.float32]
    mid_surface: NDArray[np.bool_]
    aperture: NDArray[np.float32]


def crack_share(
    crack: Crack, axes: Axes, voxel: float
) -> tuple[tuple[slice, slice, slice], NDArray[np.float32]] | None:
    """Where a crack is and its share of each voxel: `crack_part` without the rest."""
    part = crack_part(crack, axes, voxel)
    return None if part is None else (part.box, part.share)


def crack_part(crack: Crack, axes: Axes, voxel: float) -> CrackPart | None:
    """What a crack is to each voxel of a grid, exact where its surface is plane within the voxel.

    Parameters
    ----------
    crack
        The crack.
    axes
        Coordinates of the voxel centres along z, y and x, in nanometre, ``voxel`` apart.
    voxel
        Edge length of a voxel in nanometre.

    Returns
    -------
    CrackPart or None
        None where the crack does not reach the grid.
    """
    from scipy.ndimage import map_coordinates

    if not _may_reach(crack, axes, voxel):
        return None
    step = 0.75 * voxel
    origin, height, aperture = crack.maps(step)
    # The box that holds the map's plane, widened by the height along the normal.
    reach = float(np.abs(height[aperture > 0]).max(initial=0) + aperture.max() / 2 + voxel)
    span = np.abs(np.array([-origin[0], -origin[1], reach])) @ np.abs(crack.frame)
    box = []
    for axis, middle, half in zip(axes, crack.centre, span, strict=True):
        first, last = np.searchsorted(axis, [middle - half, middle + half])
        if first == last:
            return None
        box.append(slice(int(first), int(last)))
    z, y, x = (axis[part] - middle for axis, part, middle in zip(axes, box, crack.centre, strict=True))
    offset = [
        (f[0] * z[:, None, None] + f[1] * y[None, :, None] + f[2] * x[None, None, :]).ravel() for f in crack.frame
    ]
    near = np.flatnonzero(np.abs(offset[2]) < reach)
    u, v, w = (values[near] for values in offset)
    place = np.stack([(u - origin[0]) / step, (v - origin[1]) / step])
    opening = map_coordinates(aperture, place, order=1)
    near, w, place, opening = near[opening > 0], w[opening > 0], place[:, opening > 0], opening[opening > 0]
    if not len(near):
        return None
    slope = [map_coordinates(g, place, order=1) for g in np.gradient(height, step)]
    norm = np.sqrt(1 + slope[0] ** 2 + slope[1] ** 2)
    distance = (map_coordinates(height, place, order=1) - w) / norm / voxel
    normal = (crack.frame[2][:, None] - slope[0] * crack.frame[0][:, None] - slope[1] * crack.frame[1][:, None]) / norm
    shape = tuple(part.stop - part.start for part in box)
    made = CrackPart(
        (box[0], box[1], box[2]), np.zeros(shape, np.float32), np.zeros(shape, bool), np.zeros(shape, np.float32)
    )
    # The aperture is the opening across the surface, as a gauge would measure it.
    share = slab_share(distance, opening / voxel, normal)
    made.share.ravel()[near] = share
    made.mid_surface.ravel()[near] = through_cube(distance, normal)
    made.aperture.ravel()[near] = np.where(share > 0, opening, 0)
    return made


def _may_reach(crack: Crack, axes: Axes, voxel: float) -> bool:
    """Whether a crack may touch the grid, from bounds alone: most cracks of a volume miss a slab of it."""
    plane = 1.4 * np.array(crack.extent) + 2 * voxel
    along = 2 * sum(abs(height) for height in crack.bend) + 8 * crack.roughness + 2 * crack.aperture + voxel
    span = np.append(plane, along) @ np.abs(crack.frame)
    return all(
        axis[0] <= middle + half and axis[-1] >= middle - half
        for axis, middle, half in zip(axes, crack.centre, span, strict=True)
    )


def draw_cracks(particles: Particles, rng: np.random.Generator, settings: CrackSettings) -> list[Crack]:
    """Draw the cracks of a packing.

    Parameters
    ----------
    particles
        The packing; positions in nanometre.
    rng
        Source of the draws.
    settings
        Ranges of the draws.

    Returns
    -------
    list[Crack]
        Ordered by particle.
    """
    cracks: list[Crack] = []
    for index in np.flatnonzero(particles.radius >= settings.smallest_particle):
        if rng.random() > settings.probability:
            continue
        radius, middle = float(particles.radius[index]), particles.centre[index]
        for _ in range(int(rng.integers(settings.count[0], settings.count[1] + 1))):
            frame = rotations(rng, 1)[0]
            if rng.random() < settings.through:
                extent = (1.4 * radius, 1.4 * radius)
                centre = middle + 0.35 * radius * rng.uniform(-1, 1) * frame[2]
                cracks.append(_crack(int(index), "through", centre, frame, extent, rng, settings))
                continue
            extent = (radius * rng.uniform(0.4, 0.65), radius * rng.uniform(0.45, 0.8))
            centre = middle + frame[0] * (radius * rng.uniform(0.35, 0.6))
            crack = _crack(int(index), "radial", centre, frame, extent, rng, settings)
            cracks.append(crack)
            if rng.random() < settings.branch:
                cracks.append(_branch(crack, rng, settings))
    return cracks


def _crack(
    particle: int,
    kind: Kind,
    centre: NDArray[np.float64],
    frame: NDArray[np.float64],
    extent: tuple[float, float],
    rng: np.random.Generator,
    settings: CrackSettings,
) -> Crack:
    length = max(extent)
    bend = settings.bend * length * rng.uniform(-1, 1, 2)
    return Crack(
        particle=particle,
        kind=kind,
        centre=centre,
        frame=frame,
        extent=extent,
        aperture=float(np.exp(rng.uniform(*np.log(settings.aperture)))),
        bend=(float(bend[0]), float(bend[1])),
        roughness=settings.roughness * length,
        hurst=settings.hurst,
        seed=int(rng.integers(2**40)),
    )


def _branch(parent: Crack, rng: np.random.Generator, settings: CrackSettings) -> Crack:
    """A thinner crack that leaves the parent's middle at 25 to 65 degrees, turned about its second in-plane vector."""
    angle = np.deg2rad(rng.uniform(25, 65)) * rng.choice([-1, 1])
    u, v, n = parent.frame
    along, normal = np.cos(angle) * u + np.sin(angle) * n, np.cos(angle) * n - np.sin(angle) * u
    extent = (parent.extent[0] * rng.uniform(0.4, 0.7), parent.extent[1] * rng.uniform(0.5, 0.9))
    centre = parent.centre + 0.9 * extent[0] * along
    frame = np.stack([along, v, normal])
    child = _crack(parent.particle, "branch", centre, frame, extent, rng, settings)
    return Crack(**{**vars(child), "aperture": min(child.aperture, 0.8 * parent.aperture)})
