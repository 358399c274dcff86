"""The folder of a training: its state, logs and weights, those of its stages too."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import whole
from napari_nanoct.training.recipe import Recipe


def weights_path(recipe: Recipe, output: Path) -> Path:
    """Where a training puts its averaged weights."""
    return output / f"{recipe.network}-x{recipe.scale}.safetensors"


def stage_path(output: Path, number: int) -> Path:
    """Where a training puts the averaged weights at the end of a stage, numbered from 1."""
    return output / f"stage-{number}.safetensors"


def check_folder(recipe: Recipe, output: Path, resume: bool) -> Path:
    """Return the file of the state, to be written or resumed from.

    Raises
    ------
    UserError
        If there is a training in the folder, or weights of one, and ``resume`` is not asked for, or the reverse.
    """
    state, weights = output / "state.safetensors", weights_path(recipe, output)
    if resume and not state.exists():
        raise UserError(f"{output} holds no training to resume; leave out --resume.")
    if state.exists() and not resume:
        raise UserError(f"{output} already holds a training; continue it with --resume or choose another folder.")
    left = [path for path in (weights, *output.glob("stage-*.safetensors")) if path.exists()]
    if left and not resume:
        raise UserError(f"{left[0]} is there already, without its training; move it away or choose another folder.")
    return state


def rewound(path: Path, until: int) -> list[list[str]]:
    """Cut a log off after a step, for a run that was killed noted more than it saved; return the rows that are left.

    Before the first step nothing is left, not even the header.
    """
    if not until:
        path.unlink(missing_ok=True)
    if not path.exists():
        return []
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    rows = [row for row in rows if int(row[0]) <= until]
    with whole(path) as part, part.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return rows
