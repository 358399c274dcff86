"""The training loop: from a recipe to the best averaged weights, with logs and a state to resume from."""

from __future__ import annotations

import csv
import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.cancel import CancelToken
from napari_nanoct.jobs.events import Done, Event, Progress
from napari_nanoct.jobs.files import writing
from napari_nanoct.training.batches import Batches
from napari_nanoct.training.folder import check_folder, rewound, stage_path, weights_path
from napari_nanoct.training.recipe import Recipe, Stage
from napari_nanoct.training.teacher import held
from napari_nanoct.training.trainer import Trainer
from napari_nanoct.utsr.card import Card
from napari_nanoct.utsr.catalogue import find_model
from napari_nanoct.utsr.checkpoint import load_network, save_checkpoint
from napari_nanoct.utsr.halo import measure_halo
from napari_nanoct.utsr.network import PRESETS, UTSR, build

REPORT_EVERY = 20
SAVE_EVERY = 200
VALIDATE_EVERY = 1000
# Weights may lose slowly what they had learnt, and no loss tells: so far below the best validation, in dB, is too far.
LOST = 1.0
LEAST_PACE = 1 / 64

Validate = Callable[[UTSR], Mapping[str, float]]
"""Gains in decibel of a network, by protocol; empty where there is nothing to validate on."""


def weights_named(name: str) -> Path:
    """Return the file of weights that a recipe names: a ``.safetensors`` file, or name and factor of some at hand."""
    known = re.fullmatch(r"(.+) x([124])", name)
    return find_model(known[1], int(known[2])) if known else find_model(name)


def start_network(recipe: Recipe) -> UTSR:
    """Build the network of a recipe, from its starting weights where it names them.

    Starting weights of another factor give all but the tail, which starts at zero.
    """
    if recipe.network not in PRESETS:
        raise UserError(
            f"The recipe '{recipe.name}' names the network '{recipe.network}'; there are: {', '.join(PRESETS)}."
        )
    network = build(PRESETS[recipe.network], recipe.scale)
    if recipe.start:
        path = weights_named(recipe.start)
        begun = load_network(path)
        if begun.scale != recipe.scale and any(stage.needs_older and not stage.older for stage in recipe.stages):
            raise UserError(
                f"The recipe '{recipe.name}' is of factor {recipe.scale}, and {path}, which a stage of it holds to or "
                f"averages with, of factor {begun.scale}; start from weights of the same factor, or give older, an "
                "earlier stage."
            )
        weights = begun.state_dict()
        own = network.state_dict()
        taken = {n: v for n, v in weights.items() if n in own and v.shape == own[n].shape}
        if any(name.startswith("u.") for name in own.keys() - taken.keys()):
            raise UserError(
                f"The recipe '{recipe.name}' starts from {path}, which are weights of another network than "
                f"'{recipe.network}'; name others, or leave out start."
            )
        network.load_state_dict(own | taken)
    return network


def learning_rate(stage: Stage, step: int, progress: float) -> float:
    """Learning rate at a step of a stage: linear warm-up, then a cosine down to a hundredth of the highest rate.

    Parameters
    ----------
    stage : Stage
    step : int
        Step within the stage.
    progress : float
        How much of the stage is done, 0 to 1.
    """
    cosine = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return stage.rate * min(1.0, (step + 1) / stage.warm_up) * cosine


