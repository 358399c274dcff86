"""Where a fine-tuning keeps what it needs to go on after it was killed: the folder OUTPUT.training, gone at the end."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.settings import TuneSettings
from napari_nanoct.jobs.files import whole, writing
from napari_nanoct.utsr.catalogue import user_folder
from napari_nanoct.volumes.owner import claim, is_writing, release


@dataclass(frozen=True)
class Point:
    """A row of the log: mean loss since the one before, held-out score, seconds that the training has taken."""

    step: int
    loss: float
    score: float
    seconds: float


class Workplace:
    """The output and the files beside it.

    Raises
    ------
    UserError
        If the output cannot be written there, it or its picture exists, another run is at work on it, or a killed run
        is there and not spoken of, or the reverse.
    """

    def __init__(self, settings: TuneSettings) -> None:
        self.output = Path(settings.output)
        self.folder = Path(f"{settings.output}.training")
        self.preview = Path(f"{settings.output}.preview.npz")
        self.picture = self.output.with_suffix(".png")
        self.state, self.log, self.weights, self.lock = (
            self.folder / name for name in ("state.safetensors", "log.csv", "best.safetensors", "run.json")
        )
        if self.output.parent.resolve() == user_folder().resolve():
            self.output.parent.mkdir(parents=True, exist_ok=True)
        if not self.output.parent.is_dir():
            raise UserError(f"{self.output.parent} does not exist; make the folder, or choose another output")
        if not os.access(self.output.parent, os.W_OK):
            raise UserError(f"{self.output.parent} cannot be written to; choose another output")
        self._check_free()
        if settings.resume and not self.state.exists():
            raise UserError(f"{self.folder} holds no run to continue; leave out --resume")
        if self.state.exists() and not (settings.resume or settings.overwrite):
            raise UserError(
                f"{self.folder} holds a run that was killed; continue it with --resume, or start anew with --overwrite"
            )
        # a killed run was allowed to replace what is there
        allowed = settings.overwrite or settings.resume
        for path in (self.output, self.picture):
            if path.is_dir() or (path.exists() and not allowed):
                raise UserError(f"{path} exists; choose another output, or replace it with --overwrite")

    def _check_free(self) -> None:
        """Raise where another run is at work in the folder."""
        try:
            owner = json.loads(self.lock.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if is_writing(owner):
            raise UserError(
                f"{self.folder} belongs to a run that is going on (process {owner['process']}); wait for its end, stop "
                "it, or choose another output"
            )

    @contextmanager
    def begin(self, resume: bool) -> Iterator[None]:
        """Make the folder, of a new run an empty one, and keep others away from it until the run ends in any way."""
        self._check_free()
        with writing(self.folder):
            if not resume:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(exist_ok=True)
            owner = claim(self)
            self.lock.write_text(json.dumps(owner), encoding="utf-8")
        try:
            yield
        finally:
            release(owner)
            with suppress(OSError):
                self.lock.unlink()

    def end(self) -> None:
        """Take the folder and the preview away."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(PermissionError):  # under Windows while it is being read
            self.preview.unlink(missing_ok=True)

    def note(self, curve: Sequence[Point]) -> None:
        """Write the log; it appears whole or not at all, as the other files do."""
        with whole(self.log) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(Point)])
            writer.writerows(astuple(point) for point in curve)

    def curve(self, until: int) -> list[Point]:
        """Read the log up to a step; a killed run may have noted more than it saved.

        Raises
        ------
        ValueError
            If it holds no such row.
        """
        with self.log.open(newline="", encoding="utf-8") as file:
            rows = [
                Point(int(row["step"]), float(row["loss"]), float(row["score"]), float(row["seconds"]))
                for row in csv.DictReader(file)
            ]
        if not any(row.step <= until for row in rows):
            raise ValueError(f"{self.log} holds no step up to {until}")
        return [row for row in rows if row.step <= until]

    def keep(self, weights: dict[str, Tensor]) -> None:
        """Write the best weights so far."""
        with whole(self.weights) as part:
            save_file({name: value.contiguous().clone() for name, value in weights.items()}, part)

    def best(self) -> dict[str, Tensor]:
        """Read them again."""
        return load_file(self.weights)
