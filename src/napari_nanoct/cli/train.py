"""``nanoct train``: train a network by a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe that ships, or a .toml file.")],
    data: Annotated[Path, typer.Option(help="Folder with natural/index.csv and ct/index.csv.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for state, log and weights.")],
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.")] = "cpu",
    threads: Annotated[int | None, typer.Option(help="CPU threads; all by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in OUTPUT.")] = False,
) -> None:
    """Train a network by a recipe; stop with Ctrl-C, continue with --resume."""
    from napari_nanoct.jobs.events import Done, Progress
    from napari_nanoct.training.loop import train as run
    from napari_nanoct.training.recipe import load_recipe

    for event in run(load_recipe(recipe), data, output, device=device, threads=threads, resume=resume):
        if isinstance(event, Progress):
            left = f", {event.seconds_left / 60:.0f} min left" if event.seconds_left is not None else ""
            typer.echo(f"step {event.done} of {event.total}: {event.message}{left}")
        elif isinstance(event, Done):
            typer.echo(f"Weights: {event.output}")
