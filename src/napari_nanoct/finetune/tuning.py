"""The fine-tuning job: from the parent's weights, all of them at a low rate, to the best on what was held out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from safetensors import SafetensorError
from torch import Tensor

from napari_nanoct.enhance.device import choose_device
from napari_nanoct.errors import UserError
from napari_nanoct.finetune.held_out import Split, checked, split
from napari_nanoct.finetune.judge import Judge, Memory
from napari_nanoct.finetune.patches import Patches
from napari_nanoct.finetune.project import load_project
from napari_nanoct.finetune.replay import Replay
from napari_nanoct.finetune.result import COMPARED, Outcome, write_result
from napari_nanoct.finetune.settings import TuneSettings
from napari_nanoct.finetune.workplace import Point, Workplace
from napari_nanoct.jobs import Cancelled, CancelToken, Event, Loss, Preview, Progress
from napari_nanoct.jobs.files import writing
from napari_nanoct.training.loop import LEAST_PACE, learning_rate
from napari_nanoct.training.losses import restoration_loss
from napari_nanoct.training.optimisers import adam
from napari_nanoct.training.pairs import SlicePair
from napari_nanoct.training.recipe import Recipe, Stage
from napari_nanoct.training.teacher import answers
from napari_nanoct.training.trainer import Trainer
from napari_nanoct.utsr.card import Card, read_card
from napari_nanoct.utsr.catalogue import SHIPPED, find_model, list_models
from napari_nanoct.utsr.checkpoint import load_network
from napari_nanoct.utsr.network import UTSR

# Measured, see docs/finetune.md: patches of the user's a step, by factor (more at factor 2 teach no more, and more is
# forgotten), those of the replay, and the highest rate.
OWN, AGAIN = {1: 3, 2: 1, 4: 1}, 1
RATE, WARM_UP = 4e-4, 20
PHANTOMS = 2
# Validations in a run, and how many may pass without a better one before it ends.
VALIDATIONS, PATIENCE = 16, 10
REPORT_EVERY = 2.0
"""Seconds between two events of progress."""
VALIDATING = 0.2
"""Share of the time that validations may take: a short run on a slow machine has fewer of them."""
END_PIXELS = 1.5e6
"""About how many pixels in bfloat16 the comparison and the measured halo at the end take, beside the validation's."""


def run(settings: TuneSettings, cancel: CancelToken | None = None) -> Iterator[Event]:
    """Fine-tune a network on the pairs of a project.

    Parameters
    ----------
    settings : TuneSettings
    cancel : CancelToken, optional
        Checked before every step. What is best by then is written, and the job ends with ``Done``, its record saying
        ``stopped``; nothing is written where nothing was validated yet.

    Yields
    ------
    Progress
        In steps; the total is what the time will suffice for.
    Loss
        With the held-out score of child and parent at each validation.
    Preview
        After each validation, and of what is written.
    Done
        Last: ``record["message"]`` says in a sentence how the child compares with its parent, and
        ``record["better_than_parent"]`` whether it is better.

    Raises
    ------
    UserError
        For whatever the user can mend.
    Cancelled
        If the token was cancelled before anything was learnt.
    """
    from napari_nanoct.finetune.pairing import load_pairs

    cancel = cancel or CancelToken()
    project = load_project(Path(settings.project))
    place = Workplace(settings)
    parent_path(settings, project.factor)  # said before the volumes are read
    yield Progress(0, settings.steps, "steps", message="reading the pairs")
    volumes = {
        name: {"name": Path(source.path).name, "fingerprint": source.fingerprint}
        for name, source in (("low", project.low), ("high", project.high))
        if source
    }
    pairs = load_pairs(project, cancel)
    yield from tune(settings, pairs, project.method, volumes, cancel, place)


