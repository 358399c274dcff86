"""What the benchmarks share: fair timing, a Markdown table, a word on the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version


def medians(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time each call once a round, in turn, so that a busy moment of the machine meets them all alike.

    Returns
    -------
    dict of str to float
        Median seconds of each call; a first round that warms up is not counted.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table; numbers are shown with three significant digits."""
    texts = [[f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    lines = [list(header), ["---"] * len(header), *texts]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Describe the machine in one line."""
    import torch

    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads{load}, "
        f"Python {platform.python_version()}, torch {version('torch')}"
    )
