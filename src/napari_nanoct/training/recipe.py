"""Recipes: short TOML files that say how a network was and will be trained."""

from __future__ import annotations

import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_nanoct.errors import UserError

SHIPPED = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Stage:
    """One part of a training.

    Attributes
    ----------
    steps : int
        Optimiser steps.
    natural : float
        Share of batches from natural pictures.
    phantom : float
        Share of batches from phantoms; what remains is CT slices.
    clean : float
        Share of batches degraded by the clean bicubic reduction; the others are ``blind``.
    sinogram : float
        Share of batches that go through a scan instead, before clean ones and ``blind`` are shared out.
    sample : float
        Most times that the sample is wider than a scanned crop: the wider, the noisier, as in larger slices.
    soft : float
        Share of batches whose truth is smoothed before anything else: a slice that is smooth by itself is to stay so.
    grain : float
        Share of batches of CT slices whose truth gets faint, smooth noise before it is degraded: a slice is to keep
        what texture it has, and only what a scan adds is to go.
    hold : float
        How far the truth of CT slices gives way to what older weights make of them, 0 to 1: what these could do there
        is kept, while the network learns from the rest.
    untouched : float
        Share of batches, before all others are shared out, of CT slices that are cleanly reduced and nothing else.
    native : float
        Share of batches, likewise, of CT slices at their own resolution: as there is no truth above it, what older
        weights make of them is all of theirs.
    average : float
        Share of older weights in those that the stage ends with.
    older : int
        Number of the stage, from 1, whose end gave the older weights; 0 for those that the recipe starts from.
    patch : int
        Side of the low-resolution patches in pixels.
    batch : int
        Patches a step.
    rate : float
        Highest learning rate; it rises over ``warm_up`` steps, then falls to a hundredth along a cosine.
    warm_up : int

    References
    ----------
    `hold`: Li and Hoiem, "Learning without forgetting", ECCV 2016. `average`: Wortsman et al., "Robust fine-tuning of
    zero-shot models", CVPR 2022.
    """

    steps: int
    natural: float
    rate: float
    clean: float = 0.25
    patch: int = 64
    batch: int = 8
    warm_up: int = 100
    sinogram: float = 0.0
    sample: float = 3.0
    phantom: float = 0.0
    soft: float = 0.0
    grain: float = 0.0
    hold: float = 0.0
    untouched: float = 0.0
    native: float = 0.0
    average: float = 0.0
    older: int = 0

    @property
    def needs_older(self) -> bool:
        """Whether older weights have a part in the stage."""
        return bool(self.hold or self.native or self.average)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: which one, from which weights, in which stages, beside how many phantoms.

    ``start``, the weights to begin with, are a ``.safetensors`` file, or name and factor of weights at hand, such as
    ``utsr-light x2``.
    """

    name: str
    network: str
    scale: int
    seed: int
    stages: tuple[Stage, ...]
    start: str = ""
    phantoms: int = 0

    @property
    def steps(self) -> int:
        """Optimiser steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, int]:
        """Return the stage that a step belongs to and the number of the step in it."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], self.stages[-1].steps + step

    def ended(self, step: int) -> int:
        """Return the number of the stage, from 1, that has ended after so many steps, or 0."""
        ends = itertools.accumulate(stage.steps for stage in self.stages)
        return next((number for number, end in enumerate(ends, 1) if end == step), 0)


def load_recipe(name: str) -> Recipe:
    """Read a recipe: the name of one that ships, or a TOML file.

    Raises
    ------
    UserError
        If there is none of this name, or its fields are wrong.
    """
    path = Path(name) if name.endswith(".toml") else SHIPPED / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(entry.stem for entry in SHIPPED.glob("*.toml")))
        raise UserError(f"There is no recipe '{name}'; there are: {known}, or give a .toml file.")
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        stages = tuple(Stage(**stage) for stage in values.pop("stage"))
        recipe = Recipe(name=path.stem, stages=stages, **values)
        _check(recipe)
        return recipe
    except (tomllib.TOMLDecodeError, TypeError, KeyError, ValueError) as error:
        raise UserError(f"{path} is not a valid recipe ({error}); compare it with the ones that ship.") from None


def _check(recipe: Recipe) -> None:
    """Raise a ValueError, or a TypeError, that says which value cannot be."""
    if recipe.scale not in (1, 2, 4):
        raise ValueError(f"scale is 1, 2 or 4, not {recipe.scale!r}")
    for name in ("seed", "phantoms"):
        if not isinstance(value := getattr(recipe, name), int) or value < 0:
            raise ValueError(f"{name} is a whole number from 0, not {value!r}")
    if not recipe.stages:
        raise ValueError("there is no stage")
    for number, stage in enumerate(recipe.stages, 1):
        for name in ("steps", "patch", "batch", "warm_up"):
            if not isinstance(value := getattr(stage, name), int) or value < 1:
                raise ValueError(f"{name} is a whole number from 1, not {value!r}")
        for name in (
            "natural",
            "phantom",
            "clean",
            "sinogram",
            "soft",
            "grain",
            "hold",
            "untouched",
            "native",
            "average",
        ):
            if not 0 <= (value := getattr(stage, name)) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {value!r}")
        for one, other in (("natural", "phantom"), ("untouched", "native")):
            if getattr(stage, one) + getattr(stage, other) > 1:
                raise ValueError(f"{one} and {other} are more than 1 together")
        if not stage.rate > 0 or not stage.sample >= 1:
            raise ValueError("rate is above 0, and sample 1 or more")
        if not isinstance(stage.older, int):
            raise ValueError(f"older is the number of a stage, or 0, not {stage.older!r}")
        if stage.needs_older and not (0 < stage.older < number or (stage.older == 0 and recipe.start)):
            raise ValueError("hold, native and average need older weights: give start, or older, an earlier stage")
        if stage.phantom and not recipe.phantoms:
            raise ValueError("phantom is a share of none: give phantoms")
