"""Networks trained alike at factor 2: same batches, loss (plain mean) and optimiser; equal processor time or steps."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from napari_nanoct.evaluation.pairs import degraded
from napari_nanoct.evaluation.scores import bare, baseline, by_sample, evaluate, over_samples
from napari_nanoct.evaluation.truth import true_slices
from napari_nanoct.training.batches import Batches
from napari_nanoct.training.loop import learning_rate
from napari_nanoct.training.optimisers import Optimisers, adam
from napari_nanoct.training.recipe import Recipe, Stage
from napari_nanoct.training.trainer import Trainer

STAGE = Stage(steps=10**6, natural=0.7, clean=0.5, batch=2, rate=1e-3, warm_up=200)
COLUMNS = ("network", "parameters", "multiply-adds", "s/Mpx", "steps", "minutes")
SCORED = ("natural, clean", "CT, clean", "blind 1", "blind 2")
HEADER = f"| {' | '.join(COLUMNS + SCORED)} |"
SIDE = 256


def trained(
    network: nn.Module,
    data: Path,
    minutes: float = math.inf,
    steps: float = math.inf,
    stages: Sequence[Stage] = (STAGE,),
    cosine: bool = True,
    optimisers: Optimisers = adam,
) -> tuple[nn.Module, int, float]:
    """Train until the processor time or the steps are spent, an equal part of them in each stage.

    Returns the averaged network, its steps and minutes. Without ``cosine`` the rate stays what it is after the warm-up.
    """
    recipes = [Recipe("alike", "utsr-light", 2, 2, (stage,)) for stage in stages]
    batches = [Batches(recipe, data) for recipe in recipes]
    trainer = Trainer(recipes[0], network, torch.device("cpu"), optimisers)
    started = time.process_time()

    def spent() -> float:
        return (time.process_time() - started) / 60

    while (share := max(spent() / minutes, trainer.step / steps)) < 1:
        part = int(share * len(stages))
        rate = learning_rate(stages[part], trainer.step, share if cosine else 0.0)
        trainer.update(*batches[part].draw(trainer.step), rate, merge=torch.mean)
    return trainer.averaged(), trainer.step, spent()


def gains(network: nn.Module, data: Path) -> list[str]:
    """Gain over bicubic in dB and SSIM: twelve clean natural pictures; CT samples, clean and blind at two levels."""
    found = []
    for source, protocol in (("natural", "bicubic"), ("ct", "bicubic"), ("ct", "blind")):
        truths = list(true_slices([str(data / source)]))[:12]
        methods = {"bicubic": baseline(2), "network": bare(network)}
        scores = [s for group, _ in evaluate(degraded(truths, protocol, 2), 2, methods) for s in group]
        means = over_samples(by_sample(scores))
        both = [(a, b) for a, b in zip(means[::2], means[1::2], strict=True) if a.level < 2]
        found += [f"{b.psnr - a.psnr:+.2f} / {b.ssim - a.ssim:+.3f}" for a, b in both]
    return found


def multiply_adds(network: nn.Module) -> float:
    """Multiply-adds for one slice of 64 x 64 pixels, attention products included."""
    counter = FlopCounterMode(display=False)
    with counter:  # with gradients: attention is written out then, and the counter does not know the fused kernel's
        network(torch.zeros(1, 1, 64, 64))
    return counter.get_total_flops() / 2


def seconds_per_megapixel(network: nn.Module) -> float:
    """Processor time of one thread for a megapixel of input in bfloat16: the least of three tries."""
    slice_ = torch.rand(1, 1, SIDE, SIDE).contiguous(memory_format=torch.channels_last)
    network = network.eval().to(memory_format=torch.channels_last)
    tries = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(4):  # the first warms up
            begin = time.process_time()
            network(slice_)
            tries.append(time.process_time() - begin)
    return min(tries[1:]) / SIDE**2 * 1e6


def command(about: str | None, networks: Mapping[str, Callable[[], nn.Module]]) -> None:
    """Take folder and budget from the command line, and compare the networks."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=math.inf, help="processor time for each network")
    parser.add_argument("--steps", type=float, default=math.inf, help="steps for each network")
    parser.add_argument("--only", nargs="*", choices=list(networks), default=list(networks))
    options = parser.parse_args()
    if math.isinf(options.minutes) and math.isinf(options.steps):
        parser.error("give --minutes or --steps")
    compare({name: networks[name] for name in options.only}, options.data, options.minutes, options.steps)


def compare(
    networks: Mapping[str, Callable[[], nn.Module]], data: Path, minutes: float = math.inf, steps: float = math.inf
) -> None:
    """Train and score every network on one thread and print a table, a row as soon as it is there."""
    torch.set_num_threads(1)
    print(HEADER)
    print("| --- " * len(COLUMNS + SCORED) + "|", flush=True)
    for name, build in networks.items():
        torch.manual_seed(2)
        network = build()
        size = f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M | {multiply_adds(network) / 1e9:.2f} G"
        size += f" | {seconds_per_megapixel(network):.1f}"
        network, taken, spent = trained(network, data, minutes, steps)
        print(f"| {name} | {size} | {taken} | {spent:.0f} | {' | '.join(gains(network, data))} |", flush=True)
