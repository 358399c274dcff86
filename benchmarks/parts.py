"""What each part of utsr-light brings: networks without it, trained alike at factor 2 on one thread, then scored.

``python benchmarks/parts.py DATA --steps 1500`` or ``--minutes 10`` (processor time), with the folder that holds ``ct``
and ``natural``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from equal_training import command
from torch import Tensor, nn

from napari_nanoct.jobs.process import keep_pages
from napari_nanoct.utsr import PRESETS, build
from napari_nanoct.utsr.network import Block, NetworkSettings

LIGHT = PRESETS["utsr-light"]


class Nothing(nn.Module):
    """Adds nothing where a block adds what this returns."""

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros of the shape of ``x``."""
        return torch.zeros_like(x)


def plain_feedforward(channels: int, expansion: int) -> nn.Module:
    """Feed-forward network of a plain transformer: FC, GELU, FC."""
    return nn.Sequential(
        nn.Conv2d(channels, channels * expansion, 1), nn.GELU(), nn.Conv2d(channels * expansion, channels, 1)
    )


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of each pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, channels, h, w)."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


def changed(change: Callable[[Block, int], None], settings: NetworkSettings = LIGHT) -> nn.Module:
    """Build utsr-light at factor 2 and change each block, given with its channels."""
    network = build(settings, 2)
    for block in network.modules():
        if isinstance(block, Block):
            change(block, block.feedforward.contract.out_channels)
    return network


def _without_attention(block: Block, channels: int) -> None:
    block.attention = Nothing()  # type: ignore[assignment]


def _without_feedforward(block: Block, channels: int) -> None:
    block.feedforward = Nothing()  # type: ignore[assignment]


def _with_plain_feedforward(block: Block, channels: int) -> None:
    block.feedforward = plain_feedforward(channels, LIGHT.expansion)  # type: ignore[assignment]


def _with_normalisation(block: Block, channels: int) -> None:
    block.feedforward = nn.Sequential(ChannelNorm(channels), block.feedforward)  # type: ignore[assignment]
    block.attention = nn.Sequential(ChannelNorm(channels), block.attention)  # type: ignore[assignment]


NETWORKS = {
    "utsr-light": partial(build, LIGHT, 2),
    "without GMSA": partial(changed, _without_attention),
    "without DCFFN": partial(changed, _without_feedforward),
    "a plain feed-forward network for DCFFN": partial(changed, _with_plain_feedforward),
    "normalisation in front of both": partial(changed, _with_normalisation),
    "expansion 1": partial(build, replace(LIGHT, expansion=1), 2),
    "windows of 8 alone": partial(build, replace(LIGHT, windows=((8,), (8,), (8,), (4,))), 2),
}


if __name__ == "__main__":
    keep_pages()
    command(__doc__, NETWORKS)
