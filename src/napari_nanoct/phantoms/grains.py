"""Grains: the Voronoi cells of a jittered lattice, a function of position alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.phantoms.noise import lattice


def grain_centres(
    low: NDArray[np.float64], high: NDArray[np.float64], size: float, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres of the grains in a box: the same wherever the box lies.

    Poisson-Voronoi cells are the common model of equiaxed polycrystals (Kumar et al., J. Stat. Phys. 67, 1992, 523);
    one centre in each cube of a lattice leaves out their smallest cells, which grain growth eats up.

    Parameters
    ----------
    low, high
        Corners of the box (z, y, x), in nanometre.
    size
        Mean width of a grain: the volume of a grain is on average its cube.
    seed
        Names the grains.

    Returns
    -------
    centres, grey
        (n, 3) in nanometre, and a number of zero mean and unit variance for each grain.
    """
    first, last = np.floor(low / size).astype(np.int64), np.floor(high / size).astype(np.int64)
    nodes = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    jitter = [0.5 + np.clip(0.27 * lattice(nodes, seed + axis), -0.5, 0.5) for axis in range(3)]
    cells = np.meshgrid(*nodes, indexing="ij")
    centres = np.stack([(cell + shift).ravel() for cell, shift in zip(cells, jitter, strict=True)], axis=1) * size
    return centres, lattice(nodes, seed + 3).ravel().astype(np.float64)


def grain_field(
    axes: Sequence[NDArray[np.float64]], size: float, seed: int, voxel: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Grey of the grains and distance to the nearest boundary, on a grid.

    Parameters
    ----------
    axes
        Coordinates along z, y and x, in nanometre.
    size, seed
        As for `grain_centres`.
    voxel
        Width in nanometre over which the grey of two grains mixes at their boundary.

    Returns
    -------
    grey, distance
        float32 (z, y, x); the distance is in nanometre, to the nearest of the planes midway to the next three centres.
    """
    from scipy.spatial import cKDTree

    low, high = (np.array([axis[end] for axis in axes]) for end in (0, -1))
    centres, grey = grain_centres(low - 2.5 * size, high + 2.5 * size, size, seed)
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    far, nearest = cKDTree(centres).query(points, k=4)
    apart = np.linalg.norm(centres[nearest[:, 1:]] - centres[nearest[:, :1]], axis=-1)
    planes = (far[:, 1:] ** 2 - far[:, :1] ** 2) / (2 * apart)
    closest = planes.argmin(axis=1)[:, None]
    distance = np.take_along_axis(planes, closest, axis=1)[:, 0]
    share = np.clip(0.5 + distance / voxel, 0, 1)
    beyond = np.take_along_axis(nearest, 1 + closest, axis=1)[:, 0]
    mixed = share * grey[nearest[:, 0]] + (1 - share) * grey[beyond]
    shape = tuple(len(axis) for axis in axes)
    return mixed.reshape(shape).astype(np.float32), distance.reshape(shape).astype(np.float32)
