"""The shell command ``nanoct``: one file a subcommand; each imports what is heavy inside its function."""

from __future__ import annotations

import sys
from importlib import import_module

import typer

from napari_nanoct.errors import UserError

app = typer.Typer(
    name="nanoct",
    help="Enhance reconstructed nano-CT tomograms with UTSR.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _name in ("demo", "info", "enhance", "models", "evaluate", "train"):
    app.command(_name)(getattr(import_module(f"napari_nanoct.cli.{_name}"), _name))


def main() -> None:
    """Run ``nanoct``; an error that the user can mend is one sentence on stderr and exit status 1."""
    try:
        app()
    except UserError as error:
        typer.secho(f"nanoct: {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
