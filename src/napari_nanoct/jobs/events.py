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


Event = Progress | Done | Failed

_KINDS: dict[str, type[Progress] | type[Done] | type[Failed]] = {"progress": Progress, "done": Done, "failed": Failed}
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
