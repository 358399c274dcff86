"""A battery cathode as nano-CT sees it: its materials, and what is drawn where."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.phantoms.crack_draws import CrackSettings, draw_cracks, draw_free, draw_intergranular
from napari_nanoct.phantoms.cracks import Crack
from napari_nanoct.phantoms.matrix import Granular, Layered, Matrix, Pores
from napari_nanoct.phantoms.packing import Particles, joined, log_uniform, pack, rotations, scatter


@dataclass(frozen=True)
class Cathode:
    """What the phantom is made of: lengths in nanometre, attenuation per micrometre.

    The lengths follow published nano-CT of NMC cathodes (secondary particles of a few micrometres built of primary ones
    of some hundred nanometres, a porous carbon-binder domain between them); the particles' attenuation is that of a
    layered nickel oxide just above the nickel K edge, and the binder's is raised to the contrast that in-line phase
    gives it.

    Attributes
    ----------
    radius, spread, radius_limits
        Median radius, standard deviation of its logarithm, smallest and largest.
    packing
        Share of the volume that the large particles fill.
    fines, fines_radius
        Tries per cubic micrometre, smallest and largest radius of the fragments between the particles.
    pores, pore_radius
        Number per cubic micrometre of particle, smallest and largest radius of the pores inside.
    hollow
        Share of the large particles with voids at the core.
    particle, binder
        Linear attenuation of the two solids per micrometre.
    cracks
        How cracks are drawn.
    more_pores
        Further pores in the particles, by size class.
    matrix
        A dense matrix between the particles in place of the porous binder.
    """

    radius: float = 1350.0
    spread: float = 0.38
    radius_limits: tuple[float, float] = (600.0, 2700.0)
    packing: float = 0.60
    fines: float = 3.0
    fines_radius: tuple[float, float] = (110.0, 480.0)
    pores: float = 0.35
    pore_radius: tuple[float, float] = (45.0, 170.0)
    hollow: float = 0.3
    particle: float = 0.090
    binder: float = 0.042
    cracks: CrackSettings = field(default_factory=CrackSettings)
    more_pores: tuple[Pores, ...] = ()
    matrix: Matrix | None = None


@dataclass(frozen=True)
class Scene:
    """Everything that was drawn for one phantom; `render` turns any range of its slices into voxels.

    Attributes
    ----------
    cathode
        The settings.
    shape
        Voxels (z, y, x); voxel (i, j, k) is centred at (i, j, k) * voxel.
    voxel
        Edge length of a voxel in nanometre.
    particles
        Large particles and fines.
    pore_centre, pore_radius, pore_particle
        Pores inside the particles: (n, 3) and (n,) in nanometre, and the particle's index (-1: the matrix).
    cracks
        The cracks, also where they are not rendered.
    seed
        Names the scene's random fields.
    circle
        Whether only the inscribed cylinder about the z axis is filled.
    """

    cathode: Cathode
    shape: tuple[int, int, int]
    voxel: float
    particles: Particles
    pore_centre: NDArray[np.float64]
    pore_radius: NDArray[np.float64]
    pore_particle: NDArray[np.int64]
    cracks: tuple[Crack, ...]
    seed: int
    circle: bool


def draw_scene(shape: tuple[int, int, int], *, seed: int, voxel: float, cathode: Cathode, circle: bool) -> Scene:
    """Draw particles, pores and cracks of a phantom.

    Parameters
    ----------
    shape
        Voxels (z, y, x).
    seed
        The same seed gives the same scene.
    voxel
        Edge length of a voxel in nanometre.
    cathode
        Sizes, amounts and attenuation.
    circle
        Fill only the inscribed cylinder.

    Returns
    -------
    Scene
        What `render` needs.
    """
    # One independent source each, so that changing one part leaves the others as they are.
    for_particles, for_fines, for_pores, for_cracks = (np.random.default_rng([seed, part]) for part in range(4))
    margin = cathode.radius_limits[1]
    size = np.array(shape) * voxel
    low, high = -margin * np.ones(3), size + margin
    large = pack(
        low,
        high,
        for_particles,
        median=cathode.radius,
        spread=cathode.spread,
        limits=cathode.radius_limits,
        fraction=cathode.packing,
        stretch=0.10,
    )
    near = np.ones(3) * cathode.fines_radius[1]
    fines = scatter(
        -near, size + near, for_fines, large, limits=cathode.fines_radius, density=cathode.fines, stretch=0.22
    )
    pores = [_draw_pores(large, for_pores, cathode), *_more_pores(size, large, seed, cathode)]
    centre, radius, particle = (np.concatenate(part) for part in zip(*pores, strict=True))
    return Scene(
        cathode=cathode,
        shape=shape,
        voxel=voxel,
        particles=joined(large, fines),
        pore_centre=centre,
        pore_radius=radius,
        pore_particle=particle,
        cracks=(*draw_cracks(large, for_cracks, cathode.cracks), *_more_cracks(size, large, seed, cathode)),
        seed=seed,
        circle=circle,
    )


def _draw_pores(
    particles: Particles, rng: np.random.Generator, cathode: Cathode
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Small pores anywhere in a particle and, in hollow ones, a cluster of larger ones at the core."""
    centres, radii, owners = [np.empty((0, 3))], [np.empty(0)], [np.empty(0, np.int64)]
    for index in range(len(particles)):
        radius = particles.radius[index]
        small = int(rng.poisson(cathode.pores * 4 / 3 * np.pi * (radius / 1000) ** 3))
        core = int(rng.integers(2, 7)) if rng.random() < cathode.hollow else 0
        direction = rotations(rng, small + core)[:, 0]
        reach = np.concatenate([0.85 * np.cbrt(rng.random(small)), 0.28 * rng.random(core)]) * radius
        centres.append(particles.centre[index] + reach[:, None] * direction)
        radii.append(log_uniform(rng, cathode.pore_radius, small))
        radii.append(radius * rng.uniform(0.06, 0.14, core))
        owners.append(np.full(small + core, index))
    return np.concatenate(centres), np.concatenate(radii), np.concatenate(owners)


