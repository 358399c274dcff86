"""How good a network is on what was held out, and how much it still can of what it could before."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_nanoct.finetune.held_out import window
from napari_nanoct.finetune.patches import Batch, blind_spots
from napari_nanoct.finetune.replay import JUDGED_SEED, degraded, slices
from napari_nanoct.quality import psnr
from napari_nanoct.training.data import filled
from napari_nanoct.training.pairs import SlicePair
from napari_nanoct.training.scanned import smallest_crop
from napari_nanoct.utsr.network import UTSR

# What a validation looks at: so many slices, of each a square of so many pixels of the result.
SLICES, SIDE = 4, 256
# Draws of two synthetic patches each that tell what is forgotten.
DRAWS = 12
# Errors far below a hundredth of the range, of slices that need next to no restoring, are not to outweigh the others.
FLOOR = 1e-4

Image = NDArray[np.float32]


def restore(network: UTSR, low: Image, device: torch.device) -> Image:
    """Run the network on a slice (y, x), in bfloat16 as in training."""
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
        return np.asarray(network(torch.from_numpy(low)[None, None].to(device))[0, 0].float().cpu().numpy())


class Judge:
    """Scores networks on held-out pairs.

    Parameters
    ----------
    held : sequence of SlicePair
    method : str
        ``pairs``: the score is the PSNR in decibel, with the range of the low-resolution volume as peak. Otherwise
        there is no truth: the score is the mean squared difference from the noisy target, and less is better.
    factor : int
    device : torch.device
    """

    def __init__(self, held: Sequence[SlicePair], method: str, factor: int, device: torch.device) -> None:
        self.method, self.factor, self.device = method, factor, device
        several = np.linspace(0, len(held) - 1, min(SLICES, len(held))).round().astype(int)
        self.views = [window(_finite(held[i]), SIDE // factor) for i in several]
        self.inputs = [view.low for view in self.views]
        self.weights = [view.usable.repeat(factor, 0).repeat(factor, 1) for view in self.views]
        if method == "blind-spot":
            for i, view in enumerate(self.views):
                low, high, weight = (
                    torch.from_numpy(np.asarray(part, np.float32))[None, None]
                    for part in (view.low, view.high, self.weights[i])
                )
                spots = blind_spots(Batch(low, high, weight), np.random.default_rng([i, 9]))
                self.inputs[i], self.weights[i] = spots.low[0, 0].numpy(), spots.weight[0, 0].numpy() > 0

    @property
    def supervised(self) -> bool:
        """Whether there is a truth to compare with."""
        return self.method == "pairs"

    @property
    def pixels(self) -> int:
        """Low-resolution pixels that one validation takes through the network."""
        return sum(low.size for low in self.inputs)

    def score(self, network: UTSR) -> float:
        """Return the mean over the held-out slices: PSNR in decibel, or the loss."""
        scores = []
        for view, low, weight in zip(self.views, self.inputs, self.weights, strict=True):
            result = restore(network, low, self.device)
            if self.supervised:
                scores.append(psnr(view.high, result, 1, weight))
            else:
                scores.append(float(np.square(result - view.high)[weight].mean()))
        return float(np.mean(scores))

    def gain(self, score: float, parent: float) -> float:
        """By how much a score is better than the parent's: in decibel, positive where it is better."""
        return score - parent if self.supervised else 10 * float(np.log10(parent / score))

    def preview(self, path: Path, before: UTSR, after: UTSR) -> None:
        """Write the first held-out slice as ``before``, ``after`` and, where there is one, ``target``."""
        low = self.views[0].low
        images: dict[str, Any] = {
            "before": restore(before, low, self.device),
            "after": restore(after, low, self.device),
        }
        if self.supervised:
            images["target"] = self.views[0].high
        temporary = path.with_name(path.name + ".part")
        with temporary.open("wb") as file:
            np.savez(file, **images)
        with suppress(PermissionError):  # under Windows while the former is being read: the next one comes
            os.replace(temporary, path)


class Memory:
    """Synthetic patches, of phantoms that no training sees, which tell what a network has forgotten."""

    def __init__(self, factor: int, patch: int, device: torch.device) -> None:
        pictures = slices(JUDGED_SEED, max(192, smallest_crop(patch, factor)))
        self.device = device
        draws = [degraded(pictures, factor, patch, 2, (JUDGED_SEED, draw), device) for draw in range(DRAWS)]
        # At factor 1 a clean reduction leaves nothing to restore, and no finite PSNR.
        self.draws = [(low, high) for low, high in draws if not torch.equal(low, high)]

    def score(self, network: UTSR) -> float:
        """Return the mean PSNR in decibel, with a hundredth of the range as noise that no one removes: below 40 dB."""
        scores = []
        for low, high in self.draws:
            with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16):
                result = network(low.to(self.device)).float().cpu()
            errors = (result - high).square().mean(dim=(1, 2, 3))
            scores += (-10 * torch.log10(errors + FLOOR)).tolist()
        return float(np.mean(scores))


def _finite(pair: SlicePair) -> SlicePair:
    low, high = (filled(part) for part in (pair.low, pair.high))
    return SlicePair(low, high, pair.usable, pair.low_slice)
