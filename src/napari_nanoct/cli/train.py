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
    import signal

    from napari_nanoct.jobs.cancel import Cancelled, CancelToken
    from napari_nanoct.jobs.events import Done, Progress
    from napari_nanoct.training.loop import train as run
    from napari_nanoct.training.recipe import load_recipe

    cancel = CancelToken()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: cancel.cancel())
    plan = load_recipe(recipe)
    try:
        for event in run(plan, data, output, device=device, threads=threads, resume=resume, cancel=cancel):
            if isinstance(event, Progress):
                left = f", {event.seconds_left / 60:.0f} min left" if event.seconds_left is not None else ""
                typer.echo(f"step {event.done} of {event.total}: {event.message}{left}")
            elif isinstance(event, Done):
                typer.echo(f"Weights: {event.output}")
    except Cancelled:
        typer.echo(f"Stopped; continue with: nanoct train {recipe} --data {data} --output {output} --resume", err=True)
        raise typer.Exit(130) from None
