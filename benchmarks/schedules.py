"""Compare optimisers, rates and schedules: utsr-light at factor 2, trained for the same processor time on one thread.

``python benchmarks/schedules.py DATA --minutes 4 [--only NAME ...]`` with the folder that holds ``ct`` and ``natural``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from equal_training import SCORED, STAGE, gains, trained

from napari_nanoct.jobs.process import keep_pages
from napari_nanoct.training.optimisers import Optimisers, adam, muon_and_adam
from napari_nanoct.training.recipe import Stage
from napari_nanoct.utsr import PRESETS, build


@dataclass(frozen=True)
class Schedule:
    """Stages, an equal part of the time each, and what takes the steps."""

    stages: tuple[Stage, ...] = (STAGE,)
    cosine: bool = True
    optimisers: Optimisers = adam


def muon(rate: float) -> Schedule:
    """Make the schedule of elsewhere, at a rate of its own and with Muon."""
    return Schedule((replace(STAGE, rate=rate),), optimisers=muon_and_adam)


SCHEDULES = {
    "1e-3, 200 steps of warm-up, a cosine, two patches of 64": Schedule(),
    "Muon at 3e-4": muon(3e-4),
    "Muon at 1e-3": muon(1e-3),
    "Muon at 2e-3": muon(2e-3),
    "rate 3e-4": Schedule((replace(STAGE, rate=3e-4),)),
    "rate 2e-3": Schedule((replace(STAGE, rate=2e-3),)),
    "no warm-up": Schedule((replace(STAGE, warm_up=1),)),
    "the rate stays at 1e-3 after the warm-up": Schedule(cosine=False),
    "eight patches": Schedule((replace(STAGE, batch=8),)),
    "patches of 128": Schedule((replace(STAGE, patch=128),)),
    "patches of 64, 96, 128, a third of the time each": Schedule(
        tuple(replace(STAGE, patch=side) for side in (64, 96, 128))
    ),
}


def main() -> None:
    """Train and score with every schedule and print a table, a row as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0, help="processor time for each schedule")
    parser.add_argument("--only", nargs="*", choices=list(SCHEDULES), default=list(SCHEDULES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    columns = ("schedule", "steps", "minutes", *SCORED)
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|", flush=True)
    for name in options.only:
        torch.manual_seed(2)
        network = build(PRESETS["utsr-light"], 2)
        network, steps, spent = trained(network, options.data, options.minutes, **vars(SCHEDULES[name]))
        print(f"| {name} | {steps} | {spent:.0f} | {' | '.join(gains(network, options.data))} |", flush=True)


if __name__ == "__main__":
    keep_pages()
    main()
