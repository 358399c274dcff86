"""Batches of low- and high-resolution patches, each determined by the recipe and the number of its step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from napari_nanoct.training.data import ct_samples, natural_pictures, random_patches, sampling_weights, seeded
from napari_nanoct.training.degrade import bicubic, blind
from napari_nanoct.training.recipe import Recipe


class Batches:
    """Draws the batch of any step: the same again after a resume.

    Parameters
    ----------
    recipe : Recipe
    data : Path
        Folder of the pictures.
    """

    def __init__(self, recipe: Recipe, data: Path) -> None:
        self.recipe = recipe
        self.natural = natural_pictures(data, "train")
        samples = ct_samples(data, "train")
        self.ct = [page for sample in samples for page in sample.slices]
        # Every specimen counts alike, however many slices of it there are.
        self._per_slice = np.concatenate([np.full(len(s.slices), 1 / len(s.slices)) for s in samples])

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Return (low, high) patches of shape (batch, 1, patch, patch) and (batch, 1, scale * patch, scale * patch)."""
        stage, _ = self.recipe.at(step)
        random = np.random.default_rng([self.recipe.seed, step])
        size = stage.patch * self.recipe.scale
        if random.random() < stage.natural:
            pictures, weights = self.natural, sampling_weights(self.natural, size)
        else:
            pictures, weights = self.ct, sampling_weights(self.ct, size) * self._per_slice
            weights /= weights.sum()
        high = random_patches(pictures, weights, stage.batch, size, int(random.integers(2**31)))
        if random.random() < stage.clean:
            return bicubic(high, self.recipe.scale), high
        return blind(high, self.recipe.scale, seeded(self.recipe.seed, step)), high

    def halo_picture(self) -> NDArray[np.float32]:
        """Return the largest CT slice, on which the halo of a network is measured."""
        return max(self.ct, key=lambda page: min(page.shape))
