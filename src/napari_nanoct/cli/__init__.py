"""The shell command ``nanoct``: one file a subcommand; each imports what is heavy inside its function."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from textwrap import shorten

import typer

from napari_nanoct.errors import UserError

app = typer.Typer(
    name="nanoct",
    help="Enhance reconstructed nano-CT tomograms with UTSR.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for _name in ("demo", "info", "enhance", "segment", "pair", "finetune", "models", "evaluate", "train"):
    app.command(_name)(getattr(import_module(f"napari_nanoct.cli.{_name}"), _name))


def command() -> None:
    """Run ``nanoct`` as the shell does: a command that computes starts over in the environment that is fast for it."""
    from napari_nanoct.jobs.process import keep_pages

    if sys.argv[1:2] and sys.argv[1] in ("demo", "enhance", "segment", "pair", "finetune", "evaluate", "train"):
        keep_pages()
    main()


def main() -> None:
    """Run ``nanoct``; an error is one sentence on stderr and exit status 1."""
    try:
        app()
    except Exception as error:
        if debugging(error):
            raise
        typer.secho(f"nanoct: {failure(error)}", fg=typer.colors.RED, err=True)
        sys.exit(1)


def failure(error: Exception) -> str:
    """Return the one sentence that a failed run ends with."""
    if isinstance(error, UserError):
        return str(error)
    # Messages of libraries may be empty, or run over many lines.
    message = shorten(f"unexpected {type(error).__name__}: {error}", 400, placeholder=" ...").removesuffix(":")
    return f"{message}; with NANOCT_DEBUG=1 the whole traceback is shown"


def debugging(error: Exception) -> bool:
    """Whether the user has asked, by ``NANOCT_DEBUG=1``, for the traceback of such an error: an unexpected one."""
    return os.environ.get("NANOCT_DEBUG") == "1" and not isinstance(error, UserError)
