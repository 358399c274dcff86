"""The training loss: L1 and the difference of Sobel gradients, of each image in relation to its own size."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor

SOBEL_WEIGHT = 0.2
USUAL, FLOOR = 0.03, 0.002
"""Loss of a usual image, and what none gets far below: noise of so much of the range hides in what is measured."""


def sobel_difference(result: Tensor, target: Tensor) -> Tensor:
    """Return the mean of ``|Gx(result) - Gx(target)| + |Gy(result) - Gy(target)|`` of each image.

    Parameters
    ----------
    result, target : Tensor, shape (n, 1, h, w)

    Returns
    -------
    Tensor, shape (n,)

    References
    ----------
    Peng et al., Nuclear Techniques 49 (2026) 250034. The Sobel kernels are divided by 8, so that they measure grey
    values per pixel.
    """
    kernel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]).to(result) / 8
    kernels = torch.stack([kernel, kernel.T])[:, None]
    return functional.conv2d(result - target, kernels).abs().sum(dim=1).mean(dim=(1, 2))


def image_losses(result: Tensor, target: Tensor) -> Tensor:
    """Return L1 + 0.2 Sobel of each of the images of shape (n, 1, h, w)."""
    return (result - target).abs().mean(dim=(1, 2, 3)) + SOBEL_WEIGHT * sobel_difference(result, target)


def restoration_loss(result: Tensor, target: Tensor) -> Tensor:
    """Return the mean of the `image_losses`."""
    return image_losses(result, target).mean()


def relative_loss(losses: Tensor) -> Tensor:
    """Return the mean logarithm of the losses of images (n,), scaled as if a usual image had its own loss.

    A clean smooth slice has a tenth of the loss of a noisy one and counts in decibel as much. With a plain mean the
    network learns from the noisy ones alone, and treats clean ones like them (docs/training-stages.md). Chen et al.
    ("Simple baselines for image restoration", ECCV 2022) train on the logarithm of the squared error likewise.
    """
    return USUAL * (losses + FLOOR).log().mean()
