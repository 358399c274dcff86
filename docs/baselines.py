"""Find the strength of each method without training: the best mean gain on validation slices, `blind`, factor 1.

Run from the project's folder: ``python docs/baselines.py DATA [METHOD ...]``. The best stand in
``napari_nanoct/evaluation/baselines.py``.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from napari_nanoct.evaluation.baselines import DENOISERS, denoise
from napari_nanoct.evaluation.pairs import degraded
from napari_nanoct.evaluation.scores import baseline, by_sample, evaluate, over_samples
from napari_nanoct.evaluation.truth import TrueSlice, middle, true_slices

TRIED = (0.5, 0.7, 0.85, 1.0, 1.2, 1.4, 2.0, 2.8)
SIDE = 256


def crops(data: Path) -> Iterator[TrueSlice]:
    """Yield the middle of the first two slices of each CT sample for validation."""
    seen: Counter[str] = Counter()
    for truth in true_slices([str(data / "ct")]):
        seen[truth.sample] += 1
        if seen[truth.sample] <= 2:
            yield replace(truth, image=middle(truth.image, SIDE))


def main() -> None:
    """Print a table: gain over the input in dB at each level, for every method and strength."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds ct")
    parser.add_argument("methods", nargs="*", default=list(DENOISERS), metavar="METHOD", help=", ".join(DENOISERS))
    options = parser.parse_args()
    print("| method | strength | level 1 | level 2 | level 3 | mean |")
    print("| --- " * 6 + "|")
    for name in options.methods:
        tried = {str(k): partial(denoise, replace(DENOISERS[name], strength=k), 1) for k in TRIED}
        pairs = degraded(crops(options.data), "blind", 1)
        scores = [s for found, _ in evaluate(pairs, 1, {"input": baseline(1), **tried}) for s in found]
        means = {(s.method, s.level): s.psnr for s in over_samples(by_sample(scores))}
        for strength in tried:
            gains = [means[strength, level] - means["input", level] for level in range(3)]
            shown = " | ".join(f"{gain:+.2f}" for gain in [*gains, float(np.mean(gains))])
            print(f"| {name} | {strength} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
