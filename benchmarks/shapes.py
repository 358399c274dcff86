"""Compare shapes of utsr-light: each trained for the same processor time on one thread, then scored on validation data.

``python benchmarks/shapes.py DATA --minutes 10 [--only NAME ...]`` with the folder that holds ``ct`` and ``natural``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_nanoct.evaluation.pairs import degraded
from napari_nanoct.evaluation.scores import baseline, by_sample, evaluate, over_samples
from napari_nanoct.evaluation.truth import true_slices
from napari_nanoct.training.batches import Batches
from napari_nanoct.training.loop import Trainer, learning_rate
from napari_nanoct.training.recipe import Recipe, Stage
from napari_nanoct.utsr import PRESETS, UTSR

LIGHT = PRESETS["utsr-light"]
SHAPES = {
    "utsr-light: 12 convolutions of 64 beside a small U": LIGHT,
    "U alone": replace(LIGHT, channels=(48, 72, 96, 144), blocks=(4, 2, 2, 4), extra_blocks=4, detail_channels=0),
    "16 convolutions of 64 beside a smaller U": replace(
        LIGHT, channels=(24, 48, 72, 96), blocks=(1, 1, 1, 2), extra_blocks=1, detail_layers=16
    ),
    "12 convolutions of 64 beside the first U": replace(
        LIGHT, channels=(48, 72, 96, 144), blocks=(4, 2, 2, 4), extra_blocks=4
    ),
}
STAGE = Stage(steps=10**6, natural=0.7, clean=0.5, rate=6e-4, warm_up=60)


def trained(name: str, data: Path, seconds: float) -> tuple[UTSR, int]:
    """Train a shape at factor 2 for so much processor time; return it with its averaged weights, and its steps."""
    PRESETS["shape"] = SHAPES[name]
    recipe = Recipe("shape", "shape", 2, 2, (STAGE,))
    trainer, batches = Trainer(recipe, torch.device("cpu")), Batches(recipe, data)
    started = time.process_time()
    while (share := (time.process_time() - started) / seconds) < 1:
        trainer.update(*batches.draw(trainer.step), learning_rate(STAGE, trainer.step, share))
    return trainer.averaged(), trainer.step


def gains(network: UTSR, data: Path) -> list[str]:
    """Mean gain over bicubic in dB: natural pictures (twelve, clean), CT samples clean and blind at level 1 and 2."""

    def restore(low: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(low)[None, None])[0, 0].numpy()

    found = []
    for source, protocol in (("natural", "bicubic"), ("ct", "bicubic"), ("ct", "blind")):
        truths = list(true_slices([str(data / source)]))[:12]
        methods = {"bicubic": baseline(2), "network": restore}
        scores = [s for group, _ in evaluate(degraded(truths, protocol, 2), 2, methods) for s in group]
        means = over_samples(by_sample(scores))
        found += [f"{b.psnr - a.psnr:+.2f}" for a, b in zip(means[::2], means[1::2], strict=True) if a.level < 2]
    return found


def main() -> None:
    """Train and score every shape and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time for each shape")
    parser.add_argument("--only", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    print("| shape | parameters | steps | natural, clean | CT, clean | CT, blind 1 | CT, blind 2 |")
    print("| --- " * 7 + "|")
    for name in options.only:
        network, steps = trained(name, options.data, 60 * options.minutes)
        size = sum(p.numel() for p in network.parameters()) / 1e6
        print(f"| {name} | {size:.2f} M | {steps} | {' | '.join(gains(network, options.data))} |", flush=True)


if __name__ == "__main__":
    main()
