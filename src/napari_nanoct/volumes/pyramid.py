"""Coarser copies of a volume, for viewing: which, and how a block becomes coarser."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.volume import Shape

COARSEST = 256
"""The pyramid ends with the first level whose slices are no larger than this."""


def pyramid_plan(shape: Shape, geometry: Geometry) -> list[Shape]:
    """Factors (z, y, x), each 1 or 2, from every level to the next coarser one.

    y and x are halved; z too, once its voxel size is comparable, so that the voxels become and stay near to cubes.
    """
    plan: list[Shape] = []
    while max(shape[1:]) > COARSEST:
        z_size, *plane = geometry.voxel_size
        factors = (2 if shape[0] > 1 and z_size < math.sqrt(2) * max(plane) else 1, min(shape[1], 2), min(shape[2], 2))
        plan.append(factors)
        shape = coarser_shape(shape, factors)
        geometry = geometry.coarsened(factors)
    return plan


def coarser_shape(shape: Shape, factors: Shape) -> Shape:
    """Shape of the next level; a last odd slice, row or column gets a voxel of its own."""
    z, y, x = (-(-n // f) for n, f in zip(shape, factors, strict=True))
    return (z, y, x)


def mean_by(block: NDArray[Any], factors: Shape) -> NDArray[Any]:
    """Mean over cells of `factors` voxels, in the dtype of `block`: integers rounded, NaN left out.

    Parameters
    ----------
    block
        (z, y, x) voxels; at an odd end the last cell is smaller.
    factors
        Cell size as (z, y, x).

    Returns
    -------
    ndarray
        One voxel a cell; NaN where a whole cell is NaN.
    """
    # repeating the last plane weighs every voxel of a smaller cell alike
    odd = [(0, -n % f) for n, f in zip(block.shape, factors, strict=True)]
    if any(after for _, after in odd):
        block = np.pad(block, odd, mode="edge")
    small = block.dtype.itemsize <= 2 or block.dtype == np.float32
    exact = np.dtype(np.float32 if small else np.float64)
    fz, fy, fx = factors
    cells = [block[k::fz, j::fy, i::fx] for k in range(fz) for j in range(fy) for i in range(fx)]
    total = np.zeros(cells[0].shape, exact)
    gaps = block.dtype.kind == "f" and bool(np.isnan(block).any())
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs in a cell: NaN, and no warning
        if gaps:
            count = np.zeros(total.shape, exact)
            for cell in cells:
                here = ~np.isnan(cell)
                np.add(total, cell, out=total, where=here)
                count += here
            total = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        else:
            for cell in cells:
                total += cell
            total /= len(cells)
        return np.rint(total).astype(block.dtype) if block.dtype.kind in "iu" else total.astype(block.dtype)


def nearest_by(block: NDArray[Any], factors: Shape) -> NDArray[Any]:
    """The first voxel of every cell of `factors` (z, y, x) voxels: for labels, which have no mean."""
    fz, fy, fx = factors
    return block[::fz, ::fy, ::fx]
