"""The picture of a training: loss and validation gain over the steps."""

from __future__ import annotations

import csv
from pathlib import Path


def draw_log(folder: Path) -> None:
    """Draw ``log.csv`` and ``validation.csv`` of a training as ``log.png``, once there is something to draw."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps, losses = read_columns(folder / "log.csv", ("step", "loss"))
    if not steps:
        return
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    left = figure.add_subplot()
    left.plot(steps, losses, color="0.75", linewidth=0.8)
    width = max(len(losses) // 40, 1)
    smooth = np.convolve(losses, np.ones(width) / width, "valid")
    left.plot(steps[len(steps) - len(smooth) :], smooth, color="black", label="loss, running mean")
    left.set(xlabel="step", ylabel="loss", yscale="log")
    if (folder / "validation.csv").exists():
        right = left.twinx()
        with (folder / "validation.csv").open(newline="") as file:
            protocols = next(csv.reader(file))[1:]
        for protocol in protocols:
            right.plot(*read_columns(folder / "validation.csv", ("step", protocol)), marker=".", label=protocol)
        right.set_ylabel("gain on validation slices / dB")
        right.legend(loc="lower right")
    FigureCanvasAgg(figure).print_png(folder / "log.png")


def read_columns(path: Path, names: tuple[str, str]) -> tuple[list[float], list[float]]:
    """Read two columns of numbers of a table with a header."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [float(row[names[0]]) for row in rows], [float(row[names[1]]) for row in rows]
