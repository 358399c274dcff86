"""F1 of cracks after utsr-light and its peers, trained alike at factor 2 on one thread, by one plain threshold for all.

At equal processor time: ``python benchmarks/peers_cracks.py DATA --minutes 4``, with the folder that holds ``ct`` and
``natural``. Phantoms that no training saw, `blind` at the middle level; points gained over bicubic.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from equal_training import trained
from peers import NETWORKS

from napari_nanoct.evaluation.cracks import crack_slices, over_phantoms, score_cracks
from napari_nanoct.evaluation.scores import Method, bare, baseline
from napari_nanoct.jobs.process import keep_pages

PHANTOMS = [f"phantom:{seed}" for seed in range(1, 6)]
COLUMNS = ("network", "steps", "minutes", "F1", "best F1", "thin cracks, F1", "thin cracks, best F1", "false share / %")


def main() -> None:
    """Train every network, score it, and print a table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0, help="processor time for each network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    slices = list(crack_slices(PHANTOMS))

    def figures(method: Method) -> list[float]:
        large, thin, sound = over_phantoms(score_cracks(slices, "blind", 1, 2, {"": method}))
        return [*(100 * f1 for kind in (large, thin) for f1 in (kind.f1, kind.f1_best)), 100 * sound.false_share]

    before = figures(baseline(2))
    print(f"| {' | '.join(COLUMNS)} |\n{'| --- ' * len(COLUMNS)}|")
    print(f"| bicubic | | | {' | '.join(f'{value:.1f}' for value in before[:-1])} | {before[-1]:.3f} |", flush=True)
    for name, build in NETWORKS.items():
        torch.manual_seed(2)
        network, steps, spent = trained(build(), options.data, options.minutes)
        *after, wrong = figures(bare(network.eval()))
        points = " | ".join(f"{now - then:+.1f}" for now, then in zip(after, before[:-1], strict=True))
        print(f"| {name} | {steps} | {spent:.0f} | {points} | {wrong:.3f} |", flush=True)


if __name__ == "__main__":
    keep_pages()
    main()
