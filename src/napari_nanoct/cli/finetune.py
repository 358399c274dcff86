"""``nanoct finetune``: weights for the user's own scans, from a file of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from napari_nanoct.finetune.settings import TuneSettings
    from napari_nanoct.jobs import CancelToken, Event


def finetune(
    project: Annotated[str, typer.Argument(help="File of pairs, from 'nanoct pair' or the dock.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Weights to write, named ....safetensors.")],
    name: Annotated[str, typer.Option(help="What the model is called; else as its file.")] = "",
    notes: Annotated[str, typer.Option(help="A remark to keep in the file.")] = "",
    parent: Annotated[str, typer.Option(help="Weights to start from: a name or a .safetensors file.")] = "utsr-light",
    preset: Annotated[str, typer.Option(help="quick (3 min) or thorough (10 min).")] = "quick",
    minutes: Annotated[float | None, typer.Option(help="How long it may take; else as the preset says.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="CPU threads; all by default.")] = None,
    seed: Annotated[int, typer.Option(help="Of all random draws.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was killed.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines; read 'cancel' on stdin.")] = False,
) -> None:
    """Fine-tune weights on pairs of slices, or on a noisy volume alone; Ctrl-C keeps the best so far."""
    from napari_nanoct.cli.driving import drive

    record: dict[str, Any] = {}

    def settings() -> TuneSettings:
        from napari_nanoct.finetune.settings import TuneSettings

        return TuneSettings(
            project=project,
            output=output,
            name=name,
            notes=notes,
            parent=parent,
            preset=preset,
            minutes=minutes,
            device=device,
            threads=threads,
            seed=seed,
            resume=resume,
            overwrite=overwrite,
        )

    def job(cancel: CancelToken) -> Iterator[Event]:
        from napari_nanoct.finetune.tuning import run
        from napari_nanoct.jobs import Done

        for event in run(settings(), cancel):
            yield event
            if isinstance(event, Done):
                record.update(event.record)

    if not json:
        _announce(settings())
    drive(job, output, json)
    if not json:
        _summary(record)


def _announce(settings: TuneSettings) -> None:
    """Say what the run will take."""
    from napari_nanoct.finetune.estimate import foreseen
    from napari_nanoct.volumes.units import size_text

    found = foreseen(settings)
    minutes = f"{found.seconds / 60:.1f} min"
    typer.echo(f"At most {minutes}, for about {found.steps} steps; memory: about {size_text(found.memory)}", err=True)


def _summary(record: Mapping[str, Any]) -> None:
    """Print how parent and child compare on the held-out slices."""
    from rich.console import Console
    from rich.table import Table

    from napari_nanoct.finetune.measures import measured
    from napari_nanoct.utsr.catalogue import user_folder

    figures = record["quality"]["held_out"]
    shown = measured(figures.values())
    table = Table(title=record["pairs"]["note"], title_justify="left")
    table.add_column("held-out slices")
    for heading, _ in shown.values():
        table.add_column(heading, justify="right")
    for name, row in figures.items():
        cells = ((row[key], form) for key, (_, form) in shown.items())
        table.add_row(name, *("" if value is None else format(value, form) for value, form in cells))
    Console(highlight=False).print(table)
    typer.echo(record["message"])
    typer.echo(f"Before and after: {record['picture']}")
    folder, place = user_folder(), Path(record["settings"]["output"])
    if place.parent.resolve() != folder.resolve():
        typer.echo(f"To have it offered by the dock and by nanoct models, move {place} to {folder}")
