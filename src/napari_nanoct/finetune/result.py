"""The end of a fine-tuning: child against parent, and the weights with a card that tells how they came about."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_nanoct.enhance.device import describe
from napari_nanoct.finetune.compare import Image, Restore, compare, save_comparison
from napari_nanoct.finetune.judge import restore
from napari_nanoct.jobs import Done, Preview
from napari_nanoct.jobs.record import stamp, versions
from napari_nanoct.training.data import filled
from napari_nanoct.utsr.card import Card
from napari_nanoct.utsr.checkpoint import save_checkpoint
from napari_nanoct.utsr.halo import measure_halo
from napari_nanoct.utsr.network import UTSR
from napari_nanoct.utsr.resampling import enlarge_bicubic

if TYPE_CHECKING:
    from napari_nanoct.finetune.tuning import Task
    from napari_nanoct.finetune.workplace import Point, Workplace

COMPARED = INPUT, BICUBIC, TARGET = ("input", "bicubic", "target")
"""What the networks are shown beside: what they are given, at factor 1 or enlarged, and what it should become."""
BETTER = 0.05
"""Decibel that the child must gain on the held-out slices to be called better: the best of several was chosen there."""
FORGOTTEN = 0.3
"""Decibel that it may lose on synthetic pairs; beyond, it is drawn back towards its parent."""
SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of the child in the weights that are tried for that (Wortsman et al., CVPR 2022)."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a training ended with.

    Attributes
    ----------
    child : UTSR
        With its best weights, on the device.
    parent : float
        Score of the parent on the held-out slices.
    curve : tuple of Point
    steps : int
    stopped : bool
        By the user, before its time.
    """

    child: UTSR
    parent: float
    curve: tuple[Point, ...]
    steps: int
    stopped: bool


def write_result(
    task: Task, outcome: Outcome, place: Workplace, volumes: Mapping[str, Any], started: float
) -> Generator[Preview, None, Done]:
    """Compare child and parent, and write the weights with their card and the picture; the weights appear last.

    Yields
    ------
    Preview
        Of the weights that are written: not those of the last validation.
    """
    settings, judge = task.settings, task.judge
    child, share, memory = less_forgetful(task, outcome.child)
    judge.preview(place.preview, task.parent, child)
    yield Preview(str(place.preview), outcome.steps)
    name = f"{settings.model_name} ×{task.factor}"
    first = INPUT if task.factor == 1 else BICUBIC

    def enlarged(low: Image) -> Image:
        return np.asarray(enlarge_bicubic(torch.from_numpy(low)[None, None], task.factor)[0, 0].numpy())

    methods: dict[str, Restore] = {
        first: enlarged,
        task.card.name: partial(restore, task.parent, device=task.device),
        settings.model_name: partial(restore, child, device=task.device),
    }
    figures, images = compare(judge, methods)
    score = judge.score(child)
    gain = judge.gain(score, outcome.parent)
    better = gain > BETTER
    shown = dict(zip(methods, images, strict=True))
    if judge.supervised:
        shown[TARGET] = judge.views[0].high
        labels = {key: f"{row['psnr']:.2f} dB" for key, row in figures.items() if row["psnr"] is not None}
    else:
        errors = {task.card.name: outcome.parent, settings.model_name: score}
        figures = {key: {"error": round(error, 7)} for key, error in errors.items()}
        labels = {key: f"error {error:.5f}" for key, error in errors.items()}
    save_comparison(place.picture, shown, labels)
    quality = {
        "held_out": figures,
        "score": score,
        "parent_score": outcome.parent,
        "gain_db": round(gain, 3),
        "better_than_parent": better,
        "synthetic_db": {"parent": round(memory[0], 3), "child": round(memory[1], 3)},
    }
    # Stopped by the user, who waits: the widest halo is safe without measuring.
    halo = 3 * child.period if outcome.stopped else measured_halo(task, child)
    record = {
        **stamp("finetune", time.monotonic() - started),
        "method": task.method,
        "parent": {"name": task.card.name, "scale": task.factor, "sha256": task.card.sha256},
        "pairs": {
            "digest": task.digest,
            "volumes": dict(volumes),
            "learnt": [pair.low_slice for pair in task.split.learnt],
            "held_out": [pair.low_slice for pair in task.split.held],
            "note": task.split.note,
        },
        "settings": asdict(settings),
        "training": task.plan | {"share_of_child": share},
        "seed": settings.seed,
        "steps": outcome.steps,
        "stopped": outcome.stopped,
        "curve": [[point.step, round(point.loss, 6), round(point.score, 6)] for point in outcome.curve],
        "notes": settings.notes,
        "device": describe(task.device),
        "versions": versions(),
    }
    card = Card(settings.model_name, task.factor, child.period, halo, {}, training=record, quality=quality)
    card = save_checkpoint(place.output, child.cpu(), card)
    message = sentence(name, task.card.name, judge.supervised, score, outcome.parent, better)
    if outcome.stopped:
        message = f"Stopped after {outcome.steps} steps, the best so far was kept. {message}"
    done = {
        **record,
        "model": {"name": card.name, "scale": card.scale, "sha256": card.sha256},
        "quality": quality,
        "better_than_parent": better,
        "picture": str(place.picture),
        "message": message,
    }
    return Done(str(place.output), time.monotonic() - started, done)


def sentence(name: str, parent: str, supervised: bool, score: float, before: float, better: bool) -> str:
    """Say how the child compares with its parent on what was held out."""
    if supervised:
        figures = f"{score:.2f} dB against {before:.2f} dB PSNR on held-out slices"
    else:
        figures = (
            f"mean squared error {score:.5f} against {before:.5f} to noisy pixels held out, whose noise is in both"
        )
    if better:
        return f"{name} is better than {parent}: {figures}."
    return f"{name} is NOT better than {parent}: {figures}. Keep using {parent}; more or better pairs may help."


def less_forgetful(task: Task, child: UTSR) -> tuple[UTSR, float, tuple[float, float]]:
    """Draw the child back towards its parent until it has lost little on synthetic pairs.

    Returns
    -------
    UTSR
    float
        Share of the child in its weights.
    (float, float)
        PSNR in decibel of the parent and of the result on synthetic pairs.
    """
    own = {name: value.clone() for name, value in child.state_dict().items()}
    old = task.parent.state_dict()
    before = after = task.memory.score(task.parent)
    share = SHARES[0]
    for share in SHARES:
        child.load_state_dict(interpolated(old, own, share))
        after = task.memory.score(child)
        if after > before - FORGOTTEN:
            break
    return child, share, (before, after)


def interpolated(old: Mapping[str, Tensor], new: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return weights on the straight line from ``old`` (share 0) to ``new`` (share 1)."""
    return {name: torch.lerp(old[name], value, share) for name, value in new.items()}


def measured_halo(task: Task, child: UTSR) -> int:
    """Measure the halo on the largest slice."""
    low = max((pair.low for pair in task.split.learnt), key=lambda low: low.size)
    side = 10 * child.period
    return measure_halo(child.cpu(), torch.from_numpy(filled(low[:side, :side])))
