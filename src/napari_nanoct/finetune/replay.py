"""What keeps the network from forgetting: slices degraded otherwise, on which it is to answer as its parent does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from napari_nanoct.phantoms import phantom
from napari_nanoct.training.batches import GAIN, OFFSET
from napari_nanoct.training.data import Picture, normalised, random_patches, sampling_weights, seeded
from napari_nanoct.training.degrade import bicubic, blind, softened
from napari_nanoct.training.scanned import scanned_patches, smallest_crop

# Neither the shipped weights nor any evaluation has seen the phantoms of these seeds. Those from JUDGED_SEED to 6999
# are for judging alone, so that after the first ten seeds of runs replay goes on beyond.
FIRST_SEED, JUDGED_SEED, BEYOND = 5001, 5901, 7001
# Shares of the draws that go through a scan, and that are reduced cleanly; the others are `blind`. So many of all are
# of slices that were smooth before: they are to stay so.
SCANNED, CLEAN, SOFT = 0.35, 0.2, 0.4


class Replay:
    """Draws low-resolution patches unlike the user's, the same again for the same step.

    Half of them are of phantoms, half of the user's own targets, where there are any of the size that a scan needs.

    Parameters
    ----------
    own : sequence of ndarray, shape (y, x)
        Clean slices of the user's, range 0 to 1.
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
        own: Sequence[Picture],
        factor: int,
        patch: int,
        count: int,
        seed: int,
        device: torch.device | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.factor, self.patch, self.seed, self.device = factor, patch, seed, device
        side = max(192, smallest_crop(patch, factor))
        phantoms: list[Picture] = []
        for number in range(count):
            check()
            phantoms += slices(phantom_seed(seed) + number, side)
        large = [picture for picture in own if min(picture.shape) >= smallest_crop(patch, factor)]
        self.sources = [source for source in (phantoms, large) if source]

    def draw(self, step: int, count: int) -> Tensor:
        """Return ``count`` patches (count, 1, patch, patch) of one source and one kind of degradation."""
        random = np.random.default_rng([self.seed, step, 1])
        source = self.sources[int(random.integers(len(self.sources)))]
        return degraded(source, self.factor, self.patch, count, (self.seed, step), self.device)[0]


def phantom_seed(seed: int) -> int:
    """Return the first of ten seeds of phantoms that belong to the seed of a run."""
    return FIRST_SEED + 10 * seed if seed < 10 else BEYOND + 10 * (seed - 10)


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
    kind, seed, soft = random.random(), int(random.integers(2**31)), random.random() < SOFT
    if kind < SCANNED:
        weights = sampling_weights(pictures, smallest_crop(patch, factor))
        return scanned_patches(pictures, weights, count, patch, factor, seed, soft=soft, device=device)
    high = random_patches(pictures, sampling_weights(pictures, patch * factor), count, patch * factor, seed)
    if soft:
        high = softened(high, factor, seeded(*key, 2))
    low = bicubic(high, factor) if kind < SCANNED + CLEAN else blind(high, factor, seeded(*key))[0]
    gain, offset = (
        torch.from_numpy(random.uniform(*ends, (count, 1, 1, 1)).astype(np.float32)) for ends in (GAIN, OFFSET)
    )
    offset = offset * (1 - gain)
    return low * gain + offset, high * gain + offset
