"""What a fine-tuning will take, said before it starts: time a step, steps in the time given, memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from napari_nanoct.enhance.device import choose_device
from napari_nanoct.finetune.settings import PRESETS, TuneSettings
from napari_nanoct.finetune.tuning import AGAIN, OWN, parent_path, patch_side
from napari_nanoct.training.losses import restoration_loss
from napari_nanoct.training.pairs import SlicePair
from napari_nanoct.utsr.checkpoint import load_network

# Bytes that a step of utsr-light holds for each low-resolution pixel of its patches, and what Python with torch takes.
BYTES_PER_PIXEL, BASE = 20_000, 400_000_000
# Weights: those trained, their average, two moments and the gradient; the parent and the best.
COPIES = 7


@dataclass(frozen=True)
class TuneEstimate:
    """What a run will take.

    Attributes
    ----------
    seconds_per_step : float
        Measured over two steps.
    steps : int
        About as many as the time suffices for.
    seconds : float
        Of the whole run: the time given, or less where the steps end sooner.
    memory : int
        Bytes, of the process on the CPU or of the device.
    """

    seconds_per_step: float
    steps: int
    seconds: float
    memory: int


def estimate(settings: TuneSettings, factor: int, pairs: Sequence[SlicePair] = ()) -> TuneEstimate:
    """Measure two steps of the network and tell what the whole run will take; some seconds on a CPU.

    Parameters
    ----------
    settings : TuneSettings
    factor : int
        Of the pairs.
    pairs : sequence of SlicePair
        What is held in memory beside the network.

    Raises
    ------
    UserError
        If there are no such weights or no such device.
    """
    device = choose_device(settings.device)
    network = load_network(parent_path(settings, factor)).to(device).train()
    patch = patch_side(network.period)
    low = torch.rand(OWN + AGAIN, 1, patch, patch, generator=torch.Generator().manual_seed(0)).to(device)
    high = torch.nn.functional.interpolate(low, scale_factor=factor)
    seconds = min(_step(network, low, high) for _ in range(2))
    # The parent's answer to the replay: a third of a step for its share of the patches.
    seconds *= 1 + AGAIN / (OWN + AGAIN) / 3
    steps = max(1, min(PRESETS[settings.preset].steps, int(settings.budget / seconds)))
    weights = 4 * COPIES * sum(value.numel() for value in network.parameters())
    arrays = sum(part.nbytes for pair in pairs for part in (pair.low, pair.high, pair.usable))
    activations = BYTES_PER_PIXEL * low.numel()
    memory = weights + activations + (BASE + 2 * arrays if device.type == "cpu" else 0)
    return TuneEstimate(seconds, steps, min(settings.budget, steps * seconds), memory)


def _step(network: torch.nn.Module, low: torch.Tensor, high: torch.Tensor) -> float:
    start = time.perf_counter()
    with torch.autocast(low.device.type, torch.bfloat16):
        result = network(low)
    loss = restoration_loss(result, high)
    loss.backward()
    loss.item()  # waits for the device
    return time.perf_counter() - start
