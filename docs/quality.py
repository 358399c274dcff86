"""Write docs/quality.md: what the shipped weights reach on slices kept out of training, beside the baselines.

Run from the project's folder: ``python docs/quality.py DATA`` with the folder that holds ``ct`` and ``natural``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import quality_page as page

from napari_nanoct.enhance import Enhancer
from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.baselines import untrained
from napari_nanoct.evaluation.cracks import CrackScore, CrackSlice, averaged, crack_slices, score_cracks
from napari_nanoct.evaluation.pairs import degraded
from napari_nanoct.evaluation.picture import save_picture
from napari_nanoct.evaluation.protocols import PROTOCOLS, degrade
from napari_nanoct.evaluation.scores import Method, Score, baseline, baseline_name, evaluate, model
from napari_nanoct.evaluation.truth import TrueSlice, middle, true_slices
from napari_nanoct.jobs import process_environment
from napari_nanoct.phantoms import acquire, phantom
from napari_nanoct.quality import flicker, grid_dependence
from napari_nanoct.utsr import find_model, read_card
from napari_nanoct.volumes import intensity_range, open_volume

DOCS = Path(__file__).parent
MODEL = "utsr-light"
FACTORS = (1, 2, 4)
PHANTOMS = [f"phantom:{seed}" for seed in range(1, 6)]
PICTURED = PHANTOMS[0]
GRID_SAMPLE = "tomobank_nmc532"
# Scores by bfloat16 differ from those by float32 by at most 0.002 dB (crops of 256 x 256, blind and sinogram, x1).
PRECISION = "bfloat16"


def shipped(factor: int) -> bool:
    """Whether there are weights of this factor."""
    try:
        find_model(MODEL, factor)
    except UserError:
        return False
    return True


@cache
def restorers(factor: int, quick: bool) -> dict[str, Method]:
    """Every method, the network last; quickly without BM3D, which takes most of the time."""
    smooth = {name: method for name, method in untrained(factor).items() if not (quick and name == "bm3d")}
    network = {MODEL: model(MODEL, factor, "cpu", PRECISION)}
    return {baseline_name(factor): baseline(factor), **smooth, **network}


def first_slices(source: str) -> list[TrueSlice]:
    """Slices of a data folder; the first one of a phantom."""
    found = list(true_slices([source]))
    return found[:1] if source in PHANTOMS else found


def cracked(source: str) -> list[CrackSlice]:
    """Slices with known cracks."""
    return list(crack_slices([source]))


def restoration(truth: TrueSlice, number: int, protocol: str, factor: int, quick: bool) -> list[Score]:
    """Evaluate all levels of a protocol on one slice; a phantom's picture is kept."""
    scores, kept = [], (DOCS / page.picture(protocol, factor)) if truth.sample == PICTURED else None
    for found, shown in evaluate(degraded([truth], protocol, factor, number), factor, restorers(factor, quick)):
        scores += found
        if kept and (shown.level == 1 or protocol == "bicubic"):
            save_picture(kept, shown)
    return scores


def cracks(one: CrackSlice, number: int, factor: int, quick: bool) -> list[CrackScore]:
    """The crack experiment at the middle level of ``blind`` on one slice."""
    return score_cracks([one], "blind", 1, factor, restorers(factor, quick), number)


