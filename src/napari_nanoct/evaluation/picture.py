"""One picture a sample: what every method makes of the same place, beside the truth and the error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.evaluation.scores import Shown

SIDE = 160


def busiest(image: NDArray[np.float32], side: int = SIDE) -> tuple[slice, slice]:
    """Return the square of ``image`` (y, x) with the most contrast in the inner half of it."""
    from scipy.ndimage import uniform_filter

    side = min(side, *image.shape)
    spread = uniform_filter(image**2, side // 2) - uniform_filter(image, side // 2) ** 2
    margin = side // 2
    inner = spread[margin : image.shape[0] - margin + 1, margin : image.shape[1] - margin + 1]
    y, x = np.unravel_index(int(np.argmax(inner)), inner.shape)
    return slice(int(y), int(y) + side), slice(int(x), int(x) + side)


def save_picture(path: Path, shown: Shown) -> None:
    """Write a PNG: every method, the truth, and the last method's error, all in the truth's grey window."""
    from matplotlib.figure import Figure

    truth = shown.images["truth"]
    place = busiest(truth)
    last = [name for name in shown.images if name != "truth"][-1]
    panels = {name: image[place] for name, image in shown.images.items()}
    figure = Figure(figsize=(2.6 * (len(panels) + 1), 3.0), layout="constrained")
    axes = figure.subplots(1, len(panels) + 1)
    for axis, (name, panel) in zip(axes, panels.items(), strict=False):
        axis.imshow(panel, cmap="gray", vmin=-0.05, vmax=1.05, interpolation="nearest")
        axis.set_title(name, fontsize=9)
    error = axes[-1].imshow(panels[last] - panels["truth"], cmap="RdBu_r", vmin=-0.3, vmax=0.3, interpolation="nearest")
    axes[-1].set_title(f"{last} - truth", fontsize=9)
    figure.colorbar(error, ax=axes[-1], shrink=0.7)
    for axis in axes:
        axis.set_axis_off()
    figure.suptitle(f"{shown.sample}, {shown.protocol}, level {shown.level + 1}", fontsize=10)
    figure.savefig(path, dpi=110)
