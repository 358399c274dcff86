"""How good a network is while it trains: its gain over the baseline on crops of the validation slices, by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_nanoct.evaluation.pairs import Pair, degraded
from napari_nanoct.evaluation.protocols import PROTOCOLS
from napari_nanoct.evaluation.scores import bare, baseline
from napari_nanoct.evaluation.truth import TrueSlice, middle

if TYPE_CHECKING:
    from torch import nn

CROP = 192


def validation_pairs(data: Path, scale: int) -> list[Pair]:
    """Make the pairs that a training is judged by.

    The middle 192 x 192 pixels of a slice of each CT sample for validation and of two natural pictures, by every
    protocol that applies, at its two milder levels. None where the data hold nothing for validation.

    Parameters
    ----------
    data : Path
        Folder that holds ``ct/index.csv`` and, it may be, ``natural/index.csv``.
    scale : int
    """
    from napari_nanoct.training.data import ct_samples, filled, natural_pictures

    truths = [TrueSlice(sample.name, filled(sample.slices[0])) for sample in ct_samples(data, "val")]
    if (data / "natural").exists():
        truths += [TrueSlice("natural", picture, False) for picture in natural_pictures(data, "val")[:2]]
    crops = [replace(truth, image=middle(truth.image, CROP)) for truth in truths]
    return [
        pair
        for protocol in PROTOCOLS
        if protocol != "bicubic" or scale > 1
        for pair in degraded(crops, protocol, scale)
        if pair.level < 2
    ]


def mean_gain(network: nn.Module, pairs: Sequence[Pair], scale: int) -> dict[str, float]:
    """Gain of a network over the input, or its bicubic enlargement, in decibel: by protocol, mean by sample first.

    Parameters
    ----------
    network : Module
        On the CPU, in evaluation mode.
    pairs : sequence of Pair
    scale : int
    """
    from napari_nanoct.quality import psnr

    before, after = baseline(scale), bare(network)
    gains: dict[str, dict[str, list[float]]] = {}
    for pair in pairs:
        old, new = (psnr(pair.truth, method(pair.low), 1, pair.mask) for method in (before, after))
        gains.setdefault(pair.protocol, {}).setdefault(pair.sample, []).append(new - old)
    return {
        protocol: float(np.mean([np.mean(values) for values in samples.values()]))
        for protocol, samples in gains.items()
    }
