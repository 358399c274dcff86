"""Synthetic pairs beside the user's own, so that the network does not forget what else it can do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from napari_nanoct.phantoms import phantom
from napari_nanoct.training.batches import GAIN, OFFSET
from napari_nanoct.training.data import Picture, normalised, random_patches, sampling_weights, seeded
from napari_nanoct.training.degrade import bicubic, blind
from napari_nanoct.training.scanned import scanned_patches, smallest_crop

# Neither the shipped weights nor any evaluation has seen the phantoms of these seeds.
FIRST_SEED, JUDGED_SEED = 5001, 5901
# Shares of the batches that go through a scan, and that are reduced cleanly; the others are `blind`.
SCANNED, CLEAN = 0.35, 0.1
# Patches that the memory of the network is judged by.
JUDGED = 8


class Replay:
    """Draws synthetic pairs of patches, the same again for the same step.

    Parameters
    ----------
    factor, patch : int
        Factor, and side of the patches in low-resolution pixels.
    count : int
        Phantoms that the patches are cut from; each takes some seconds to make.
    seed : int
    device : torch.device, optional
        Where scans are computed.
    check : callable
        Called before each phantom; may raise to stop.
    """

    def __init__(
        self,
        factor: int,
        patch: int,
        count: int,
        seed: int,
        device: torch.device | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.factor, self.patch, self.seed, self.device = factor, patch, seed, device
        side = max(192, smallest_crop(patch, factor))
        self.pictures: list[Picture] = []
        for number in range(count):
            check()
            self.pictures += slices(FIRST_SEED + seed * 10 + number, side)

    def draw(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        """Return ``count`` patches of one kind of degradation: (low, high)."""
        return degraded(self.pictures, self.factor, self.patch, count, (self.seed, step), self.device)


@cache
def slices(seed: int, side: int) -> tuple[Picture, ...]:
    """Make two clean slices of a phantom of its own, ``side`` pixels high and wide, range 0 to 1."""
    clean = normalised(phantom((8, side, side), seed=seed).clean)
    return clean[2].copy(), clean[5].copy()


def degraded(
    pictures: Sequence[Picture],
    factor: int,
    patch: int,
    count: int,
    key: tuple[int, ...],
    device: torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Cut patches of clean pictures and degrade them as in the training of the shipped weights; ``key`` is the seed."""
    pictures, random = list(pictures), np.random.default_rng(key)
    kind, seed = random.random(), int(random.integers(2**31))
    if kind < SCANNED:
        weights = sampling_weights(pictures, smallest_crop(patch, factor))
        return scanned_patches(pictures, weights, count, patch, factor, seed, device=device)
    high = random_patches(pictures, sampling_weights(pictures, patch * factor), count, patch * factor, seed)
    low = bicubic(high, factor) if kind < SCANNED + CLEAN else blind(high, factor, seeded(*key))[0]
    gain, offset = (
        torch.from_numpy(random.uniform(*ends, (count, 1, 1, 1)).astype(np.float32)) for ends in (GAIN, OFFSET)
    )
    offset = offset * (1 - gain)
    return low * gain + offset, high * gain + offset
