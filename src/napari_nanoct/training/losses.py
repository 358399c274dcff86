"""The training loss: L1 and the difference of Sobel gradients."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

SOBEL_WEIGHT = 0.2


def sobel_difference(result: Tensor, target: Tensor) -> Tensor:
    """Return the mean of ``|Gx(result) - Gx(target)| + |Gy(result) - Gy(target)|``.

    Parameters
    ----------
    result, target : Tensor, shape (n, 1, h, w)

    References
    ----------
    Peng et al., Nuclear Techniques 49 (2026) 250034. The Sobel kernels are divided by 8, so that they measure grey
    values per pixel.
    """
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]).to(result) / 8
    kernels = torch.stack([kernel, kernel.T])[:, None]
    return functional.conv2d(result - target, kernels).abs().sum(dim=1).mean()


def restoration_loss(result: Tensor, target: Tensor) -> Tensor:
    """Return L1 + 0.2 Sobel between images of shape (n, 1, h, w)."""
    return (result - target).abs().mean() + SOBEL_WEIGHT * sobel_difference(result, target)