def grid(truth: TrueSlice, factor: int) -> dict[int, float]:
    """How far the result depends on where the slice starts."""
    low = degrade(middle(truth.image, 384), "blind", 1, factor, seed=1)
    return grid_dependence(model(MODEL, factor, "cpu"), low, margin=min(64, min(low.shape) // 4))


def flickering() -> dict[str, tuple[float, float]]:
    """How much neighbouring slices of a phantom disagree before and after: of voxels, of means."""
    truth = phantom((12, 256, 256), seed=1)
    acquisition = acquire(truth.clean, seed=1)
    low = acquisition.data
    intensity = intensity_range(open_volume(low))
    after = Enhancer.load(MODEL, 1, "cpu", "float32").slices(low, intensity, np.float32)
    peak = intensity.high - intensity.low
    volumes = {"input": low, f"{MODEL} ×1": after, "truth": acquisition.to_grey(truth.clean)}
    found = {name: flicker(volume, peak) for name, volume in volumes.items()}
    return {name: (one.texture, one.level) for name, one in found.items()}


@dataclass(frozen=True)
class Task:
    """A function, its arguments, and about how much there is to do."""

    work: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    size: float = 1e9


def timed(task: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    """What a task returns, and the processor time that it took."""
    import torch

    torch.set_num_threads(1)
    start = time.process_time()
    return task(*arguments), time.process_time() - start


class Tasks:
    """Tasks for a pool of processes, the longest of them first, and the processor time of all."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool, self.seconds = pool, 0.0

    def run(self, tasks: Sequence[Task]) -> list[Any]:
        """Run tasks; what they return, in their order."""
        pending: dict[int, Future[tuple[Any, float]]] = {}
        for index in sorted(range(len(tasks)), key=lambda index: -tasks[index].size):
            pending[index] = self.pool.submit(timed, tasks[index].work, *tasks[index].arguments)
        found = [pending[index].result() for index in range(len(tasks))]
        self.seconds += sum(seconds for _, seconds in found)
        return [result for result, _ in found]


def measure(data: Path, quick: bool, tasks: Tasks) -> page.Measured:
    """Evaluate everything with the weights that ship."""
    factors = [factor for factor in FACTORS if shipped(factor)]
    sources = [str(data / "natural"), str(data / "ct"), *PHANTOMS]
    loaded = tasks.run(
        [Task(first_slices, (source,)) for source in sources] + [Task(cracked, (source,)) for source in sources[1:]]
    )
    natural, truths = loaded[0], [truth for found in loaded[1 : len(sources)] for truth in found]
    labelled = [one for found in loaded[len(sources) :] for one in found]
    todo: dict[tuple[str, str, int], list[Task]] = {}
    for factor in factors:
        for protocol, levels in PROTOCOLS.items():
            if protocol != "bicubic" or factor > 1:
                chosen = [*natural, *truths] if protocol == "bicubic" else truths
                todo["restoration", protocol, factor] = [
                    Task(restoration, (truth, n, protocol, factor, quick), levels * truth.image.size / factor**2)
                    for n, truth in enumerate(chosen)
                ]
        todo["cracks", "blind", factor] = [
            Task(cracks, (one, n, factor, quick), one.image.size / factor**2) for n, one in enumerate(labelled)
        ]
        example = next(truth for truth in truths if truth.sample == GRID_SAMPLE)
        todo["grid", "blind", factor] = [Task(grid, (example, factor), 8 * 384**2 / factor**2)]
    todo["flicker", "", 1] = [Task(flickering, (), 12 * 256**2)] if 1 in factors else []
    found = iter(tasks.run([task for group in todo.values() for task in group]))
    results = {key: [next(found) for _ in group] for key, group in todo.items()}
    return page.Measured(
        scores={key[1:]: list(chain(*lists)) for key, lists in results.items() if key[0] == "restoration"},
        cracks={key[2]: averaged(chain(*lists)) for key, lists in results.items() if key[0] == "cracks"},
        grid={key[2]: lists[0] for key, lists in results.items() if key[0] == "grid"},
        flicker=next(iter(results["flicker", "", 1]), {}),
        absent=[factor for factor in FACTORS if factor not in factors],
    )


def main() -> None:
    """Evaluate all protocols and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds ct and natural")
    parser.add_argument("--quick", action="store_true", help="leave out BM3D, which takes most of the time")
    options = parser.parse_args()
    # For the processes of the pool, each of one thread.
    os.environ |= {**process_environment(), "OMP_NUM_THREADS": "1"}
    started = time.monotonic()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        tasks = Tasks(pool)
        measured = measure(options.data, options.quick, tasks)
    cards = [read_card(find_model(MODEL, factor)) for factor in FACTORS if factor not in measured.absent]
    weights = "\n".join(f"- {card.name} ×{card.scale}, sha256 `{card.sha256[:16]}…`" for card in cards)
    minutes, processor = (time.monotonic() - started) / 60, tasks.seconds / 60
    foot = (
        f"Measured in {minutes:.0f} minutes by two processes ({platform.machine()}); they took {processor:.1f} minutes "
        f"of processor time, {processor / 2:.1f} on each of two cores. For these weights:\n\n{weights}\n"
    )
    (DOCS / "quality.md").write_text(page.write(measured, foot), encoding="utf-8")


if __name__ == "__main__":
    main()
