"""Low-resolution slices beside their truth: degraded by a protocol, or measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.protocols import PROTOCOLS, degrade
from napari_nanoct.evaluation.truth import TrueSlice, finite_image, spread

MEASURED = "measured"


@dataclass(frozen=True)
class Pair:
    """What a method is given and what it should make of it.

    Attributes
    ----------
    sample : str
        The specimen; figures are averaged within it first.
    low : ndarray, shape (y, x), float32
    truth : ndarray, shape (factor * y, factor * x), float32
        Range 0 to 1, in the grey values of ``low``.
    protocol : str
        How ``low`` was made.
    level : int
        Strength of the degradation, from 0.
    circle : bool
        Whether figures look at the inscribed circle alone.
    """

    sample: str
    low: NDArray[np.float32]
    truth: NDArray[np.float32]
    protocol: str
    level: int = 0
    circle: bool = True

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Where figures look, of the shape of the truth; None for everywhere."""
        from napari_nanoct.quality import circle_mask

        return circle_mask((self.truth.shape[0], self.truth.shape[1])) if self.circle else None


def degraded(truths: Iterable[TrueSlice], protocol: str, factor: int, first: int = 0) -> Iterator[Pair]:
    """Degrade every slice at every level of a protocol; the draws differ by level and number, from ``first``."""
    for number, truth in enumerate(truths, first):
        height, width = (extent // factor * factor for extent in truth.image.shape)
        image = truth.image[:height, :width]
        for level in range(PROTOCOLS.get(protocol, 1)):
            low = degrade(image, protocol, level, factor, seed=1000 + number)
            # A scan sees the inscribed circle alone.
            yield Pair(truth.sample, low, image, protocol, level, truth.circle or protocol == "sinogram")


def measured(low_source: str, high_source: str, factor: int) -> Iterator[Pair]:
    """Pair the slices of two registered tomograms of one place, at most eight spread over the depth.

    The grey values of ``low`` are brought to those of ``high`` by the straight line that fits best over the whole pair
    (least squares against the bicubic enlargement), since two scans seldom share a scale.

    Raises
    ------
    UserError
        If the shapes do not fit by the factor, one of the two is constant, or values are not finite inside the
        inscribed circle.
    """
    from napari_nanoct.evaluation.scores import baseline
    from napari_nanoct.volumes import intensity_range, open_volume

    low, high = open_volume(low_source), open_volume(high_source)
    depth, height, width = low.data.shape
    if high.data.shape != (depth, factor * height, factor * width):
        raise UserError(
            f"{high_source} has shape {high.data.shape}, but {low_source} enlarged by {factor} has "
            f"{(depth, factor * height, factor * width)}; give registered tomograms of one place."
        )
    chosen = spread(depth)
    truth = intensity_range(high).normalise(np.stack([np.asarray(high.data[z]) for z in chosen]))
    lows = [np.asarray(low.data[z], dtype=np.float32) for z in chosen]
    enlarged = np.stack([baseline(factor)(page) for page in lows]).ravel()
    finite = np.isfinite(enlarged) & np.isfinite(truth.ravel())
    if not finite.any() or np.ptp(enlarged[finite]) == 0 or np.ptp(truth.ravel()[finite]) == 0:
        raise UserError(f"{low_source} or {high_source} is constant; give two tomograms that show something.")
    slope, offset = np.polyfit(enlarged[finite].astype(np.float64), truth.ravel()[finite], 1)
    for page, image in zip(lows, truth, strict=True):
        grey = np.asarray(slope * page + offset, np.float32)
        ends = finite_image(grey, True, low_source), finite_image(image, True, high_source)
        yield Pair(Path(high_source).name, *ends, MEASURED)
