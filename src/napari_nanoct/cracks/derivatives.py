"""Gaussian smoothing and derivatives of a volume whose voxels need not be cubes, and the eigenvalues of its Hessian.

Scales are given in the unit of the voxel size, so that a filter means the same along every axis and after an
enlargement in y and x. The last three axes are (z, y, x); axes before them are a batch. CPU and GPU alike.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

Spacing = tuple[float, float, float]

TRUNCATE = 4.0
"""Radius of the Gaussian in standard deviations."""

PAIRS = tuple(combinations_with_replacement((-3, -2, -1), 2))
"""Axes of the components of `hessian`: zz, zy, zx, yy, yx, xx."""


def radius(sigma: float, size: float) -> int:
    """Voxels that the Gaussian of `sigma` reaches to either side along an axis of voxel size `size`."""
    return max(1, math.ceil(TRUNCATE * sigma / size - 0.5))


def halo(sigma: float, voxel_size: Spacing) -> tuple[int, int, int]:
    """Voxels (z, y, x) around a block that its `gradient` and `hessian` at scale `sigma` depend on."""
    z, y, x = (radius(sigma, size) + 1 for size in voxel_size)
    return (z, y, x)


@lru_cache(maxsize=256)
def kernel(sigma: float, size: float) -> tuple[float, ...]:
    """Weights 0, 1, 2, ... voxels away of the discrete Gaussian of standard deviation `sigma`; they are symmetric.

    ``exp(-t) I_n(t)`` with t the variance in voxels (Lindeberg, IEEE PAMI 12 (1990) 234): unlike a sampled Gaussian
    it has the right variance at any scale, also where `sigma` is a fraction of the voxel size.
    """
    import numpy as np
    from scipy.special import ive

    weights = ive(np.arange(radius(sigma, size) + 1), (sigma / size) ** 2)
    return tuple((weights / (2 * weights.sum() - weights[0])).tolist())


def mirrored(index: NDArray[np.int_], length: int) -> NDArray[np.int_]:
    """Return which of `length` voxels stands where: beyond the ends their mirror images, as often as it takes."""
    import numpy as np

    index = index % (2 * length)
    return np.where(index < length, index, 2 * length - 1 - index)


def reflected(values: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Lengthen an axis by mirror images about its ends, as often as it takes (scipy's mode "reflect")."""
    import numpy as np
    import torch

    length = values.shape[axis]
    index = mirrored(np.arange(-before, length + after), length)
    return values.index_select(axis, torch.from_numpy(index).to(values.device))


def bordered(values: Tensor) -> Tensor:
    """Lengthen (..., z, y, x) by a mirrored voxel on every side: what second derivatives need there."""
    for axis in (-3, -2, -1):
        values = reflected(values, axis, 1, 1)
    return values


def smooth_axis(values: Tensor, axis: int, sigma: float, size: float, valid: bool = False) -> Tensor:
    """Smooth along one axis.

    Parameters
    ----------
    values : Tensor, float32
    axis : int
        -3, -2 or -1.
    sigma, size : float
        Standard deviation and voxel size along this axis, in one unit.
    valid : bool
        Return the part alone that needs nothing beyond the ends: shorter by `radius` at either. Else the ends reflect.
    """
    weights = kernel(sigma, size)
    reach = len(weights) - 1
    long = values if valid else reflected(values, axis, reach, reach)
    length = long.shape[axis] - 2 * reach
    # Shifted sums are as fast as a matrix product here, and bit for bit the same in a block as in the whole.
    total = long.narrow(axis, reach, length) * weights[0]
    for step, weight in enumerate(weights[1:], start=1):
        pair = long.narrow(axis, reach - step, length) + long.narrow(axis, reach + step, length)
        total.add_(pair, alpha=weight)
    return total


