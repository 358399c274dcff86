"""Dense matrices: what fills a phantom between its particles, or all of it, where it is no porous binder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.phantoms.grains import grain_field
from napari_nanoct.phantoms.noise import lattice, smooth_noise
from napari_nanoct.phantoms.packing import log_uniform

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Pores:
    """Pores of one size class: number per cubic micrometre, smallest and largest radius in nanometre (log-uniform)."""

    density: float
    radius: tuple[float, float]

    def __post_init__(self) -> None:
        if not (self.density >= 0 and 0 < self.radius[0] <= self.radius[1]):
            raise UserError(f"{self} cannot be drawn: give a density from 0 and two positive radii, the smaller first.")

    def draw(
        self, size: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres (n, 3) and radii (n,) in a box from 0 to ``size`` and as far beyond as a pore reaches in."""
        room = 1.5 * self.radius[1]
        number = int(rng.poisson(self.density * float(np.prod((size + 2 * room) / 1000))))
        return rng.uniform(-room, size + room, (number, 3)), log_uniform(rng, self.radius, number)


@dataclass(frozen=True)
class Layered:
    """A matrix of layers, as sediments, coatings and stacked cells have.

    Raises `UserError` if the layers have no thickness or no direction.

    Attributes
    ----------
    attenuation
        Mean linear attenuation per micrometre.
    thickness
        Mean thickness of a layer in nanometre; layers are 0.6 to 1.4 times as thick.
    contrast
        Standard deviation of the layers' attenuation over its mean; bright and dark ones take turns.
    normal
        Direction across the layers (z, y, x).
    waviness
        Standard deviation of the layers' height in nanometre, over some micrometres.
    along
        Share of the matrix's cracks that run parallel to the layers.
    pores
        Its pores, a class each.
    """

    attenuation: float = 0.06
    thickness: float = 900.0
    contrast: float = 0.14
    normal: tuple[float, float, float] = (0.15, 1.0, 0.25)
    waviness: float = 110.0
    along: float = 0.6
    pores: tuple[Pores, ...] = (Pores(0.5, (45.0, 150.0)), Pores(0.02, (200.0, 500.0)))

    def __post_init__(self) -> None:
        if not (self.thickness > 0 and any(self.normal)):
            raise UserError(
                f"Layers {self.thickness} nm thick across {self.normal} cannot be made: give a positive "
                "thickness and a direction other than (0, 0, 0)."
            )

    def render(self, axes: Sequence[NDArray[np.float64]], seed: int, voxel: float) -> Field:
        """Attenuation (z, y, x) of the layers."""
        normal = np.array(self.normal) / np.linalg.norm(self.normal)
        z, y, x = (component * axis for component, axis in zip(normal, axes, strict=True))
        height = z[:, None, None] + y[:, None] + x + self.waviness * smooth_noise(axes, 2500.0, seed)
        # A profile across the layers, averaged over a voxel, on points that do not depend on the grid.
        step = min(voxel, self.thickness) / 8
        points = np.arange(np.floor(height.min() / step) - 8, np.ceil(height.max() / step) + 9)
        position = points * step / self.thickness
        # Layer i begins at i + 0.2 jitter.
        nodes = np.arange(int(np.floor(position[0])) - 1, int(np.ceil(position[-1])) + 3)
        bounds = nodes + np.clip(0.12 * lattice([nodes], seed + 1), -0.2, 0.2)
        layer = nodes[np.searchsorted(bounds, position, side="right") - 1]
        values = 0.8 * np.where(layer % 2, 1, -1) + 0.6 * lattice([nodes], seed + 2)[layer - nodes[0]]
        width = max(1, round(voxel / step))
        values = np.convolve(values, np.full(width, 1 / width), mode="same")
        profile = np.interp(height, points * step, values)
        return np.asarray(self.attenuation * np.clip(1 + self.contrast * profile, 0.2, None), dtype=np.float32)


@dataclass(frozen=True)
class Granular:
    """A matrix of grains grown together, as ceramics and rocks have.

    Raises `UserError` if the grains have no width.

    Attributes
    ----------
    attenuation
        Mean linear attenuation per micrometre.
    size
        Mean width of a grain in nanometre.
    contrast
        Standard deviation of the grains' attenuation over its mean.
    boundary, boundary_depth
        Width of the grain boundaries in nanometre, and the share of attenuation that they lack.
    along
        Share of the matrix's cracks that run between the grains.
    pores
        Its pores, a class each.
    """

    attenuation: float = 0.06
    size: float = 1300.0
    contrast: float = 0.10
    boundary: float = 40.0
    boundary_depth: float = 0.25
    along: float = 0.8
    pores: tuple[Pores, ...] = (Pores(0.5, (45.0, 150.0)), Pores(0.02, (200.0, 500.0)))

    def __post_init__(self) -> None:
        if not (self.size > 0 and self.boundary >= 0):
            raise UserError(
                f"Grains {self.size} nm wide with boundaries of {self.boundary} nm cannot be made: give a "
                "positive width, and boundaries from 0."
            )

    def render(self, axes: Sequence[NDArray[np.float64]], seed: int, voxel: float) -> Field:
        """Attenuation (z, y, x) of the grains."""
        grey, distance = grain_field(axes, self.size, seed, voxel)
        width = max(self.boundary, voxel) / 2
        lacking = self.boundary_depth * self.boundary / (2 * width) * np.exp(-((distance / width) ** 2))
        return np.asarray(self.attenuation * (1 + self.contrast * np.clip(grey, -2.5, 2.5)) * (1 - lacking), np.float32)


Matrix = Layered | Granular
