"""What a training is judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_nanoct.evaluation.validation import mean_gain, validation_pairs
from napari_nanoct.utsr.resampling import enlarge_bicubic


class Brighter(nn.Module):
    """The bicubic enlargement, brighter."""

    def forward(self, x: Tensor) -> Tensor:
        return enlarge_bicubic(x, 2) + 0.1


def test_every_protocol_and_sample_counts(data: Path) -> None:
    pairs = validation_pairs(data, 2)
    assert {(pair.sample, pair.protocol, pair.level) for pair in pairs} == {
        (sample, protocol, level)
        for sample in ("c", "natural")
        for protocol, levels in (("bicubic", 1), ("blind", 2), ("sinogram", 2))
        for level in range(levels)
    }
    assert all(pair.protocol != "bicubic" for pair in validation_pairs(data, 1))


def test_gain_is_over_the_baseline(data: Path) -> None:
    pairs = validation_pairs(data, 2)
    assert mean_gain(nn.Upsample(scale_factor=2), [], 2) == {}
    gains = mean_gain(Brighter(), pairs, 2)
    assert list(gains) == ["bicubic", "blind", "sinogram"]
    assert gains["bicubic"] < -0.1
    truths = iter([pair.truth for pair in pairs])

    class Oracle(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(next(truths) + np.float32(1e-4))[None, None]

    assert all(gain > 20 for gain in mean_gain(Oracle(), pairs, 2).values())