def parent_path(settings: TuneSettings, factor: int) -> Path:
    """Find the weights to start from.

    Raises
    ------
    UserError
        If there are none of that name and factor, or the output would replace them or hide other ones that are there.
    """
    if settings.parent.endswith(".safetensors"):
        path = find_model(settings.parent)
        if (scale := read_card(path).scale) != factor:
            raise UserError(
                f"{path} enlarges by {scale} and the pairs by {factor}; choose other weights, or pair for {scale}"
            )
    else:
        path = find_model(settings.parent, factor)
    name = settings.model_name
    if any(entry.name.startswith(f"{name}-x") for entry in SHIPPED.iterdir()):
        raise UserError(f"{name} is the name of weights that ship; choose another name")
    if name in (read_card(path).name, *COMPARED):
        raise UserError(f"{name} is the name of what the new model is compared with; choose another name")
    output = Path(settings.output).resolve()
    for other, card in list_models():
        beside = other.resolve().parent == output.parent and other.resolve() != output
        if beside and (card.name, card.scale) == (name, factor):
            raise UserError(f"{other} has the name {name}, and only one of the two could be chosen; give another")
    if output == path.resolve():
        raise UserError(f"{path} would be replaced by what is made from it; choose another output")
    return path


def tune(
    settings: TuneSettings,
    pairs: Sequence[SlicePair],
    method: str = "pairs",
    volumes: Mapping[str, Any] | None = None,
    cancel: CancelToken | None = None,
    place: Workplace | None = None,
) -> Iterator[Event]:
    """Fine-tune a network on pairs in memory; as `run`, whose core it is.

    Parameters
    ----------
    settings : TuneSettings
        ``project`` is only named in the record.
    pairs : sequence of SlicePair
    method : str
        As in a project: ``pairs``, ``halves``, ``neighbours`` or ``blind-spot``.
    volumes : mapping, optional
        Where the pairs come from, for the card; JSON values.
    cancel, place
        As made by `run`.
    """
    cancel = cancel or CancelToken()
    place = place or Workplace(settings)
    started = time.monotonic()
    device = choose_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    task = Task(settings, pairs, method, device, cancel)
    with place.begin(settings.resume):
        try:
            outcome = yield from train(task, place, cancel, started)
        except Cancelled:
            place.end()
            raise
        yield Progress(outcome.steps, outcome.steps, "steps", message="comparing with the parent")
        with writing(place.output):
            done = yield from write_result(task, outcome, place, volumes or {}, started)
            place.end()
    yield done


class Task:
    """What a fine-tuning needs in memory: pairs told apart, networks, and what they are judged by."""

    def __init__(
        self, settings: TuneSettings, pairs: Sequence[SlicePair], method: str, device: torch.device, cancel: CancelToken
    ) -> None:
        self.settings, self.method, self.device = settings, method, device
        factor = pairs[0].high.shape[0] // max(pairs[0].low.shape[0], 1) if pairs else 1
        self.path = parent_path(settings, factor if factor in (1, 2, 4) else 1)
        self.card: Card = read_card(self.path)
        self.parent: UTSR = load_network(self.path)
        self.patch = patch_side(self.parent.period)
        self.factor = checked(pairs, self.patch)
        self.split: Split = split(pairs, self.patch)
        self.digest = fingerprint(pairs, method)
        self.patches = Patches(self.split.learnt, self.patch, method, settings.seed)
        self.judge = Judge(self.split.held, method, self.factor, device)
        targets = [np.nan_to_num(pair.high, posinf=0.0, neginf=0.0) for pair in self.split.learnt]
        clean = targets if method == "pairs" else []
        self.replay = Replay(clean, self.factor, self.patch, PHANTOMS, settings.seed, device, cancel.check)
        cancel.check()
        self.memory = Memory(self.factor, self.patch, device)
        self.own = OWN[self.factor]
        stage = Stage(settings.steps, 0.0, RATE, patch=self.patch, batch=self.own + AGAIN, warm_up=WARM_UP)
        # Of what is learnt from, not of what its file is called: that may be renamed before a killed run goes on.
        name = hashlib.sha256(f"{self.card.sha256} {self.digest} {settings.seed}".encode()).hexdigest()
        recipe = Recipe(name, self.card.name, self.factor, settings.seed, (stage,))
        self.stage = stage
        self.plan = {"rate": RATE, "warm_up": WARM_UP, "patch": self.patch, "own": self.own, "replay": AGAIN}
        torch.manual_seed(settings.seed)
        self.trainer = Trainer(recipe, load_network(self.path), device, adam)
        self.parent.to(device)

    def step(self, rate: float) -> float:
        """Take a step on patches of the user's, and on others as the parent would answer; return its loss.

        That the parent's answers, not the truth, are learnt there keeps most of what it could (Li and Hoiem, "Learning
        without forgetting", IEEE TPAMI 40, 2018).
        """
        number = self.trainer.step
        own = self.patches.draw(number, self.own)
        low = self.replay.draw(number, AGAIN)
        high = answers(self.parent, low)
        weight = own.weight.to(self.device)
        kind = restoration_loss if self.method == "pairs" else functional.mse_loss

        def loss(result: Tensor, target: Tensor) -> Tensor:
            ours = kind(result[: self.own] * weight, target[: self.own] * weight) / weight.mean()
            return (self.own * ours + AGAIN * kind(result[self.own :], target[self.own :])) / (self.own + AGAIN)

        return self.trainer.update(torch.cat([own.low, low]), torch.cat([own.high, high]), rate, loss, torch.mean)


