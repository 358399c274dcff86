"""DCFFN: the double convolutional feed-forward network."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn


class DoubleConvFeedForward(nn.Module):
    """``y = FC(GELU(DWConv(h)) + Conv(DWConv(h)))`` with ``h = FC(x)`` (DCFFN).

    Two depth-wise branches, one activated, the other followed by a convolution that mixes channels (1x1), summed.

    Parameters
    ----------
    channels : int
    expansion : int
        Hidden channels per channel.

    References
    ----------
    Peng et al., Nuclear Techniques 49 (2026) 250034, eq. 1.
    """

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        hidden = channels * expansion
        self.expand = nn.Conv2d(channels, hidden, 1)
        # Two convolutions, not one with two filters a channel: its backward pass is six times slower on a CPU.
        self.activated = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.linear = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.mix = nn.Conv2d(hidden, hidden, 1)
        self.contract = nn.Conv2d(hidden, channels, 1)
        # As in the attention: close to the identity at the start, since nothing is normalised.
        with torch.no_grad():
            self.contract.weight *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (n, channels, h, w) to the same shape."""
        hidden = self.expand(x)
        return self.contract(functional.gelu(self.activated(hidden)) + self.mix(self.linear(hidden)))
