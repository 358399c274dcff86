"""Batches of low- and high-resolution patches, each determined by the recipe and the number of its step."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.training.data import ct_samples, filled, natural_pictures, random_patches, sampling_weights, seeded
from napari_nanoct.training.degrade import bicubic, blind, grained, softened
from napari_nanoct.training.degrade_sinogram import SinogramRange
from napari_nanoct.training.recipe import Recipe, Stage
from napari_nanoct.training.scanned import scanned_patches, smallest_crop

GAIN = (0.6, 1.05)
OFFSET = (0.2, 0.8)


class Batches:
    """Draws the batch of any step: the same again after a resume.

    Parameters
    ----------
    recipe : Recipe
    data : Path
        Folder of the pictures; natural ones are needed where the recipe has a share of them.
    phantoms : iterable of ndarray, shape (y, x)
        Clean slices of phantoms, range 0 to 1; needed where the recipe has a share of them. Taken after the pictures.
    device : torch.device, optional
        Where scans are computed; the CPU by default.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Path,
        phantoms: Iterable[NDArray[np.float32]] = (),
        device: torch.device | None = None,
    ) -> None:
        self.recipe, self.device = recipe, device
        self.natural = natural_pictures(data, "train") if any(stage.natural for stage in recipe.stages) else []
        samples = ct_samples(data, "train")
        if not samples:
            raise UserError(f"{data / 'ct' / 'index.csv'} has no row of use 'train'; add CT slices to train on.")
        self.ct = [filled(page) for sample in samples for page in sample.slices]
        # Every specimen counts alike, however many slices of it there are.
        self.phantoms = list(phantoms)
        self._per_slice = np.concatenate([np.full(len(s.slices), 1 / len(s.slices)) for s in samples])

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Return (low, high) patches of shape (batch, 1, patch, patch) and (batch, 1, scale * patch, scale * patch).

        Every two patches have a source and a degradation of their own, so that a batch of many holds several tasks.
        """
        stage, _ = self.recipe.at(step)
        parts = [self._draw(step, first, min(2, stage.batch - first)) for first in range(0, stage.batch, 2)]
        low, high = (torch.cat(patches) for patches in zip(*parts, strict=True))
        return low, high

    def hold(self, step: int) -> Tensor:
        """Return how far each truth of a step's batch gives way to what older weights make of its input, (batch,).

        The stage's ``hold`` for CT slices, 1 for those at their own resolution, 0 for others.
        """
        stage, _ = self.recipe.at(step)
        shares = torch.zeros(stage.batch)
        for first in range(0, stage.batch, 2):
            key = self._key(step, first)
            untouched, native = self._untouched(stage, key)
            share = np.random.default_rng(key).random()
            held = stage.hold if self._source(stage, share, untouched) is self.ct else 0.0
            shares[first : first + 2] = 1.0 if native else held
        return shares

    def _key(self, step: int, first: int) -> list[int]:
        """Seed of the patches from number ``first`` of a step."""
        return [self.recipe.seed, step] if first == 0 else [self.recipe.seed, step, 1 + first]

    def _untouched(self, stage: Stage, key: list[int]) -> tuple[bool, bool]:
        """Whether patches are of CT slices that nothing degrades, and of these at their own resolution."""
        chance = np.random.default_rng([*key, 4]).random()
        return chance < stage.native + stage.untouched, chance < stage.native

    def _source(self, stage: Stage, share: float, untouched: bool) -> list[NDArray[np.float32]]:
        """Pictures that a stage takes for a draw between 0 and 1, or for untouched patches."""
        if untouched:
            return self.ct
        if share < stage.natural:
            return self.natural
        return self.phantoms if share < stage.natural + stage.phantom else self.ct

    def _draw(self, step: int, first: int, count: int) -> tuple[Tensor, Tensor]:
        """Return ``count`` patches of one source and one degradation, the ones from number ``first`` of a step."""
        stage, _ = self.recipe.at(step)
        key = self._key(step, first)
        random = np.random.default_rng(key)
        # Draws of their own, so that other batches stay what they are without these shares.
        untouched, native = self._untouched(stage, key)
        scanned = not untouched and np.random.default_rng([*key, 1]).random() < stage.sinogram
        soft = np.random.default_rng([*key, 2]).random() < stage.soft
        size = stage.patch if native else stage.patch * self.recipe.scale
        if scanned:
            size = smallest_crop(stage.patch, self.recipe.scale)
        pictures = self._source(stage, random.random(), untouched)
        weights = sampling_weights(pictures, size)
        if pictures is self.ct:
            weights = weights * self._per_slice
            weights /= weights.sum()
        grain = pictures is self.ct and np.random.default_rng([*key, 3]).random() < stage.grain
        if scanned:
            seed = int(random.integers(2**31))
            return scanned_patches(
                pictures,
                weights,
                count,
                stage.patch,
                self.recipe.scale,
                seed,
                ranges=SinogramRange(sample=(1.0, stage.sample)),
                soft=soft,
                grain=grain,
                device=self.device,
            )
        high = random_patches(pictures, weights, count, size, int(random.integers(2**31)))
        if soft:
            high = softened(high, self.recipe.scale, seeded(*key, 2))
        if grain:
            high = grained(high, seeded(*key, 3))
        if native:
            # The enlargement is but a place for what older weights make of it.
            low, high = high, F.interpolate(high, scale_factor=self.recipe.scale)
        elif untouched or random.random() < stage.clean:
            low = bicubic(high, self.recipe.scale)
        else:
            low, _ = blind(high, self.recipe.scale, seeded(*key))
        # In use the range is that of the noisy volume, which is wider than that of the clean slices here.
        gain = torch.from_numpy(random.uniform(*GAIN, (len(high), 1, 1, 1)).astype(np.float32))
        offset = torch.from_numpy(random.uniform(*OFFSET, (len(high), 1, 1, 1)).astype(np.float32)) * (1 - gain)
        return low * gain + offset, high * gain + offset

    def halo_pictures(self) -> tuple[Tensor, Tensor]:
        """Return the largest CT slice, clean and noisy, (y, x) each: either may reach further through a network."""
        page = torch.from_numpy(max(self.ct, key=lambda page: min(page.shape)))
        noisy, _ = blind(page[None, None], 1, seeded(self.recipe.seed))
        return page, noisy[0, 0]
