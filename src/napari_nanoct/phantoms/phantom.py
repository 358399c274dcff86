"""Phantoms: synthetic nano-CT volumes by seed, with exact truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.phantoms.cathode import Cathode, Scene, draw_scene
from napari_nanoct.phantoms.render import Slab, render

if TYPE_CHECKING:
    from napari_nanoct.volumes import Geometry


@dataclass(frozen=True)
class Phantom:
    """A volume and the truth about it, all of one shape (z, y, x).

    Attributes
    ----------
    clean
        float32, linear attenuation per micrometre: no blur but the voxel's own, no noise.
    crack_share
        float32, share of each voxel that is crack, 0 to 1.
    cracks
        bool, at least half of the voxel is crack.
    mid_surface
        bool, the mid-surface of a crack passes through the voxel (where at least half of it is solid but for cracks).
    aperture
        float32, local opening of the crack across its surface in nanometre, in every voxel that has a share of one; 0
        elsewhere.
    pores
        bool, at least half of the voxel is empty otherwise: pores in the particles, open space between them.
    particles
        bool, at least half of the voxel is particle, with its cracks and pores filled in: where to look for cracks.
        In a phantom with a dense matrix this is all of the sample.
    geometry
        Voxel size in nanometre.
    scene
        What was drawn: particles, pores and cracks with their apertures, in nanometre.
    """

    clean: NDArray[np.float32]
    crack_share: NDArray[np.float32]
    cracks: NDArray[np.bool_]
    mid_surface: NDArray[np.bool_]
    aperture: NDArray[np.float32]
    pores: NDArray[np.bool_]
    particles: NDArray[np.bool_]
    geometry: Geometry
    scene: Scene


def phantom(
    shape: tuple[int, int, int] = (48, 384, 384),
    *,
    seed: int = 0,
    voxel_size_nm: float = 40.0,
    cracks: bool = True,
    circle: bool = False,
    cathode: Cathode | None = None,
) -> Phantom:
    """Make a synthetic nano-CT volume of a battery cathode with known truth.

    Polydisperse, touching, slightly stretched particles with pores and thin rough cracks; fragments and a porous,
    textured binder between them. Sizes are physical: another voxel size shows the same kind of material at another
    magnification.

    Parameters
    ----------
    shape
        Voxels (z, y, x).
    seed
        The same seed, shape and voxel size give the same volume, bit by bit on one machine.
    voxel_size_nm
        Edge length of the cubic voxels in nanometre.
    cracks
        False leaves the cracks away and everything else as it is: the control for a crack detector.
    circle
        Fill only the cylinder inscribed in (y, x), as a reconstruction does; it is empty outside.
    cathode
        Sizes, amounts and attenuation of the material.

    Returns
    -------
    Phantom
        Clean volume, masks, geometry and everything that was drawn.

    Raises
    ------
    UserError
        If the shape or the voxel size is not positive, or the seed is negative.
    """
    from napari_nanoct.volumes import Geometry

    if len(shape) != 3 or min(shape) < 1:
        raise UserError(f"A phantom of shape {shape} cannot be made: give three positive numbers of voxels (z, y, x).")
    if not voxel_size_nm > 0 or seed < 0:
        raise UserError(
            f"Voxel size {voxel_size_nm} nm or seed {seed} will not do: give a positive size, a seed from 0."
        )
    scene = draw_scene(shape, seed=seed, voxel=voxel_size_nm, cathode=cathode or Cathode(), circle=circle)
    clean, share, aperture = (np.empty(shape, np.float32) for _ in range(3))
    crack, middle, pore, particle = (np.empty(shape, bool) for _ in range(4))
    for first, slab in slabs(scene, cracks=cracks):
        part = slice(first, first + len(slab.body))
        clean[part], share[part] = slab.attenuation, slab.crack
        middle[part], aperture[part] = slab.mid_surface, slab.aperture
        crack[part] = slab.crack >= 0.5
        pore[part] = (slab.void >= 0.5) & (slab.inside >= 0.5) & ~crack[part]
        particle[part] = slab.body >= 0.5
    geometry = Geometry((float(voxel_size_nm),) * 3, (0.0, 0.0, 0.0), "nanometer")
    return Phantom(clean, share, crack, middle, aperture, pore, particle, geometry, scene)


def slabs(scene: Scene, *, cracks: bool = True) -> Iterator[tuple[int, Slab]]:
    """Render a scene from the first slice to the last, a few at a time, so that memory stays small at any size.

    Parameters
    ----------
    scene
        From `napari_nanoct.phantoms.cathode.draw_scene`.
    cracks
        False leaves the cracks away.

    Yields
    ------
    first, slab
        Index of the slab's first slice, and its voxels.
    """
    depth = int(np.clip(2**22 // (scene.shape[1] * scene.shape[2]), 1, 16))
    for first in range(0, scene.shape[0], depth):
        yield first, render(scene, first, min(first + depth, scene.shape[0]), cracks=cracks)
