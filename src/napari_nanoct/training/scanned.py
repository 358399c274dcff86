"""Patches of scanned slices: a few crops go through a scan each, and several patches are cut from each circle."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_nanoct.training.data import Picture, seeded
from napari_nanoct.training.degrade import grained, softened
from napari_nanoct.training.degrade_sinogram import SinogramRange, sinogram

# Patches that one scan yields, and the most detector pixels that it has.
PATCHES = 4
DETECTOR = 256
# The range in use is that of a whole volume, this one of a crop: by so much it may be wider or narrower.
STRETCH = (0.9, 1.15)


def smallest_crop(patch: int, factor: int) -> int:
    """Side of the smallest picture, in its pixels, whose circle leaves low-resolution patches of this side a choice."""
    return factor * math.ceil(1.05 * math.sqrt(2) * patch)


def scanned_patches(
    pictures: list[Picture],
    weights: NDArray[np.float64],
    count: int,
    patch: int,
    factor: int,
    seed: int,
    *,
    ranges: SinogramRange | None = None,
    soft: bool = False,
    grain: bool = False,
    device: torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Cut patches from crops that went through a scan; the range of each scanned crop is 0 to 1, as in use.

    Parameters
    ----------
    pictures : list of ndarray, shape (y, x)
        Intensity range 0 to 1, each of at least `smallest_crop`.
    weights : ndarray
        Probability of each picture.
    count, patch : int
        Number of patches, and their side in low-resolution pixels.
    factor : int
        1, 2 or 4.
    seed : int
        Determines the patches.
    ranges : SinogramRange, optional
    soft, grain : bool
        Smooth the crops, and give them faint noise of their own, before they are scanned.
    device : torch.device, optional
        Where the scans are computed; the CPU by default.

    Returns
    -------
    low : Tensor, shape (count, 1, patch, patch), float32
    high : Tensor, shape (count, 1, factor * patch, factor * patch), float32
        Both on the CPU.
    """
    random = np.random.default_rng(seed)
    low: list[Tensor] = []
    high: list[Tensor] = []
    while len(low) < count:
        crop = _crop(pictures[random.choice(len(pictures), p=weights)], factor, random)
        generator = seeded(int(random.integers(2**31)))
        clean = torch.from_numpy(crop.copy())[None, None]
        clean = softened(clean, factor, generator) if soft else clean
        clean = (grained(clean, generator) if grain else clean).to(device)
        scanned = sinogram(clean, factor, generator, ranges)[0][0].cpu()
        bottom, top = np.percentile(scanned.numpy(), (0.5, 99.5))
        gain = random.uniform(*STRETCH) / max(top - bottom, 1e-3)
        for _ in range(min(PATCHES, count - len(low))):
            y, x = _place(crop, patch, factor, random)
            low.append((scanned[:, y : y + patch, x : x + patch] - bottom) * gain)
            part = clean[0, :, factor * y : factor * (y + patch), factor * x : factor * (x + patch)].cpu()
            high.append((part - bottom) * gain)
    return torch.stack(low).float(), torch.stack(high).float()


def _crop(picture: Picture, factor: int, random: np.random.Generator) -> Picture:
    """Return a square of the picture, turned and mirrored at random."""
    side = min(*picture.shape, DETECTOR * factor) // factor * factor
    y, x = (int(random.integers(extent - side + 1)) for extent in picture.shape)
    crop = np.rot90(picture[y : y + side, x : x + side], int(random.integers(4)))
    return crop[:, ::-1] if random.random() < 0.5 else crop


def _place(crop: Picture, patch: int, factor: int, random: np.random.Generator) -> tuple[int, int]:
    """Return the first row and column, in low-resolution pixels, of a patch inside the circle."""
    side = len(crop) // factor
    for _ in range(200):
        y, x = (int(value) for value in random.integers(side - patch + 1, size=2))
        farthest = math.hypot(*(max(abs(place - side / 2), abs(place + patch - side / 2)) for place in (y, x)))
        part = crop[factor * y : factor * (y + patch), factor * x : factor * (x + patch)]
        # Flat patches teach little: one in ten is kept.
        if farthest <= side / 2 and (part.std() > 0.02 or random.random() < 0.1):
            return y, x
    return (side - patch) // 2, (side - patch) // 2
