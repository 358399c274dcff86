"""How good a network is while it trains: its gain over the baseline on crops of the validation slices, by sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.evaluation.pairs import Pair, degraded
from napari_nanoct.evaluation.scores import baseline
from napari_nanoct.evaluation.truth import TrueSlice

if TYPE_CHECKING:
    from torch import nn

CROP = 192
PROTOCOLS = ("bicubic", "blind", "sinogram")


def validation_pairs(data: Path, scale: int) -> list[Pair]:
    """Make the pairs that a training is judged by.

    The middle 192 x 192 pixels of a slice of each CT sample for validation and of two natural pictures, by every
    protocol that applies, at its two milder levels. None where the data hold nothing for validation.

    Parameters
    ----------
    data : Path
        Folder that holds ``natural/index.csv`` and ``ct/index.csv``.
    scale : int
    """
    from napari_nanoct.training.data import ct_samples, natural_pictures

    truths = [TrueSlice(sample.name, sample.slices[0]) for sample in ct_samples(data, "val")]
    truths += [TrueSlice("natural", picture, False) for picture in natural_pictures(data, "val")[:2]]
    crops = [replace(truth, image=_middle(truth.image)) for truth in truths]
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
    import torch

    from napari_nanoct.evaluation.scores import score_pair

    def restore(low: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(low)[None, None])[0, 0].numpy())

    gains: dict[str, dict[str, list[float]]] = {}
    for pair in pairs:
        (before, after), _ = score_pair(pair, scale, {"baseline": baseline(scale), "network": restore})
        gain = after.psnr - before.psnr
        gains.setdefault(pair.protocol, {}).setdefault(pair.sample, []).append(gain)
    return {
        protocol: float(np.mean([np.mean(values) for values in samples.values()]))
        for protocol, samples in gains.items()
    }


def _middle(image: NDArray[np.float32]) -> NDArray[np.float32]:
    y, x = (max(extent - CROP, 0) // 2 for extent in image.shape)
    return np.ascontiguousarray(image[y : y + CROP, x : x + CROP])
