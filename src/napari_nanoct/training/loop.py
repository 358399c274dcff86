"""The training loop: steps of Muon in bfloat16, an average of the weights, a checkpoint to resume from."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.cancel import CancelToken
from napari_nanoct.jobs.events import Done, Event, Progress
from napari_nanoct.jobs.files import reading, writing
from napari_nanoct.training.batches import Batches
from napari_nanoct.training.folder import check_folder, rewound, weights_path
from napari_nanoct.training.losses import image_losses, relative_loss
from napari_nanoct.training.optimisers import Optimisers, muon_and_adam
from napari_nanoct.training.recipe import Recipe, Stage
from napari_nanoct.utsr.card import DESIGN, Card
from napari_nanoct.utsr.catalogue import find_model
from napari_nanoct.utsr.checkpoint import load_network, save_checkpoint
from napari_nanoct.utsr.halo import measure_halo
from napari_nanoct.utsr.network import PRESETS, UTSR, build

EMA_DECAY = 0.999
REPORT_EVERY = 20
SAVE_EVERY = 200
VALIDATE_EVERY = 1000
# The weights have run away where, after so many steps of a stage, one loss is so many times the usual one, or the mean
# of about so many last ones is: some creep away.
SETTLED, SPIKE, RECENT, CREEP = 100, 10.0, 10, 3.0
# Others lose slowly what they had learnt, and no loss tells: so many decibels below the best validation are too many.
LOST = 0.5
LEAST_PACE = 1 / 64

Validate = Callable[[UTSR], Mapping[str, float]]
"""Gains in decibel of a network, by protocol; empty where there is nothing to validate on."""


Loss = Callable[[Tensor, Tensor], Tensor]
"""From result and target, (n, 1, h, w) on the device, to the loss, of each image or one for all."""

Merge = Callable[[Tensor], Tensor]
"""From losses to one number to make smaller."""

Network = TypeVar("Network", bound=nn.Module)


class Trainer(Generic[Network]):
    """Network, its averaged twin and the optimisers, with their state on disk.

    Parameters
    ----------
    recipe : Recipe
    network : Module
        From (n, 1, h, w) to (n, 1, scale * h, scale * w).
    device : torch.device
    optimisers : callable
    """

    def __init__(
        self, recipe: Recipe, network: Network, device: torch.device, optimisers: Optimisers = muon_and_adam
    ) -> None:
        self.recipe, self.device, self.step = recipe, device, 0
        self.best, self.usual_loss, self.recent_loss, self.pace = -math.inf, 0.0, 0.0, 1.0
        network = network.to(device).train()
        self.network: Network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimisers = optimisers(self.network)

    def update(
        self, low: Tensor, high: Tensor, rate: float, judge: Loss = image_losses, merge: Merge = relative_loss
    ) -> float:
        """Take one step on a batch and return its mean loss; fall back where that shows weights that have run away."""
        if self.recipe.at(self.step)[1] == 0:
            self.pace = 1.0  # a stage has a rate of its own
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * self.pace
        low = low.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            result = self.network(low)
        losses = judge(result, high.to(self.device))
        size = losses.mean().item()
        sound = not self._ran_away(size)
        if sound:
            self.network.zero_grad(set_to_none=True)
            merge(losses).backward()
            # A sound loss may have a gradient that is not finite.
            sound = bool(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 0.5).isfinite())
        if not sound:
            self.fall_back(self.average)
            self.step += 1
            return size
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        # Each stage forgets the one before: its average spans the steps of the stage so far, up to a thousand.
        _, within = self.recipe.at(self.step)
        decay = min(EMA_DECAY, (1 + within) / (10 + within))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():  # tables of indices stay what they are
                    self.average[name].lerp_(value, 1 - decay)
        return size

    def _ran_away(self, size: float) -> bool:
        """Take note of a loss; return whether it, or the last few, are far above the usual."""
        _, within = self.recipe.at(self.step)
        settled = within > SETTLED
        if not math.isfinite(size) or (settled and size > SPIKE * self.usual_loss):
            return True
        self.recent_loss += (size - self.recent_loss) / min(within + 1, RECENT)
        # What is far above the usual does not become usual.
        known = min(size, CREEP * self.usual_loss) if settled else size
        self.usual_loss += (known - self.usual_loss) / min(within + 1, SETTLED)
        return settled and self.recent_loss > CREEP * self.usual_loss

    def fall_back(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from these weights, the average or better ones, at half the pace: a night's training is not lost."""
        self.pace /= 2
        self.recent_loss = self.usual_loss
        self.network.load_state_dict(weights)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        for optimiser in self.optimisers:
            optimiser.state.clear()

    def averaged(self) -> Network:
        """Return a copy of the network with the averaged weights, on the CPU, in evaluation mode."""
        network = copy.deepcopy(self.network).cpu()
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the whole state as safetensors; the file appears whole or not at all."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.network.named_parameters()}
        for optimiser in self.optimisers:
            for parameter, state in optimiser.state.items():
                for key, value in state.items():
                    tensors[f"optimiser.{key}.{names[parameter]}"] = torch.as_tensor(value)
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        temporary = path.with_suffix(".part")
        metadata = {"step": str(self.step), "recipe": self.recipe.name, "best": str(self.best), "design": str(DESIGN)}
        metadata |= {name: str(getattr(self, name)) for name in ("usual_loss", "recent_loss", "pace")}
        metadata["plan"] = repr(self.recipe)
        save_file(tensors, temporary, metadata=metadata)
        os.replace(temporary, path)

    def load(self, path: Path) -> str:
        """Continue from a state that :meth:`save` wrote; return the recipe, as text, that it was trained by.

        Raises
        ------
        UserError
            If the state is of another recipe or of another design of the network.
        """
        with reading(str(path)), safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata()
            if metadata["recipe"] != self.recipe.name:
                raise UserError(
                    f"{path} is a training by the recipe '{metadata['recipe']}', not '{self.recipe.name}'; "
                    "choose another output folder."
                )
            if metadata.get("design") != str(DESIGN):
                raise UserError(
                    f"{path} is a training by another version of the network; choose another output folder."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.step, self.best = int(metadata["step"]), float(metadata["best"])
        self.usual_loss, self.pace = float(metadata["usual_loss"]), float(metadata["pace"])
        self.recent_loss = float(metadata.get("recent_loss", self.usual_loss))
        self.network.load_state_dict({n[8:]: v for n, v in tensors.items() if n.startswith("network.")})
        self.average = {n[8:]: v.to(self.device) for n, v in tensors.items() if n.startswith("average.")}
        weights = dict(self.network.named_parameters())
        owner = {p: one for one in self.optimisers for group in one.param_groups for p in group["params"]}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, key, of = name.split(".", 2)
                # Adam counts its steps on the CPU.
                owner[weights[of]].state[weights[of]][key] = value.to("cpu" if key == "step" else self.device)
        return metadata.get("plan", repr(self.recipe))


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
        named = re.fullmatch(r"(.+) x([124])", recipe.start)
        path = find_model(named[1], int(named[2])) if named else find_model(recipe.start)
        weights = load_network(path).state_dict()
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
        Folder for the state to resume from (``state.safetensors``), the logs (``log.csv``, ``validation.csv``) and the
        best averaged weights so far (``NAME.safetensors``, with their card).
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
        Judges the averaged network every thousand steps and at the end; the best by the mean over protocols is kept.
        Where it finds nothing to judge by, the latest is.
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
        stopping = False
        while trainer.step < recipe.steps and not stopping:
            stage, within = recipe.at(trainer.step)
            rate = learning_rate(stage, within, within / stage.steps)
            losses.append(trainer.update(*batches.draw(trainer.step), rate))
            if trainer.pace < LEAST_PACE:
                raise UserError(
                    f"The training diverged at step {trainer.step}; lower the rate in the recipe and start again."
                )
            seconds = time.monotonic() - started
            cancelled = cancel is not None and cancel.cancelled
            ended = trainer.step == recipe.steps
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
            if not cancelled and (due or ended or stopping):
                keep_best(trainer, batches, output, validate, may_fall_back=due)
            if trainer.step % SAVE_EVERY == 0 or ended or stopping:
                trainer.save(state)
            if cancelled and cancel is not None:
                cancel.check()
    yield Done(str(weights_path(recipe, output)), time.monotonic() - started, {"steps": trainer.step})


def keep_best(
    trainer: Trainer[UTSR], batches: Batches, output: Path, validate: Validate, *, may_fall_back: bool
) -> None:
    """Validate the averaged network, log its gains, and write its weights unless better ones were written before.

    Where much of what these could is lost, the training goes back to them, if it may: a pause is to change nothing.
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
    if mean >= trainer.best or not weights_path(trainer.recipe, output).exists():
        trainer.best = mean
        write_weights(trainer, network, batches, output, gains)
    elif may_fall_back and mean < trainer.best - LOST:
        trainer.fall_back(load_network(weights_path(trainer.recipe, output)).state_dict())


def write_weights(
    trainer: Trainer[UTSR], network: UTSR, batches: Batches, output: Path, gains: Mapping[str, float]
) -> Card:
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
    return save_checkpoint(weights_path(recipe, output), network, card)
