"""The events of a job, and their form as JSON lines between two processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    done, total : int
        Units finished and units in all.
    unit : str
        What is counted, in the plural: ``"slices"``, ``"steps"``.
    rate : float or None
        Speed in Mvoxel of input per second; None while it is not known.
    seconds_left : float or None
        Estimated time to the end; None while it is not known.
    message : str
        What the job is doing, for people; may be empty.
    """

    done: int
    total: int
    unit: str = "slices"
    rate: float | None = None
    seconds_left: float | None = None
    message: str = ""


@dataclass(frozen=True)
class Loss:
    """How well a training goes.

    Attributes
    ----------
    step : int
    loss : float
        Mean training loss since the event before.
    score : float or None
        Figure on what was held out, of the weights as they are now: PSNR in decibel, or the loss itself where there is
        no target; None between two validations.
    parent : float or None
        Same of the weights that the training started from.
    """

    step: int
    loss: float
    score: float | None = None
    parent: float | None = None


@dataclass(frozen=True)
class Preview:
    """A picture of how far a training is: an ``.npz`` with ``before``, ``after`` and, where there is one, ``target``.

    All are (y, x) float32 on the grid of the result, range 0 to 1. The file is replaced as a whole at the next one.
    """

    path: str
    step: int


@dataclass(frozen=True)
class Done:
    """The job ended well: where its result is, how long it took and the record that stands in the result."""

    output: str
    seconds: float
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The job did not end well: one sentence for the user, and whether it was the user who stopped it."""

    message: str
    cancelled: bool = False


Event = Progress | Loss | Preview | Done | Failed

_KINDS: dict[str, type[Event]] = {
    "progress": Progress,
    "loss": Loss,
    "preview": Preview,
    "done": Done,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_json(event: Event) -> str:
    """Return the event as one line of ASCII JSON, without the line end: ``{"event": "progress", "done": 3, ...}``."""
    return json.dumps({"event": _NAMES[type(event)], **asdict(event)}, allow_nan=False)


def from_json(line: str) -> Event:
    """Return the event that a line of JSON holds.

    Raises
    ------
    ValueError
        If the line is not an event (a library's chatter on stdout, for example).
    """
    try:
        content = json.loads(line)
        return _KINDS[content.pop("event")](**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an event of a job: {line.strip()[:200]!r}") from error
