"""A scene as voxels, block by block: the same values whatever the block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.phantoms.cathode import Scene, matrix_seed
from napari_nanoct.phantoms.cracks import Axes, crack_part
from napari_nanoct.phantoms.noise import smooth_noise
from napari_nanoct.phantoms.packing import Particles


@dataclass(frozen=True)
class Slab:
    """Some slices of a phantom: shares of each voxel as float32 (z, y, x).

    Attributes
    ----------
    attenuation
        Linear attenuation per micrometre.
    body
        Share of particle, and of a dense matrix, with cracks and pores filled in.
    crack
        Share of cracks.
    void
        Share of everything empty but cracks: pores in the particles and the space between them, outside the sample too.
    inside
        Share of the sample's cylinder.
    mid_surface
        bool, a crack's mid-surface passes through the voxel, which is at least half solid but for cracks.
    aperture
        float32, opening of the crack in nanometre in every voxel that has a share of one (of the widest where cracks
        cross), 0 elsewhere.
    """

    attenuation: NDArray[np.float32]
    body: NDArray[np.float32]
    crack: NDArray[np.float32]
    void: NDArray[np.float32]
    inside: NDArray[np.float32]
    mid_surface: NDArray[np.bool_]
    aperture: NDArray[np.float32]


def render(scene: Scene, first: int, last: int, *, cracks: bool = True) -> Slab:
    """Turn slices ``first`` to ``last`` (not included) of a scene into voxels.

    Parameters
    ----------
    scene
        From `napari_nanoct.phantoms.cathode.draw_scene`.
    first, last
        Range of slices.
    cracks
        Leave the cracks away with False: everything else is the same.

    Returns
    -------
    Slab
        Attenuation and shares; the same values whatever the range.
    """
    cathode, voxel, seed = scene.cathode, scene.voxel, 1000 * scene.seed
    axes: Axes = (
        np.arange(first, last, dtype=np.float64) * voxel,
        np.arange(scene.shape[1], dtype=np.float64) * voxel,
        np.arange(scene.shape[2], dtype=np.float64) * voxel,
    )
    # Lattices finer than 1.5 voxels would be noise by voxel: what is smaller is averaged in a voxel anyway.
    grains = smooth_noise(axes, max(190.0, 1.5 * voxel), seed + 1)
    coarse, middle = smooth_noise(axes, 800.0, seed + 2), smooth_noise(axes, 330.0, seed + 7)
    bumps = 100 * coarse + 40 * middle + 50 * grains

    distance, second, owner = _distances(scene.particles, axes, bumps)
    # Where two particles overlap they share the overlap out and leave a film of varying width, closed in places.
    film = 0.5 * (distance - second) + np.clip(5 + 50 * smooth_noise(axes, 500.0, seed + 3), -60, 90) / 2
    particle = body = _filled(np.maximum(distance, film), voxel)
    if cathode.matrix is not None:
        # All is solid but for pores and cracks; what belongs to no particle belongs to the matrix.
        owner, body = np.where(particle >= 0.5, owner, np.int32(-1)), np.ones_like(particle)
    pore = body * _pores(scene, axes, owner, grains)
    crack, aperture = np.zeros_like(body), np.zeros_like(body)
    mid_surface = np.zeros(body.shape, dtype=bool)
    if cracks:
        share, mid_surface, aperture = _cracks(scene, axes, owner)
        crack = (body - pore) * share
        mid_surface &= body - pore >= 0.5

    fine = smooth_noise(axes, max(80.0, 1.5 * voxel), seed + 6)
    patches = smooth_noise(axes, 420.0, seed + 4)
    # Faint dark lines where `patches` changes sign: boundaries of the primary grains.
    texture = 1 + 0.05 * grains + 0.025 * patches + 0.03 * fine - 0.05 * np.exp(-((patches / 0.16) ** 2))
    grey = np.append(scene.particles.grey, 1.0).astype(np.float32)[owner]
    void = pore
    if cathode.matrix is None:
        binder = _binder(scene, axes, distance, grains)
        attenuation = cathode.particle * texture * grey * (body - pore - crack)
        attenuation += cathode.binder * (1 + 0.12 * fine + 0.08 * grains) * binder * (1 - body)
        void = pore + (1 - body) * (1 - binder)
    else:
        matrix = cathode.matrix.render(axes, matrix_seed(scene.seed), voxel) * (1 + 0.02 * grains + 0.03 * fine)
        attenuation = cathode.particle * texture * grey * particle + matrix * (1 - particle)
        attenuation = attenuation * (1 - pore - crack)
    inside = _cylinder(scene, axes)
    if scene.circle:
        attenuation, body, crack = attenuation * inside, body * inside, crack * inside
        void = 1 - inside * (1 - void)
        mid_surface &= inside >= 0.5
    aperture[crack == 0] = 0
    return Slab(attenuation.astype(np.float32), body, crack, void.astype(np.float32), inside, mid_surface, aperture)


def _filled(distance: NDArray[np.float32], voxel: float) -> NDArray[np.float32]:
    """Share of a voxel behind a surface at ``distance`` (negative inside), taking the voxel for a ball-like cell."""
    return np.asarray(np.clip(0.5 - distance / np.float32(voxel), 0, 1), dtype=np.float32)


def _box(axes: Axes, centre: NDArray[np.float64], reach: float) -> tuple[slice, slice, slice] | None:
    """The voxels within ``reach`` of ``centre`` along every axis."""
    parts = []
    for axis, middle in zip(axes, centre, strict=True):
        first, last = np.searchsorted(axis, [middle - reach, middle + reach])
        if first == last:
            return None
        parts.append(slice(int(first), int(last)))
    return parts[0], parts[1], parts[2]


def _distances(
    particles: Particles, axes: Axes, bumps: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
    """Distance to the nearest and to the second particle's surface, less ``bumps``; index of the nearest, -1 if far."""
    reach_beyond = 1200.0
    nearest = np.full(bumps.shape, reach_beyond, dtype=np.float32)
    second = nearest.copy()
    owner = np.full(bumps.shape, -1, dtype=np.int32)
    for index in range(len(particles)):
        radius, shape = particles.radius[index], particles.shape[index]
        box = _box(axes, particles.centre[index], float(radius * 1.4 + min(reach_beyond, radius)))
        if box is None:
            continue
        z, y, x = (a[part] - c for a, part, c in zip(axes, box, particles.centre[index], strict=True))
        square = np.zeros(tuple(part.stop - part.start for part in box), dtype=np.float32)
        for row in shape.astype(np.float32):
            plane = row[0] * z.astype(np.float32)[:, None, None] + (row[1] * y.astype(np.float32))[:, None]
            square += (plane + row[2] * x.astype(np.float32)) ** 2
        distance = np.sqrt(square) - np.float32(radius)
        closer = distance < nearest[box]
        second[box] = np.minimum(second[box], np.maximum(distance, nearest[box]))
        nearest[box] = np.minimum(nearest[box], distance)
        owner[box][closer] = index
    return nearest - bumps, second - bumps, owner


