"""Which cracks a phantom has: their kinds, places, sizes and apertures, drawn from settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.phantoms.cracks import Crack, Kind
from napari_nanoct.phantoms.packing import Particles, log_uniform, rotations


@dataclass(frozen=True)
class CrackSettings:
    """How the cracks are drawn; lengths in nanometre. Raises `UserError` for lengths or counts that cannot be.

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
        Standard deviation of the mid-surface's height over the crack's half length (of cracks that belong to no
        particle: over a micrometre; it grows from there with the Hurst exponent).
    bend
        Largest height of the mid-surface's overall bend over the crack's half length.
    intergranular
        Fewest and most further cracks of a cracked particle that run radially between its grains.
    grain
        Mean width of a particle's grains.
    spanning
        Cracks that run from border to border of the volume through particles and a dense matrix.
    closed
        Cracks with a closed front per cubic micrometre, anywhere in the volume: for a dense matrix.
    closed_extent
        Smallest and largest half length of these.
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
    intergranular: tuple[int, int] = (0, 0)
    grain: float = 450.0
    spanning: int = 0
    closed: float = 0.0
    closed_extent: tuple[float, float] = (700.0, 3000.0)

    def __post_init__(self) -> None:
        for name in ("aperture", "closed_extent"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise UserError(
                    f"Cracks of {name} {low} to {high} nm cannot be drawn: give two lengths, the smaller first."
                )
        if not (self.grain > 0 and self.closed >= 0 and self.spanning >= 0):
            raise UserError(
                f"Cracks with grain {self.grain}, closed {self.closed}, spanning {self.spanning} cannot be drawn: "
                "give a positive grain, and counts from 0."
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
    for index, radius, middle, frame in _places(particles, rng, settings, settings.count):
        if rng.random() < settings.through:
            extent = (1.4 * radius, 1.4 * radius)
            centre = middle + 0.35 * radius * rng.uniform(-1, 1) * frame[2]
            cracks.append(_crack(index, "through", centre, frame, extent, rng, settings))
            continue
        extent = (radius * rng.uniform(0.4, 0.65), radius * rng.uniform(0.45, 0.8))
        centre = middle + frame[0] * (radius * rng.uniform(0.35, 0.6))
        crack = _crack(index, "radial", centre, frame, extent, rng, settings)
        cracks.append(crack)
        if rng.random() < settings.branch:
            cracks.append(_branch(crack, rng, settings))
    return cracks


def _places(
    particles: Particles, rng: np.random.Generator, settings: CrackSettings, count: tuple[int, int]
) -> Iterator[tuple[int, float, NDArray[np.float64], NDArray[np.float64]]]:
    """Draw which particles crack, fewest and most cracks each, as (particle, radius, centre, frame) of each crack.

    Lazily: what the caller draws for one crack comes before the next one's frame.
    """
    for index in np.flatnonzero(particles.radius >= settings.smallest_particle):
        if rng.random() > settings.probability:
            continue
        radius, middle = float(particles.radius[index]), particles.centre[index]
        for _ in range(int(rng.integers(count[0], count[1] + 1))):
            yield int(index), radius, middle, rotations(rng, 1)[0]


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


def draw_intergranular(
    particles: Particles, rng: np.random.Generator, settings: CrackSettings, grain_seed: int
) -> list[Crack]:
    """Draw the cracks that run between the grains of particles, radially from the core.

    Charged nickel-rich particles crack so, between their primary grains (Ryu et al., Chem. Mater. 30, 2018, 1155).

    Parameters
    ----------
    particles, rng, settings
        As for `draw_cracks`.
    grain_seed
        Names the grains.
    """
    cracks: list[Crack] = []
    if settings.intergranular[1] < 1:
        return cracks
    for index, radius, middle, frame in _places(particles, rng, settings, settings.intergranular):
        extent = (radius * rng.uniform(0.6, 0.9), radius * rng.uniform(0.5, 0.9))
        centre = middle + frame[0] * (radius * rng.uniform(0.2, 0.5))
        crack = _crack(index, "intergranular", centre, frame, extent, rng, settings)
        cracks.append(replace(crack, grain=settings.grain, grain_seed=grain_seed))
    return cracks


def draw_free(
    size: NDArray[np.float64],
    rng: np.random.Generator,
    settings: CrackSettings,
    *,
    along: float = 0.0,
    normal: tuple[float, float, float] | None = None,
    grain: float = 0.0,
    grain_seed: int = 0,
) -> list[Crack]:
    """Draw the cracks that belong to no particle: from border to border, and closed ones anywhere.

    Parameters
    ----------
    size
        Extent of the volume (z, y, x), in nanometre.
    rng, settings
        As for `draw_cracks`.
    along
        Share of the cracks that follow the matrix: parallel to its layers, or between its grains.
    normal
        Of the layers.
    grain, grain_seed
        Mean width and name of the matrix's grains.
    """
    cracks: list[Crack] = []
    half = 0.55 * float(np.linalg.norm(size))
    count = int(rng.poisson(settings.closed * float(np.prod(size / 1000)))) if settings.closed else 0
    for number in range(settings.spanning + count):
        spanning = number < settings.spanning
        frame = rotations(rng, 1)[0]
        follow = bool(rng.random() < along)
        if follow and normal is not None:
            frame = _facing(np.array(normal), frame)
        if spanning:
            extent, centre = (half, half), size * (0.5 + rng.uniform(-0.3, 0.3, 3) / 2)
        else:
            first, second = log_uniform(rng, settings.closed_extent, 2)
            extent, centre = (float(first), float(second)), size * rng.random(3)
        crack = _crack(-1, "spanning" if spanning else "closed", centre, frame, extent, rng, settings)
        if follow and normal is not None:
            crack = replace(crack, bend=(0.0, 0.0))
        if follow and grain:
            crack = replace(crack, grain=grain, grain_seed=grain_seed)
        cracks.append(_as_rough_as_short_ones(crack))
        if rng.random() < settings.branch:
            cracks.append(_as_rough_as_short_ones(_branch(crack, rng, settings)))
    return cracks


def _as_rough_as_short_ones(crack: Crack) -> Crack:
    """A crack whose height grows with its length to the power of its Hurst exponent beyond a micrometre.

    A self-affine surface then looks the same at short range, however long the crack.
    """
    shrink = min(1.0, (1000 / max(crack.extent)) ** (1 - crack.hurst))
    return replace(crack, roughness=crack.roughness * shrink)


def _facing(normal: NDArray[np.float64], frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """A frame whose last vector is ``normal``, turned about it as ``frame`` happens to be."""
    normal = normal / np.linalg.norm(normal)
    first = np.cross(normal, frame[0])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first), normal])
