"""How much a place looks like a thin dark (or bright) plate: the measure that finds cracks without a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.derivatives import Spacing, bordered, eigenvalues, halo, hessian, smooth

if TYPE_CHECKING:
    from torch import Tensor

MATCHED = 2 * math.exp(-0.5) / math.sqrt(2 * math.pi)
"""Response sigma^2 lambda1 at the middle of a plate of contrast 1 and width 2 sigma: the largest over all sigma."""

CHUNK = 1 << 18
"""Voxels that second derivatives are taken of at once: they need much memory, and are faster in a cache."""


def sheetness(values: Tensor) -> Tensor:
    """Return ``lambda1 - max(|lambda2|, |lambda3|)``, 0 where negative: high on dark plates alone.

    A dark tube has two large eigenvalues and a dark ball three, so that both cancel; the edge of a bright body leaves
    half of what a plate of the same contrast does.

    Parameters
    ----------
    values : Tensor, shape (3, ...)
        Eigenvalues of the Hessian, largest first.
    """
    import torch

    first, second, third = values
    return (first - torch.maximum(second.abs(), third.abs())).clamp_min(0)


def plate_measure(
    volume: NDArray[np.float32], voxel_size: Spacing, widths: Sequence[float], dark: bool = True
) -> NDArray[np.float32]:
    """Contrast of the plate-like structure at every voxel: largest of the given widths.

    For every width the volume is smoothed with a standard deviation of half of it. The response
    ``sigma^2 sheetness / 0.484`` is the plate's contrast at the middle of a plate of that width at any angle; of a much
    thinner plate, whose voxels are dark in part, about its contrast times its width over sigma, divided by 1.2. In one
    slice alone it is the measure of a line.

    After Sato et al. (Med. Image Anal. 2 (1998) 143) and Frangi et al. (MICCAI 1998), with the eigenvalues in physical
    units and the scale normalised on the plate, so that the responses of all widths can be compared.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), float32
        Finite.
    voxel_size : (float, float, float)
        (z, y, x).
    widths : sequence of float
        In the unit of the voxel size.
    dark : bool
        Look for plates darker than their surroundings, else for bright ones.

    Returns
    -------
    ndarray, shape (z, y, x), float32
        At least 0, in grey values.
    """
    import torch

    values = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))
    if not dark:
        values = -values
    best = torch.zeros_like(values)
    slices = max(1, CHUNK // best[0].numel())
    for width in widths:
        sigma = width / 2
        smoothed = bordered(smooth(values, sigma, voxel_size))
        for z in range(0, len(best), slices):
            part = best[z : z + slices]
            found = sheetness(eigenvalues(hessian(smoothed[z : z + len(part) + 2], voxel_size, valid=True)))
            torch.maximum(part, found * (sigma**2 / MATCHED), out=part)
    return np.asarray(best.numpy())


def measure_halo(voxel_size: Spacing, widths: Sequence[float]) -> tuple[int, int, int]:
    """Voxels (z, y, x) around a block that its `plate_measure` depends on."""
    return halo(max(widths) / 2, voxel_size)


def usual_widths(voxel_size: Spacing) -> tuple[float, ...]:
    """Widths of cracks that a grid shows: from 1.5 of its finest voxel size to 6 of its mean one, in equal ratios."""
    first, last = 1.5 * min(voxel_size), 6 * math.prod(voxel_size) ** (1 / 3)
    steps = round(math.log(last / first, 1.6))
    return tuple(first * (last / first) ** (step / steps) for step in range(steps + 1))