def _pores(scene: Scene, axes: Axes, owner: NDArray[np.int32], grains: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of pores, each inside its own particle."""
    share = np.zeros(owner.shape, dtype=np.float32)
    for centre, radius, particle in zip(scene.pore_centre, scene.pore_radius, scene.pore_particle, strict=True):
        box = _box(axes, centre, float(2.2 * radius + scene.voxel))
        if box is None:
            continue
        z, y, x = (a[part] - c for a, part, c in zip(axes, box, centre, strict=True))
        distance = np.sqrt(z[:, None, None] ** 2 + (y**2)[:, None] + x**2) - radius * (1 + 0.3 * grains[box])
        filled = _filled(distance.astype(np.float32), scene.voxel) * (owner[box] == particle)
        share[box] = np.maximum(share[box], filled)
    return share


def _cracks(
    scene: Scene, axes: Axes, owner: NDArray[np.int32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
    """Share, mid-surface and aperture of the cracks, each inside its own particle, or anywhere.

    Where two cracks cross, their parts of a voxel count as independent, and the wider aperture is taken.
    """
    solid = np.ones(owner.shape, dtype=np.float32)
    mid_surface, aperture = np.zeros(owner.shape, dtype=bool), np.zeros(owner.shape, dtype=np.float32)
    for crack in scene.cracks:
        part = crack_part(crack, axes, scene.voxel)
        if part is not None:
            here = (owner[part.box] == crack.particle) | (crack.particle < 0)
            solid[part.box] *= 1 - part.share * here
            mid_surface[part.box] |= part.mid_surface & here
            aperture[part.box] = np.maximum(aperture[part.box], part.aperture * here)
    return 1 - solid, mid_surface, aperture


def _binder(
    scene: Scene, axes: Axes, distance: NDArray[np.float32], grains: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Density 0 to 1 of the binder between the particles: it clings to them, is porous, and leaves open voids."""
    coarse = smooth_noise(axes, 650.0, 1000 * scene.seed + 5)
    level = 0.9 * coarse + 0.45 * grains + 0.9 * np.exp(-np.maximum(distance, 0) / np.float32(220.0)) - 0.15
    density = np.clip(0.5 + level / 1.1, 0, 1)
    return (density * density * (3 - 2 * density)).astype(np.float32)


def _cylinder(scene: Scene, axes: Axes) -> NDArray[np.float32]:
    """Share of the inscribed cylinder, shape (1, y, x)."""
    if not scene.circle:
        return np.ones((1, 1, 1), dtype=np.float32)
    _, y, x = axes
    centre_y, centre_x = (y[0] + y[-1]) / 2, (x[0] + x[-1]) / 2
    radius = min(len(y), len(x)) / 2 * scene.voxel
    distance = np.hypot((y - centre_y)[:, None], x - centre_x) - radius
    return _filled(distance.astype(np.float32), scene.voxel)[None]
