"""Bicubic enlargement (a = -0.5, pixel areas aligned) and padding by reflection for images of any size."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor


def bicubic_weights(factor: int) -> Tensor:
    """Polyphase kernels of Keys' cubic convolution with a = -0.5.

    Parameters
    ----------
    factor : int
        Enlargement; high-resolution pixels ``factor * i .. factor * i + factor - 1`` cover low-resolution pixel ``i``.

    Returns
    -------
    Tensor, shape (factor, 5), float64
        Weights of the low-resolution pixels i - 2 .. i + 2 for each phase; each row sums to 1.

    References
    ----------
    Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29 (1981), eq. 15.
    """
    position = (torch.arange(factor, dtype=torch.float64) + 0.5) / factor - 0.5
    distance = (torch.arange(-2, 3, dtype=torch.float64)[None, :] - position[:, None]).abs()
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, torch.zeros_like(far)))


def enlarge_bicubic(x: Tensor, factor: int) -> Tensor:
    """Enlarge images of shape (n, 1, h, w) to (n, 1, factor * h, factor * w); edges are replicated."""
    if factor == 1:
        return x
    weights = bicubic_weights(factor).to(x)
    kernels = torch.einsum("ia,jb->ijab", weights, weights).reshape(factor**2, 1, 5, 5)
    padded = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    return functional.pixel_shuffle(functional.conv2d(padded, kernels), factor)


def reflected_indices(before: int, size: int, after: int) -> Tensor:
    """Indices that extend an axis of any size by reflection about its end pixels, as often as needed.

    Parameters
    ----------
    before, after : int
        Pixels added at each end.
    size : int
        Length of the axis, at least 1.

    Returns
    -------
    Tensor, shape (before + size + after,), int64
    """
    index = torch.arange(-before, size + after)
    if size == 1:
        return torch.zeros_like(index)
    period = 2 * (size - 1)
    index = index.remainder(period)
    return torch.where(index < size, index, period - index)


def pad_reflect(x: Tensor, top: int, bottom: int, left: int, right: int) -> Tensor:
    """Extend the last two axes by reflection; unlike ``torch.nn.functional.pad`` by any amount, for any size."""
    rows = reflected_indices(top, x.shape[-2], bottom).to(x.device)
    columns = reflected_indices(left, x.shape[-1], right).to(x.device)
    return x.index_select(-2, rows).index_select(-1, columns)
