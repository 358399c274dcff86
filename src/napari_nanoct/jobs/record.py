"""What the record of every run tells: which job, when, how long, by what versions."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from napari_nanoct import __version__


def stamp(job: str, seconds: float) -> dict[str, Any]:
    """Return name, date and duration of a run, as JSON values."""
    return {"job": job, "date": datetime.now(UTC).isoformat(timespec="seconds"), "seconds": round(seconds, 3)}


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    return {
        "napari_nanoct": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "zarr")},
    }
