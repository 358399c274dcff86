"""What a fine-tuning will take, said before it starts: time a step, steps in the time given, memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from napari_nanoct.enhance.device import choose_device
from napari_nanoct.finetune.held_out import kept_out
from napari_nanoct.finetune.judge import SIDE, SLICES
from napari_nanoct.finetune.project import load_project
from napari_nanoct.finetune.settings import TuneSettings
from napari_nanoct.finetune.tuning import AGAIN, OWN, VALIDATING, VALIDATIONS, ending, parent_path, patch_side
from napari_nanoct.finetune.workplace import Workplace
from napari_nanoct.training.losses import restoration_loss
from napari_nanoct.utsr.checkpoint import load_network

# Bytes that utsr-light holds for each low-resolution pixel, in a step for its patches and at the end for the square by
# which the halo is measured, eight periods a side in float32; and what Python with torch takes.
BYTES_PER_PIXEL, BYTES_AT_END, BASE = 20_000, 3_000, 450_000_000
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
        About as many as the time suffices for, validations and the comparison at the end taken off.
    seconds : float
        Of the whole run: the time given, or less where the steps end sooner, or more where it is too short for the
        comparison.
    memory : int
        Bytes, of the process on the CPU or of the device.
    """

    seconds_per_step: float
    steps: int
    seconds: float
    memory: int


def foreseen(settings: TuneSettings) -> TuneEstimate:
    """Tell what the run of these settings will take; raises what the run itself would, before it takes any time."""
    from napari_nanoct.volumes import open_volume

    project = load_project(Path(settings.project))
    Workplace(settings)
    parent_path(settings, project.factor)
    _, height, width = open_volume(project.low.path).shape
    return estimate(settings, project.factor, len(project.matches), (height, width))


def estimate(settings: TuneSettings, factor: int, count: int, shape: tuple[int, int]) -> TuneEstimate:
    """Measure two steps of the network and a validation's slice, and tell what the whole run will take.

    Some seconds on a CPU.

    Parameters
    ----------
    settings : TuneSettings
    factor : int
        Of the pairs.
    count : int
        Of the pairs.
    shape : (int, int)
        Of a low-resolution slice.

    Raises
    ------
    UserError
        If there are no such weights or no such device.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    device = choose_device(settings.device)
    network = load_network(parent_path(settings, factor)).to(device).train()
    patch, views = patch_side(network.period), min(SLICES, kept_out(count))
    height, width = (min(extent, SIDE // factor) for extent in shape)
    batch = OWN[factor] + AGAIN
    low = torch.rand(batch, 1, patch, patch, device=device)
    view = torch.rand(1, 1, height, width, device=device)
    high = torch.nn.functional.interpolate(low, scale_factor=factor)
    # The parent's answer to the replay: a third of a step for its share of the patches.
    step = min(_step(network, low, high) for _ in range(2)) * (1 + AGAIN / batch / 3)
    forward = min(_forward(network, view) for _ in range(2))
    end = ending(forward * views, views * height * width)
    # The parent's score, and at each validation that of the child and two pictures.
    validations = forward * views + min(VALIDATIONS * forward * (views + 2), VALIDATING * settings.budget)
    budget = settings.budget
    # Half of the time is for training, so that all takes more than was given where the end takes more than half.
    training = budget - validations - min(end, budget / 2)
    steps = max(1, min(settings.steps, int(training / step)))
    seconds = min(steps * step + validations + end, max(budget, budget / 2 + end))
    weights = 4 * COPIES * sum(value.numel() for value in network.parameters())
    memory = weights + BYTES_PER_PIXEL * low.numel()
    if device.type == "cpu":
        # Slices, targets and what can be used are held twice: as they are, and told apart.
        pairs = count * shape[0] * shape[1] * (5 + 4 * factor**2)
        memory = BASE + max(memory, BYTES_AT_END * (8 * network.period) ** 2) + 2 * pairs
    return TuneEstimate(step, steps, seconds, memory)


def _step(network: torch.nn.Module, low: torch.Tensor, high: torch.Tensor) -> float:
    start = time.perf_counter()
    with torch.autocast(low.device.type, torch.bfloat16):
        result = network(low)
    loss = restoration_loss(result, high)
    loss.backward()
    loss.item()  # waits for the device
    return time.perf_counter() - start


def _forward(network: torch.nn.Module, low: torch.Tensor) -> float:
    start = time.perf_counter()
    with torch.inference_mode(), torch.autocast(low.device.type, torch.bfloat16):
        network(low).sum().item()
    return time.perf_counter() - start
