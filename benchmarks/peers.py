"""Compare utsr-light with its peers, trained alike at factor 2 on one thread, then scored on validation data.

At equal processor time: ``python benchmarks/peers.py DATA --minutes 10``; at equal steps: ``--steps 500``. ``DATA``
holds ``ct`` and ``natural``. Every network adds to the bicubic enlargement and starts at it.
"""

from __future__ import annotations

from functools import partial

import torch.nn.functional as functional
from equal_training import command
from peer_networks import peers
from torch import Tensor, nn

from napari_nanoct.jobs.process import keep_pages
from napari_nanoct.utsr import PRESETS, build
from napari_nanoct.utsr.resampling import enlarge_bicubic


class OverBicubic(nn.Module):
    """Bicubic enlargement plus what a network adds to it; its last convolution starts at zero.

    Networks without short cuts have their convolutions start as He et al. (ICCV 2015) have it: as PyTorch starts them,
    what enters twelve of them has died away at their end, and they learn nothing in this time.
    """

    def __init__(self, network: nn.Module, plain: bool = True, nearest: bool = False) -> None:
        super().__init__()
        self.network, self.nearest = network, nearest
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        for convolution in convolutions if plain else convolutions[-1:]:
            nn.init.kaiming_normal_(convolution.weight)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)
        nn.init.zeros_(convolutions[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge (n, 1, h, w) by 2."""
        added = self.network(x).float()
        if self.nearest:  # the compact network adds to the nearest pixel by itself
            added = added - functional.interpolate(x, scale_factor=2.0, mode="nearest")
        return enlarge_bicubic(x, 2) + added


def plain_stack() -> nn.Module:
    """Twelve convolutions of 64 channels, nothing else."""
    layers: list[nn.Module] = [nn.Conv2d(1, 64, 3, padding=1), nn.GELU()]
    for _ in range(12):
        layers += [nn.Conv2d(64, 64, 3, padding=1), nn.GELU()]
    return OverBicubic(nn.Sequential(*layers, nn.Conv2d(64, 4, 3, padding=1), nn.PixelShuffle(2)))


NETWORKS = {
    "utsr-light": partial(build, PRESETS["utsr-light"], 2),
    "12 convolutions of 64": plain_stack,
    "SwinIR-light": lambda: OverBicubic(peers(2)["SwinIR-light"], plain=False),
    "Real-ESRGAN compact": lambda: OverBicubic(peers(2)["Real-ESRGAN compact"], nearest=True),
}


if __name__ == "__main__":
    keep_pages()
    command(__doc__, NETWORKS)
