"""How much of a voxel lies behind a plane: what makes sub-voxel apertures exact."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray


def behind_plane(distance: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of a unit cube that lies behind a plane, in closed form.

    The cube is centred at the origin and the plane is ``normal . x = distance``; counted is ``normal . x < distance``.
    The cut volume is the signed sum of cubes over the eight corners (Scardovelli and Zaleski, J. Comput. Phys. 164,
    2000, 228).

    Parameters
    ----------
    distance
        Signed distance of the plane from the cube's centre in edge lengths, shape (n,).
    normal
        Unit normals, shape (3, n).

    Returns
    -------
    NDArray[np.float64]
        Shares from 0 to 1, shape (n,).
    """
    # Components below 1e-3 are raised to it: the formula divides by their product, the share changes by less than 1e-3.
    a = np.maximum(np.abs(normal), 1e-3)
    alpha = distance + a.sum(axis=0) / 2
    total = np.zeros_like(alpha)
    for corner in itertools.product((0, 1), repeat=3):
        shift = corner[0] * a[0] + corner[1] * a[1] + corner[2] * a[2]
        total += (-1) ** sum(corner) * np.maximum(alpha - shift, 0) ** 3
    share = total / (6 * a[0] * a[1] * a[2])
    # Far behind the cube the eight cubes cancel to 1 with rounding that grows with the distance.
    return np.where(alpha >= a.sum(axis=0), 1.0, np.clip(share, 0.0, 1.0))


def slab_share(
    distance: NDArray[np.float64], thickness: NDArray[np.float64], normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Share of a unit cube inside a plane slab: the partial volume of a crack.

    Parameters
    ----------
    distance
        Signed distance of the slab's mid-plane from the cube's centre, in edge lengths, shape (n,).
    thickness
        Thickness of the slab in edge lengths, shape (n,).
    normal
        Unit normals of the slab, shape (3, n).

    Returns
    -------
    NDArray[np.float64]
        Shares from 0 to 1, shape (n,).
    """
    return behind_plane(distance + thickness / 2, normal) - behind_plane(distance - thickness / 2, normal)


def through_cube(distance: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a plane passes through a unit cube centred at the origin; of two cubes that share it as a face, one.

    Parameters
    ----------
    distance
        Signed distance of the plane from the cube's centre in edge lengths, shape (n,).
    normal
        Unit normals, shape (3, n).
    """
    half = np.abs(normal).sum(axis=0) / 2
    return np.asarray((distance >= -half) & (distance < half))
