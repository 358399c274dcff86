"""What one fine-tuning is asked to do: shared by the shell, the dock and Python."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path

from napari_nanoct.errors import UserError

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Preset:
    """How much is trained, and how.

    Attributes
    ----------
    minutes : float
        For the whole run, from the first step to the comparison at the end.
    steps : int
        Most steps in that time: what a GPU takes a moment for does not go on for minutes.
    """

    minutes: float
    steps: int


PRESETS = {"quick": Preset(3.0, 800), "thorough": Preset(10.0, 4000)}


@dataclass(frozen=True)
class TuneSettings:
    """Settings of one fine-tuning.

    Attributes
    ----------
    project : str
        The file of pairs that ``nanoct pair`` or the dock wrote.
    output : str
        The weights to write; the name ends in ``.safetensors``.
    name : str
        What the model is called: letters, digits, ``-``, ``_`` and ``.``. Empty: the name of the output.
    notes : str
        Kept in the file.
    parent : str
        Name of the weights to start from, or a ``.safetensors`` file.
    preset : str
        ``"quick"`` or ``"thorough"``.
    minutes : float or None
        How long it may take; None: as the preset says.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    threads : int or None
        CPU threads; None: all.
    seed : int
        Of all draws.
    resume : bool
        Continue a run that was killed.
    overwrite : bool
        Replace an existing output and the picture of its name, and what a killed run left; the output stays until the
        new one is complete.

    Raises
    ------
    UserError
        If a name or a number does not make sense.
    """

    project: str
    output: str
    name: str = ""
    notes: str = ""
    parent: str = "utsr-light"
    preset: str = "quick"
    minutes: float | None = None
    device: str = "auto"
    threads: int | None = None
    seed: int = 0
    resume: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not self.output.endswith(SUFFIX):
            raise UserError(f"output {self.output!r} is no name of weights; end it in {SUFFIX}")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", self.model_name):
            raise UserError(
                f"name {self.model_name!r} has characters that a model's name cannot have; use letters, digits, '-', "
                "'_' and '.', the first a letter or a digit"
            )
        if self.preset not in PRESETS:
            raise UserError(f"preset {self.preset!r} does not exist; choose {' or '.join(PRESETS)}")
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise UserError(f"{self.minutes:g} minutes are no time to train; give a positive number")
        if self.threads is not None and self.threads < 1:
            raise UserError(f"{self.threads} threads cannot compute; give 1 or more")
        if self.seed < 0:
            raise UserError(f"seed {self.seed} is negative; give 0 or more")
        if self.resume and self.overwrite:
            raise UserError("a run is either continued (resume) or started anew (overwrite); choose one")

    @property
    def model_name(self) -> str:
        """Name of the model: as given, or that of the output without its factor."""
        return self.name or re.sub(r"-x[124]$", "", Path(self.output).name.removesuffix(SUFFIX))

    @property
    def budget(self) -> float:
        """Seconds that the run may take."""
        return 60 * (PRESETS[self.preset].minutes if self.minutes is None else self.minutes)

    @property
    def steps(self) -> int:
        """Most steps: those of the preset, and as many times more as the time given is longer than the preset's."""
        preset = PRESETS[self.preset]
        return round(preset.steps * max(1.0, self.budget / 60 / preset.minutes))

    def arguments(self) -> list[str]:
        """Return the exact arguments after ``nanoct`` that start this run; what is at its default is left out."""
        words = ["finetune", _path(self.project), "-o", _path(self.output)]
        for entry in fields(self)[2:]:
            value = getattr(self, entry.name)
            if value == entry.default:
                continue
            if isinstance(value, bool):
                words.append(f"--{entry.name}")
            elif isinstance(value, str) and value.startswith("-"):
                words.append(f"--{entry.name}={value}")
            else:
                words += [f"--{entry.name}", f"{value:g}" if isinstance(value, float) else str(value)]
        return words


def _path(text: str) -> str:
    # A name that begins with a dash would be taken for an option.
    return f"./{text}" if text.startswith("-") else text
