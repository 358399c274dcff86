"""The picture of a training: loss and validation gain over the steps."""

from __future__ import annotations

import csv
from pathlib import Path


def draw_log(folder: Path) -> None:
    """Draw ``log.csv`` and ``validation.csv`` of a training as ``log.png``, once there is something to draw."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    log = read_columns(folder / "log.csv")
    if not log:
        return
    steps, losses = log["step"], log["loss"]
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    left = figure.add_subplot()
    left.plot(steps, losses, color="0.75", linewidth=0.8)
    width = max(len(losses) // 40, 1)
    smooth = np.convolve(losses, np.ones(width) / width, "valid")
    left.plot(steps[len(steps) - len(smooth) :], smooth, color="black", label="loss, running mean")
    left.set(xlabel="step", ylabel="loss", yscale="log")
    if (folder / "validation.csv").exists():
        right = left.twinx()
        validation = read_columns(folder / "validation.csv")
        judged = validation.pop("step")
        for protocol, gains in validation.items():
            right.plot(judged, gains, marker=".", label=protocol)
        right.set_ylabel("gain on validation slices / dB")
        right.legend(loc="lower right")
    FigureCanvasAgg(figure).print_png(folder / "log.png")


def read_columns(path: Path) -> dict[str, list[float]]:
    """Read a table of numbers, a list a column by its heading; nothing where it has no rows."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in rows[0]} if rows else {}