def train(
    recipe: Recipe,
    data: Path,
    output: Path,
    *,
    phantoms: Iterable[NDArray[np.float32]] = (),
    device: str = "cpu",
    threads: int | None = None,
    resume: bool = False,
    minutes: float = math.inf,
    validate: Validate = lambda network: {},
    cancel: CancelToken | None = None,
) -> Iterator[Event]:
    """Train a network by a recipe.

    Parameters
    ----------
    recipe : Recipe
    data : Path
        Folder that holds ``ct/index.csv`` and, where the recipe has a share of them, ``natural/index.csv``.
    output : Path
        Folder for the state to resume from (``state.safetensors``), the logs (``log.csv``, ``validation.csv``) and,
        with their card, the averaged weights after each stage (``stage-N.safetensors``) and the best of the latest
        (``NAME.safetensors``).
    phantoms : iterable of ndarray, shape (y, x)
        Clean slices of ``recipe.phantoms`` phantoms, range 0 to 1; taken once the output and the data will do.
    device : str
        ``cpu``, ``cuda`` or ``mps``.
    threads : int, optional
        CPU threads; all by default.
    resume : bool
        Continue from the state in ``output``.
    minutes : float
        Stop after so long, with the state saved, wherever the training is.
    validate : callable
        Judges the averaged network every thousand steps and at the end of a stage; the best of a stage by the mean over
        protocols is kept. Where it finds nothing to judge by, the latest is.
    cancel : CancelToken, optional
        Checked every step; the state is saved before the job ends.

    Yields
    ------
    Event
        ``Progress`` in steps with the mean loss, at last ``Done`` with the steps taken.

    Raises
    ------
    UserError
        If the data are missing, or ``output`` holds a training or its weights and ``resume`` is not asked for, or
        the reverse.
    """
    state = check_folder(recipe, output, resume)
    if threads:
        torch.set_num_threads(threads)
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    trainer = Trainer(recipe, start_network(recipe), torch.device(device))
    if resume and trainer.load(state) != repr(recipe):
        raise UserError(
            f"{output} holds a training by '{recipe.name}' as it was before it changed; choose another output folder, "
            "or put the recipe back."
        )
    batches = Batches(recipe, data, phantoms, trainer.device)
    started, first, cpu = time.monotonic(), trainer.step, time.process_time()
    losses: list[float] = []
    rewound(output / "validation.csv", first)
    rows = rewound(output / "log.csv", first)
    before = [float(value) for value in rows[-1][3:]] if rows else [0.0, 0.0]
    with (output / "log.csv").open("a", newline="") as file:
        log = csv.writer(file)
        if not file.tell():
            log.writerow(["step", "loss", "learning_rate", "seconds", "cpu_seconds"])
        stopping, known, older = False, None, None
        while trainer.step < recipe.steps and not stopping:
            stage, within = recipe.at(trainer.step)
            if stage is not known:
                known, older = stage, older_network(trainer, stage, output)
            if within == 0:
                trainer.best = -math.inf  # a stage is a training of its own
            rate = learning_rate(stage, within, within / stage.steps)
            low, high = batches.draw(trainer.step)
            if older is not None:
                high = held(older, low, high, batches.hold(trainer.step))
            losses.append(trainer.update(low, high, rate))
            if trainer.pace < LEAST_PACE:
                raise UserError(
                    f"The training diverged at step {trainer.step}; lower the rate in the recipe and start again."
                )
            ended = recipe.ended(trainer.step)
            if ended and older is not None and stage.average:
                trainer.average_with(older, stage.average)
                trainer.best = -math.inf  # this mean is what the stage is to give
            seconds = time.monotonic() - started
            cancelled = cancel is not None and cancel.cancelled
            stopping = cancelled or seconds > 60 * minutes
            if trainer.step % REPORT_EVERY == 0 or ended or stopping:
                mean, losses = sum(losses) / len(losses), []
                spent = [before[0] + seconds, before[1] + time.process_time() - cpu]
                log.writerow([trainer.step, f"{mean:.6f}", f"{rate:.3g}", *(f"{value:.0f}" for value in spent)])
                file.flush()
                left = seconds / (trainer.step - first) * (recipe.steps - trainer.step)
                slower = f", at {trainer.pace:g} of the rate since it ran away" if trainer.pace < 1 else ""
                yield Progress(trainer.step, recipe.steps, "steps", None, left, f"loss {mean:.5f}{slower}")
            due = trainer.step % VALIDATE_EVERY == 0
            if ended or (not cancelled and (due or stopping)):
                keep_best(trainer, batches, output, validate, ended, may_fall_back=due and not ended)
            if trainer.step % SAVE_EVERY == 0 or ended or stopping:
                trainer.save(state)
            if cancelled and cancel is not None:
                cancel.check()
    yield Done(str(weights_path(recipe, output)), time.monotonic() - started, {"steps": trainer.step})


def older_network(trainer: Trainer[UTSR], stage: Stage, output: Path) -> UTSR | None:
    """Return the network with the older weights of a stage, on the device of the training; None if it needs none."""
    if not stage.needs_older:
        return None
    network = load_network(stage_path(output, stage.older)) if stage.older else start_network(trainer.recipe)
    return network.to(trainer.device).eval()


def keep_best(
    trainer: Trainer[UTSR], batches: Batches, output: Path, validate: Validate, ended: int, *, may_fall_back: bool
) -> None:
    """Validate the averaged network, log its gains, and write its weights unless better ones of the stage were before.

    Those at the end of a stage, given by its number (0 within one), are also written as such. Where much of what the
    best could is lost, the training goes back to them, if it may: a pause is to change nothing.
    """
    network = trainer.averaged()
    gains = validate(network)
    mean = sum(gains.values()) / len(gains) if gains else math.inf
    if gains:
        path = output / "validation.csv"
        new = not path.exists()
        with path.open("a", newline="") as file:
            log = csv.writer(file)
            if new:
                log.writerow(["step", *gains])
            log.writerow([trainer.step, *(f"{gain:.3f}" for gain in gains.values())])
    best = weights_path(trainer.recipe, output)
    paths = [stage_path(output, ended)] if ended else []
    if mean >= trainer.best or not best.exists():
        trainer.best = mean
        paths.append(best)
    elif may_fall_back and mean < trainer.best - LOST:
        trainer.fall_back(load_network(best).state_dict())
    if paths:
        write_weights(trainer, network, batches, paths, gains)


def write_weights(
    trainer: Trainer[UTSR], network: UTSR, batches: Batches, paths: Iterable[Path], gains: Mapping[str, float]
) -> None:
    """Write the averaged weights with their card: halo as measured, how they were trained, what they gain."""
    recipe = trainer.recipe
    training: dict[str, Any] = {
        "recipe": recipe.name,
        "steps": trainer.step,
        "stages": json.loads(json.dumps([vars(stage) for stage in recipe.stages])),
        "start": recipe.start,
        "seed": recipe.seed,
        "natural_pictures": len(batches.natural),
        "ct_slices": len(batches.ct),
        "phantoms": recipe.phantoms,
    }
    halo = max(measure_halo(network, picture) for picture in batches.halo_pictures())
    quality = {"validation_gain_db": {protocol: round(gain, 3) for protocol, gain in gains.items()}} if gains else {}
    card = Card(recipe.network, recipe.scale, network.period, halo, {}, training=training, quality=quality)
    for path in paths:
        save_checkpoint(path, network, card)