def _more_pores(
    size: NDArray[np.float64], particles: Particles, seed: int, cathode: Cathode
) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]]:
    """Pores of further size classes, in the particles and in a dense matrix; each class has its own draws."""
    matrix = () if cathode.matrix is None else cathode.matrix.pores
    made = []
    for number, (pores, inside) in enumerate([*((p, True) for p in cathode.more_pores), *((p, False) for p in matrix)]):
        centre, radius = pores.draw(size, np.random.default_rng([seed, 10, number]))
        owner = np.full(len(radius), -1)
        if inside:
            owner = _holding(particles, centre)
            centre, radius, owner = centre[owner >= 0], radius[owner >= 0], owner[owner >= 0]
        made.append((centre, radius, owner))
    return made


def _holding(particles: Particles, points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Index of the particle that holds each point (n, 3), -1 where none does."""
    owner = np.full(len(points), -1)
    depth = np.zeros(len(points))
    for index in range(len(particles)):
        offset = (points - particles.centre[index]) @ particles.shape[index].T
        distance = np.linalg.norm(offset, axis=1) - particles.radius[index]
        deeper = distance < depth
        owner[deeper], depth[deeper] = index, distance[deeper]
    return owner


def _more_cracks(size: NDArray[np.float64], particles: Particles, seed: int, cathode: Cathode) -> list[Crack]:
    """Cracks of the other kinds; each has its own draws."""
    matrix, settings = cathode.matrix, cathode.cracks
    between, free = (np.random.default_rng([seed, part]) for part in (4, 5))
    return [
        *draw_intergranular(particles, between, settings, 1000 * seed + 11),
        *draw_free(
            size,
            free,
            settings,
            along=0.0 if matrix is None else matrix.along,
            normal=matrix.normal if isinstance(matrix, Layered) else None,
            grain=matrix.size if isinstance(matrix, Granular) else 0.0,
            grain_seed=matrix_seed(seed),
        ),
    ]


def matrix_seed(seed: int) -> int:
    """Name of the random fields of a phantom's dense matrix: its cracks run between the very grains that are seen."""
    return 1000 * seed + 21
