"""Parent against child on what was held out: figures for the card, and a picture beside the weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.jobs.files import whole
from napari_nanoct.quality import fourier_ring_correlation, psnr, ssim

if TYPE_CHECKING:
    from napari_nanoct.finetune.judge import Judge

Image = NDArray[np.float32]
Restore = Callable[[Image], Image]

PANEL = 192
"""Side of the square that the picture shows, in pixels of the result."""

FADE = 8
"""Pixels of the result over which a slice fades out towards what is not usable."""


def compare(judge: Judge, restorers: Mapping[str, Restore]) -> tuple[dict[str, dict[str, float | None]], list[Image]]:
    """Restore the held-out slices by every method and score them against their targets.

    Parameters
    ----------
    judge : Judge
    restorers : mapping
        From the name of a method to the function that restores a slice (y, x).

    Returns
    -------
    dict
        By method: ``psnr`` (dB, with 1 as peak), ``ssim``, and ``frc``, the period in pixels of the result at which
        the Fourier ring correlation with the target falls below 1/7; means of the slices. None where a figure cannot
        be had. Empty where the volume taught itself: against a target as noisy as the input, or the input itself, none
        of the three says how good a slice is.
    list of ndarray
        What every method made of the first slice.
    """
    figures: dict[str, dict[str, float | None]] = {}
    first: list[Image] = []
    for name, restorer in restorers.items():
        rows = []
        for number, view in enumerate(judge.views):
            usable = view.usable.repeat(judge.factor, 0).repeat(judge.factor, 1)
            image = restorer(view.low)
            if not number:
                first.append(image)
            if not judge.supervised:
                continue
            both = (inside(view.high, usable), inside(image, usable))
            period = fourier_ring_correlation(*both).resolution() if min(image.shape) >= 16 else np.inf
            rows.append((psnr(view.high, image, 1, usable), ssim(view.high, image, 1, _inner(usable)), period))
        if not rows:
            continue
        values = np.mean(rows, axis=0)
        figures[name] = {
            key: round(float(value), 4) if np.isfinite(value) else None
            for key, value in zip(("psnr", "ssim", "frc"), values, strict=True)
        }
    return figures, first


def inside(image: Image, usable: NDArray[np.bool_]) -> Image:
    """Return the difference from the mean, faded out towards what is not usable: the correlation takes a whole square.

    A sharp edge, or the target in its place, would be in both images and so count as detail that is there.
    """
    from scipy.ndimage import distance_transform_edt

    if usable.all():
        return image
    share = np.clip(distance_transform_edt(usable) / FADE, 0, 1)
    return np.asarray((image - image[usable].mean()) * np.sin(np.pi / 2 * share) ** 2, np.float32)


def _inner(usable: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Where SSIM may look: everywhere, should what is usable lie within half a window of the border alone."""
    return usable if usable[5:-5, 5:-5].any() else None


def save_comparison(path: Path, images: Mapping[str, Image], labels: Mapping[str, str]) -> None:
    """Write a PNG of the busiest place of a slice: one panel a method, in one grey window.

    Parameters
    ----------
    path : Path
    images : mapping
        From name to image (y, x), all of one shape; the grey window is that of the last.
    labels : mapping
        From name to a line below it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from napari_nanoct.evaluation.picture import busiest

    last = list(images.values())[-1]
    place = busiest(last, PANEL)
    low, high = np.percentile(last[place], (0.5, 99.5))
    figure = Figure(figsize=(3 * len(images), 3.4), layout="constrained")
    axes: Any = figure.subplots(1, len(images), squeeze=False)[0]
    for axis, (name, image) in zip(axes, images.items(), strict=True):
        axis.imshow(image[place], cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
        axis.set_title("\n".join(filter(None, (name, labels.get(name, "")))), fontsize=9)
        axis.set_axis_off()
    with whole(path) as part, part.open("wb") as file:
        FigureCanvasAgg(figure).print_png(file)
