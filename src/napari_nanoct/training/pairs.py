"""Pairs of a low-resolution slice and what the network is to make of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.training.masked import Picture, agreement, reduced, smoothed, warped
from napari_nanoct.training.register import Similarity

AGREES = 0.5
"""Local correlation from which a place can be learnt from."""

FINE = 0.7, 1.4
"""Standard deviations, in low-resolution pixels, of the blurs between which noise is looked at: smoothing after the
reconstruction leaves something there, and so does the structure of a sharp slice."""

NOISIER, NOISE, SHARPER = 1.5, 0.005, 1.1
"""How many times noisier a target is than its input where the two are swapped, the least noise between the blurs that
counts, and by how much what both show must be stronger in a target that is sharper and so may be noisier."""


@dataclass(frozen=True, eq=False)
class SlicePair:
    """A slice to learn from.

    Attributes
    ----------
    low : ndarray, shape (y, x), float32
        In the range of its volume, 0 to 1, unclipped: what the network is given.
    high : ndarray, shape (factor * y, factor * x), float32
        The same place on a grid ``factor`` times finer, in the same grey scale.
    usable : ndarray of bool, shape (y, x)
        Low-resolution pixels whose target can be trusted: covered by the other scan, well registered, inside the
        regions chosen by the user.
    low_slice : int
        Number of the slice in its volume.
    high_slice : int or None
        Number of the target in the same volume, where it is another slice of that.
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    usable: NDArray[np.bool_]
    low_slice: int
    high_slice: int | None = None

    @property
    def shows(self) -> set[int]:
        """Slices of the low-resolution volume that can be seen in it."""
        return {self.low_slice} if self.high_slice is None else {self.low_slice, self.high_slice}


def resampled(high: Picture, place: Similarity, shape: tuple[int, int], factor: int) -> Picture:
    """Bring a high-resolution slice to a grid ``factor`` times finer than the low-resolution one.

    Cubic splines; where the slice is finer than that grid, the mean over as many points in each pixel as it takes not
    to miss any.

    Parameters
    ----------
    high : ndarray, shape (y, x), float32
        NaN where there is no measurement.
    place : Similarity
    shape : tuple of int
        Of the low-resolution slice.

    Returns
    -------
    ndarray, shape (factor * y, factor * x), float32
        NaN where ``high`` has no value.
    """
    points = max(1, math.ceil(place.scale / factor - 0.25))
    fine = factor * points
    return reduced(warped(high, place, (shape[0] * fine, shape[1] * fine), fine), points)


def grey_match(low: Picture, other: Picture) -> tuple[float, float]:
    """Gain and offset that bring the grey values of one slice to those of another on the same grid.

    Least squares with Cauchy weights (five rounds), on blurred slices: they differ in sharpness and noise.

    Raises
    ------
    ValueError
        If they overlap nowhere, or ``other`` is constant there.
    """
    a, b = smoothed(low, 3.0, 0.7), smoothed(other, 3.0, 0.7)
    use = np.isfinite(a) & np.isfinite(b)
    if use.sum() < 16 or np.ptp(b[use]) <= 1e-6 * np.abs(b[use]).max():
        raise ValueError("nothing to match")
    target, values = a[use].astype(np.float64), b[use].astype(np.float64)
    weight = np.ones_like(values)
    for _ in range(5):
        gain, offset = np.polyfit(values, target, 1, w=np.sqrt(weight))
        residual = target - gain * values - offset
        spread = 1.4826 * float(np.median(np.abs(residual))) + 1e-9
        weight = 1 / (1 + (residual / (2.4 * spread)) ** 2)
    return float(gain), float(offset)


def trusted(low: Picture, target: Picture, factor: int) -> tuple[float, NDArray[np.bool_]]:
    """How well a slice and its target agree, and where.

    Parameters
    ----------
    low : ndarray, shape (y, x)
    target : ndarray, shape (factor * y, factor * x)

    Returns
    -------
    float
        -1 to 1, see :func:`napari_nanoct.training.masked.agreement`.
    ndarray of bool, shape (y, x)
        Both have values there and the local correlation is at least ``AGREES``.
    """
    coarse = reduced(target, factor)
    quality, local = agreement(low, coarse)
    return quality, np.nan_to_num(local, nan=-1.0) >= AGREES


def noisier(low: Picture, target: Picture, usable: NDArray[np.bool_], factor: int) -> bool:
    """Whether a target is clearly noisier than its input and no sharper, so that the two seem to be swapped.

    Noise is the median deviation of what is finer than about four pixels; median, as structure lies along edges. What
    both show there is stronger in the sharper of them, which a regression of one on the other tells.

    Parameters
    ----------
    low, target : ndarray
        As in :func:`trusted`, in one grey scale of range 0 to 1.
    usable : ndarray of bool
        Where to look.
    """
    one, other = (smoothed(image, FINE[0]) - smoothed(image, FINE[1]) for image in (low, reduced(target, factor)))
    use = usable & np.isfinite(one) & np.isfinite(other)
    if not use.any():
        return False
    before, after = one[use], other[use]
    noise, noise_after = (1.4826 * float(np.median(np.abs(values))) for values in (before, after))
    common, power = float(before @ after), float(before @ before)
    return noise_after > max(NOISIER * noise, NOISE) and common < SHARPER * power
