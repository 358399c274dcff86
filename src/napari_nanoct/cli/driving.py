"""How the shell runs a job that writes a volume: its events drawn or printed, and its end by Ctrl-C or a line."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from napari_nanoct.jobs import CancelToken, Event, Progress

CANCELLED = 130
"""Exit status of a run that was cancelled, as that of a program ended by Ctrl-C."""

LINE_EVERY = 5.0
"""Seconds between two lines of progress where there is no terminal."""


def drive(job: Callable[[CancelToken], Iterator[Event]], output: str, json: bool) -> None:
    """Run a job to its end.

    Parameters
    ----------
    job : callable
        Makes the job from the token by which it is cancelled.
    output : str
        What it writes, for the sentence of a cancelled run.
    json : bool
        Print events as JSON lines, and take a line ``cancel`` on stdin; else draw a bar.
    """
    from napari_nanoct.cli import debugging, failure
    from napari_nanoct.jobs import Cancelled, CancelToken, Failed, to_json

    cancel = CancelToken()
    cancel_on_signals(cancel)
    if json:
        _cancel_on_line(cancel)
    try:
        with _json_lines() if json else _for_people() as show:
            for event in job(cancel):
                show(event)
    except Cancelled:
        message = f"cancelled; {output} was not written, what was done of it is in {output}.partial"
        if not os.path.exists(f"{output}.partial"):
            message = f"cancelled; {output} was not written"
        if json:
            print(to_json(Failed(message, cancelled=True)), flush=True)
        else:
            typer.echo(f"nanoct: {message}", err=True)
        raise typer.Exit(CANCELLED) from None
    except Exception as error:
        if not json:
            raise
        print(to_json(Failed(failure(error))), flush=True)
        if debugging(error):
            raise
        raise typer.Exit(1) from error


def cancel_on_signals(cancel: CancelToken) -> None:
    """Let the first Ctrl-C or SIGTERM end the run at the next tile; a second one ends it at once."""

    def stop(number: int, frame: Any) -> None:
        cancel.cancel()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)


def _cancel_on_line(cancel: CancelToken) -> None:
    """Let a line ``cancel`` on stdin end the run; a closed stdin does not."""

    def listen() -> None:
        text = b""
        try:
            # Not sys.stdin: a thread that waits inside its lock would bring the interpreter down at the end.
            while piece := os.read(0, 1024):
                text += piece
                *lines, text = text.split(b"\n")
                if any(line.strip() == b"cancel" for line in lines):
                    cancel.cancel()
        except OSError:
            return

    threading.Thread(target=listen, daemon=True).start()


@contextmanager
def _json_lines() -> Iterator[Callable[[Event], None]]:
    from napari_nanoct.jobs import to_json

    def show(event: Event) -> None:
        print(to_json(event), flush=True)

    yield show


@contextmanager
def _for_people() -> Iterator[Callable[[Event], None]]:
    """Draw a bar on a terminal, or print a line now and then elsewhere; both on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    from napari_nanoct.jobs import Progress

    console = Console(stderr=True, highlight=False)
    last, printed = "", 0.0

    def line(event: Progress) -> None:
        nonlocal last, printed
        now = time.monotonic()
        if event.message == last and now - printed < LINE_EVERY:
            return
        last, printed = event.message, now
        typer.echo(f"{event.done}/{event.total} {event.unit}  {_state(event)}".rstrip(), err=True)

    if not console.is_terminal:
        yield lambda event: line(event) if isinstance(event, Progress) else _finish(event)
        return
    columns = BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[unit]}  {task.fields[state]}")
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, unit="", state="opening")
        ended: list[Event] = []

        def draw(event: Event) -> None:
            if isinstance(event, Progress):
                bar.update(task, completed=event.done, total=event.total, unit=event.unit, state=_state(event))
            else:
                ended.append(event)

        yield draw
    for event in ended:
        _finish(event)


def _state(event: Progress) -> str:
    """Return what the job is doing, or its rate, and the time left."""
    rate = f"{event.rate:.3g} Mvoxel/s" if event.rate is not None else ""
    left = f"{_clock(event.seconds_left)} left" if event.seconds_left is not None else ""
    return "  ".join(filter(None, (event.message or rate, left)))


def _finish(event: Event) -> None:
    from napari_nanoct.jobs import Done

    if isinstance(event, Done):
        typer.echo(f"{event.output} written in {_clock(event.seconds)}")


def _clock(seconds: float) -> str:
    """Return a time as ``1:02:03``, ``2:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
