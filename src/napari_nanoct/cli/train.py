"""``nanoct train``: train a network by a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_nanoct.jobs import CancelToken

FIRST_SEED = 1001


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe that ships, or a .toml file.")],
    data: Annotated[Path, typer.Option(help="Folder with natural/index.csv and ct/index.csv.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for state, log and weights.")],
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all by default.")] = None,
    minutes: Annotated[
        float, typer.Option(min=0, help="Stop after so long, to be continued with --resume.")
    ] = math.inf,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in OUTPUT.")] = False,
) -> None:
    """Train a network by a recipe; stop with Ctrl-C or after --minutes, continue with --resume."""
    from functools import partial

    from napari_nanoct.cli.driving import cancel_on_signals
    from napari_nanoct.cli.training_log import draw_log
    from napari_nanoct.enhance.device import choose_device
    from napari_nanoct.evaluation.validation import mean_gain, validation_pairs
    from napari_nanoct.jobs.cancel import Cancelled, CancelToken
    from napari_nanoct.jobs.events import Done, Progress
    from napari_nanoct.training.folder import check_folder
    from napari_nanoct.training.loop import train as run
    from napari_nanoct.training.recipe import load_recipe

    chosen = str(choose_device(device))  # a wrong name is said before anything is made
    cancel = CancelToken()
    cancel_on_signals(cancel)
    plan = load_recipe(recipe)
    state = check_folder(plan, output, resume)
    again = f"continue with: nanoct train {recipe} --data {data} --output {output} --resume"
    try:
        events = run(
            plan,
            data,
            output,
            phantoms=clean_phantoms(plan.phantoms, cancel),
            device=chosen,
            threads=threads,
            resume=resume,
            minutes=minutes,
            validate=partial(mean_gain, pairs=validation_pairs(data, plan.scale), scale=plan.scale),
            cancel=cancel,
        )
        for event in events:
            if isinstance(event, Progress):
                left = f", {event.seconds_left / 60:.0f} min left" if event.seconds_left is not None else ""
                typer.echo(f"step {event.done} of {event.total}: {event.message}{left}")
            elif isinstance(event, Done):
                typer.echo(f"Best weights: {event.output}")
                if event.record["steps"] < plan.steps:
                    typer.echo(f"Stopped after {minutes:g} min; {again}")
    except Cancelled:
        what = again if state.exists() else "nothing was trained yet"
        typer.echo(f"Stopped; {what}", err=True)
        raise typer.Exit(130) from None
    finally:
        if (output / "log.csv").exists():
            draw_log(output)


def clean_phantoms(count: int, cancel: CancelToken) -> Iterator[NDArray[np.float32]]:
    """Make slices of phantoms to train on, one after the other: four of each, by seeds that no evaluation uses.

    Every second one has thin cracks alone, which are hardest to find. Each takes some seconds, and is said.
    """
    from napari_nanoct.evaluation.cracks import THIN
    from napari_nanoct.phantoms import Cathode, CrackSettings, phantom
    from napari_nanoct.training.data import normalised

    kinds = (Cathode(), Cathode(cracks=CrackSettings(aperture=THIN)))
    for number in range(count):
        cancel.check()
        clean = normalised(phantom((24, 384, 384), seed=FIRST_SEED + number, cathode=kinds[number % 2]).clean)
        typer.echo(f"phantom {number + 1} of {count}")
        yield from (page.copy() for page in clean[3::6])