def smooth(values: Tensor, sigma: float, voxel_size: Spacing) -> Tensor:
    """Smooth by an isotropic Gaussian; borders reflect.

    Parameters
    ----------
    values : Tensor, shape (..., z, y, x), float32
    sigma : float
        Standard deviation in the unit of the voxel size.
    voxel_size : (float, float, float)
        (z, y, x).

    Returns
    -------
    Tensor
        Same shape.
    """
    for axis, size in zip((-3, -2, -1), voxel_size, strict=True):
        values = smooth_axis(values, axis, sigma, size)
    return values


def difference(values: Tensor, axis: int, order: int, size: float, valid: bool = False) -> Tensor:
    """First (central) or second difference along an axis, per unit of length; borders reflect.

    Of a smoothed volume these are its Gaussian derivatives (Lindeberg, J. Math. Imaging Vis. 3 (1993) 349). With
    `valid` the part alone that needs nothing beyond the ends: shorter by 1 at either.
    """
    long = values if valid else reflected(values, axis, 1, 1)
    length = long.shape[axis] - 2
    before, after = long.narrow(axis, 0, length), long.narrow(axis, 2, length)
    if order == 1:
        return (after - before) / (2 * size)
    return (before + after - 2 * long.narrow(axis, 1, length)) / size**2


def gradient(smoothed: Tensor, voxel_size: Spacing, valid: bool = False) -> Tensor:
    """Gradient of a smoothed volume, or of its inside alone: `valid` leaves out the outermost voxels.

    Returns
    -------
    Tensor, shape (3, ..., z, y, x)
        Derivatives along z, y and x, grey value per unit of length.
    """
    import torch

    parts = [difference(smoothed, axis, 1, voxel_size[axis], valid) for axis in (-3, -2, -1)]
    return torch.stack([_inside(part, smoothed) for part in parts] if valid else parts)


def hessian(smoothed: Tensor, voxel_size: Spacing, valid: bool = False) -> Tensor:
    """Second derivatives of a smoothed volume, or of its inside alone: `valid` leaves out the outermost voxels.

    Returns
    -------
    Tensor, shape (6, ..., z, y, x)
        zz, zy, zx, yy, yx, xx, grey value per squared unit of length.
    """
    import torch

    first = {axis: difference(smoothed, axis, 1, voxel_size[axis], valid) for axis in (-3, -2)}
    parts = [
        difference(smoothed, a, 2, voxel_size[a], valid) if a == b else difference(first[a], b, 1, voxel_size[b], valid)
        for a, b in PAIRS
    ]
    return torch.stack([_inside(part, smoothed) for part in parts] if valid else parts)


def _inside(part: Tensor, whole: Tensor) -> Tensor:
    """Cut the axes along which `part` is still as long as `whole` by a voxel at either end."""
    for axis in (-3, -2, -1):
        if part.shape[axis] == whole.shape[axis]:
            part = part.narrow(axis, 1, part.shape[axis] - 2)
    return part


def eigenvalues(matrices: Tensor) -> Tensor:
    """Eigenvalues of symmetric 3x3 matrices, in closed form (Smith, Comm. ACM 4 (1961) 168).

    Parameters
    ----------
    matrices : Tensor, shape (6, ...)
        Components in the order of `hessian`.

    Returns
    -------
    Tensor, shape (3, ...)
        Largest first: lambda1 >= lambda2 >= lambda3, signs kept.
    """
    import torch

    zz, zy, zx, yy, yx, xx = matrices
    middle = (zz + yy + xx) / 3
    a, b, c = zz - middle, yy - middle, xx - middle
    spread = ((a * a + b * b + c * c) / 6 + (zy * zy + zx * zx + yx * yx) / 3).sqrt()
    # Equal eigenvalues leave no direction: the angle does not matter then.
    unit = torch.where(spread > 0, spread, torch.ones_like(spread))
    a, b, c, d, e, f = (part / unit for part in (a, b, c, zy, zx, yx))
    half_determinant = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2
    angle = torch.acos(half_determinant.clamp(-1, 1)) / 3
    first = middle + 2 * spread * torch.cos(angle)
    third = middle + 2 * spread * torch.cos(angle + 2 * math.pi / 3)
    return torch.stack([first, 3 * middle - first - third, third])