def ending(seconds: float, pixels: int) -> float:
    """Return about how many seconds the end of a run takes where a validation of so many pixels took ``seconds``."""
    return seconds * (2 + END_PIXELS / pixels)


def patch_side(period: int) -> int:
    """Side of the training patches in low-resolution pixels: one window period, or several of a very small one."""
    return period * -(-32 // period)


def fingerprint(pairs: Sequence[SlicePair], method: str) -> str:
    """Return the sha256 of all that is learnt from."""
    digest = hashlib.sha256(method.encode())
    for pair in pairs:
        digest.update(f"{pair.low_slice} {pair.low.shape} {pair.high.shape}".encode())
        for part in (pair.low, pair.high, pair.usable):
            digest.update(part.tobytes())
    return digest.hexdigest()


def train(task: Task, place: Workplace, cancel: CancelToken, started: float) -> Generator[Event, None, Outcome]:
    """Train until time or steps are used up, nothing gets better any more, or the user has seen enough."""
    trainer, judge = task.trainer, task.judge
    begin = time.monotonic()
    parent = judge.score(task.parent)
    took = time.monotonic() - begin
    curve: list[Point] = []
    best: dict[str, Tensor] | None = None
    if place.state.exists():
        curve, best = resumed(task, place, parent)
        started -= curve[-1].seconds
    reserve = min(ending(took, judge.pixels), task.settings.budget / 2)
    budget = task.settings.budget - reserve
    every = max(1 / VALIDATIONS, took * (1 + 2 / len(judge.views)) / VALIDATING / budget)

    def spent() -> float:
        return max((time.monotonic() - started) / budget, trainer.step / task.stage.steps)

    losses: list[float] = []
    due, reported, stale, finished = spent() + every, begin, 0, False
    while not finished:
        losses.append(task.step(learning_rate(task.stage, trainer.step, spent())))
        if trainer.pace < LEAST_PACE:
            raise UserError(
                f"the training diverged at step {trainer.step}; look at the pairs: does each target show the place of "
                "its input?"
            )
        if cancel.cancelled:
            if best is None:
                cancel.check()
            break
        progress, now = spent(), time.monotonic()
        finished = progress >= 1
        if not finished and progress < due and now - reported < REPORT_EVERY:
            continue
        reported, loss, losses = now, sum(losses) / len(losses), []
        left = (now - started) * (1 / progress - 1) + reserve
        score = None
        if finished or progress >= due:
            due = progress + every
            child = trainer.averaged().to(task.device)
            score = judge.score(child)
            stale += 1
            if best is None or judge.gain(score, parent) > trainer.best:
                trainer.best, stale = judge.gain(score, parent), 0
                best = {name: value.cpu() for name, value in child.state_dict().items()}
                place.keep(best)
            curve.append(Point(trainer.step, loss, score, round(now - started, 1)))
            place.note(curve)
            trainer.save(place.state)
            judge.preview(place.preview, task.parent, child)
            yield Preview(str(place.preview), trainer.step)
            finished = finished or stale == PATIENCE
        total = max(trainer.step, round(trainer.step / progress))
        gain = f", best {trainer.best:+.2f} dB" if curve else ""
        yield Progress(trainer.step, total, "steps", None, left, f"loss {loss:.4f}{gain}")
        yield Loss(trainer.step, loss, score, parent if score is not None else None)
    assert best is not None  # the last step was validated, or a validation came before the user's word
    child = load_network(task.path)
    child.load_state_dict(best)
    return Outcome(child.to(task.device), parent, tuple(curve), trainer.step, stopped=not finished)


def resumed(task: Task, place: Workplace, parent: float) -> tuple[list[Point], dict[str, Tensor]]:
    """Load the state of a killed run; return its curve and its best weights, which may be newer than its state."""
    child = load_network(task.path)
    try:
        task.trainer.load(place.state)
        best, curve = place.best(), place.curve(task.trainer.step)
        child.load_state_dict(best)
    except (UserError, SafetensorError, OSError, LookupError, ValueError, TypeError, RuntimeError):
        raise UserError(
            f"{place.folder} cannot be continued: it holds a run on other pairs, from another parent or with another "
            "seed, or is damaged; continue with the same, or start anew (--overwrite)"
        ) from None
    task.trainer.best = task.judge.gain(task.judge.score(child.to(task.device)), parent)
    return curve, best


def finetune_model(
    project: str | PathLike[str],
    output: str | PathLike[str],
    *,
    name: str = "",
    notes: str = "",
    parent: str | PathLike[str] = "utsr-light",
    preset: str = "quick",
    minutes: float | None = None,
    device: str = "auto",
    threads: int | None = None,
    seed: int = 0,
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[Event], None] | None = None,
    cancel: CancelToken | None = None,
) -> Card:
    """Fine-tune weights on the pairs of a project, as ``nanoct finetune`` does.

    Parameters
    ----------
    project : path
        The file of pairs.
    output : path
        The weights to write; the name ends in ``.safetensors``.
    name, notes : str
        What the model is called (else as its file), and a remark to keep in it.
    parent : str or path
        Weights to start from: a name, or a ``.safetensors`` file.
    preset : str
        ``"quick"`` or ``"thorough"``.
    minutes : float, optional
        How long it may take; else as the preset says.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    threads : int, optional
        CPU threads; all by default.
    seed : int
    resume, overwrite : bool
        Continue a run that was killed; replace an existing output.
    progress : callable, optional
        Called with every event of the job.
    cancel : CancelToken, optional
        To stop the job from another thread; the best weights so far are kept.

    Returns
    -------
    Card
        Of the new weights: ``quality["gain_db"]`` and ``quality["better_than_parent"]`` compare them with the parent.

    Raises
    ------
    UserError
        If the project, the output or a setting does not work; the message says which and what would.
    Cancelled
        If the token was cancelled before anything was learnt.

    Examples
    --------
    >>> card = finetune_model("pairs.json", "mine-x2.safetensors", minutes=10)  # doctest: +SKIP
    """
    places = str(project), str(output)
    settings = TuneSettings(
        *places, name, notes, str(parent), preset, minutes, device, threads, seed, resume, overwrite
    )
    for event in run(settings, cancel):
        if progress:
            progress(event)
    return read_card(settings.output)
