"""The probability of a crack as the score of every voxel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_nanoct.cracks.blocks import Box, Rule
from napari_nanoct.cracks.derivatives import Spacing
from napari_nanoct.cracks.features import halo, volume_features
from napari_nanoct.cracks.proposal import Scored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_nanoct.cracks.classifier import CrackClassifier

SMALLEST = 12
"""Fewest voxels of a crack: who scribbles decides on the rest."""


def probability_rule(low: float, high: float) -> Rule:
    """Return which pieces of a probability are cracks: they reach `high` somewhere and go on down to `low`."""
    return Rule(low, high, SMALLEST)


@dataclass(frozen=True, eq=False)
class ProbabilitySearch:
    """A classifier's probability of a crack, from `high` down to `low`, block by block."""

    classifier: CrackClassifier
    voxel_size: Spacing
    high: float
    low: float

    @property
    def halo(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) around a block that its score depends on."""
        return halo(self.classifier.settings, self.voxel_size)

    @property
    def rule(self) -> Rule:
        """Hysteresis of the probability."""
        return probability_rule(self.low, self.high)

    def __call__(self, block: NDArray[np.float32], mask: NDArray[np.bool_] | None, inner: Box) -> Scored:
        """Return the probability in the inner part of a block that was read with the `halo`."""
        features = volume_features(block, self.voxel_size, self.classifier.settings, inner=inner)
        score = np.stack([self.classifier.crack_probability(features[:, z]) for z in range(features.shape[1])])
        if mask is not None:
            score[~mask[inner]] = 0
        return Scored(score)
