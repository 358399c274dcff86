"""Where a slice of one scan lies in a slice of another: a similarity transform found to a fraction of a pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.training.masked import Picture, agreement, reduced, smoothed, warped

FARTHEST = 0.05, 8.0
"""Largest deviation from the expected scale, as a share of it, and from the expected rotation, in degrees."""

STRUCTURE, DEVIATIONS = 50.0, 5.0
"""Pixels that are about as good as one independent one after the blur of :func:`agreement`, and how many standard
deviations of a chance correlation, one over the root of their number, the best of all places must reach."""

CLEAR = 0.75
"""Agreement at which the search ends."""

SIDE = 80
"""Working pixels along the shorter side of the smaller slice during the search over positions."""

LARGEST = 800
"""Working pixels along the shorter side of the low-resolution slice that the refinement is content with."""

LEAST_OVERLAP = 0.3
"""Share of the smaller slice that must lie within the larger one."""

TURNS = (-6.0, -4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5, 6.0)
STRETCHES = (0.98, 1.0, 1.02)
"""Rotations in degrees, and factors of the expected scale, of the search over positions."""


@dataclass(frozen=True)
class Similarity:
    """From pixels of a low-resolution slice to pixels of a high-resolution one.

    ``(y, x)_high = centre_high + scale * R(rotation) @ ((y, x)_low - centre_low)``, where ``R`` turns y towards x.

    Attributes
    ----------
    scale : float
        High-resolution pixels per low-resolution pixel.
    rotation : float
        In degrees.
    centre_low, centre_high : tuple of float
        One place, (y, x), in pixels of either slice; the centre of the first pixel is (0, 0).
    """

    scale: float = 1.0
    rotation: float = 0.0
    centre_low: tuple[float, float] = (0.0, 0.0)
    centre_high: tuple[float, float] = (0.0, 0.0)

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map low-resolution (y, x) points of shape (..., 2) to high-resolution ones."""
        return self.centre_high + (np.asarray(points, np.float64) - self.centre_low) @ self.matrix.T

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 2 x 2 matrix of scale and rotation, acting on column vectors (y, x)."""
        angle = math.radians(self.rotation)
        cos, sin = math.cos(angle), math.sin(angle)
        return self.scale * np.array([[cos, -sin], [sin, cos]])

    @property
    def inverse(self) -> Similarity:
        """From high-resolution pixels to low-resolution ones."""
        return Similarity(1 / self.scale, -self.rotation, self.centre_high, self.centre_low)

    def about(self, point: Sequence[float] | NDArray[np.float64]) -> Similarity:
        """The same transform, written with ``centre_low`` at a point (y, x)."""
        y, x = (float(value) for value in point)
        return Similarity(self.scale, self.rotation, (y, x), _point(self.apply(np.array([y, x]))))


def register(
    low: Picture,
    high: Picture,
    guess: Similarity,
    *,
    reach: float | None = None,
    turns: Sequence[float] = TURNS,
    stretches: Sequence[float] = STRETCHES,
) -> tuple[Similarity, float]:
    """Find the similarity transform from a low-resolution slice to a high-resolution one that shows the same place.

    A masked correlation over all positions, for some rotations and scales about the guess, gives a few places; each is
    refined, and the one where the slices agree best is taken.

    Parameters
    ----------
    low, high : ndarray, shape (y, x), float32
        NaN where there is no measurement; any grey scales, but of one sign.
    guess : Similarity
        Expected scale and rotation, and, if ``reach`` is given, place.
    reach : float, optional
        How far, in low-resolution pixels, the place may be from the guess; None: anywhere.
    turns, stretches : sequence of float
        Rotations (degrees) added to the guess, and factors of its scale, that are tried.

    Returns
    -------
    Similarity
        About the middle of the low-resolution slice.
    float
        How well the slices agree there, -1 to 1: about 0 for slices that have nothing to do with each other, -1 where
        no place came into question.
    """
    place, agreed = locate(low, high, guess, reach=reach, turns=turns, stretches=stretches)
    if agreed < 0:
        return place, agreed
    pixel = working_pixel(low, high, guess.scale)
    place = refine(low, high, place, [*(sigma for sigma in (4.0, 2.0) if sigma < pixel), 1.2])
    return place, agreement(*on_one_grid(low, high, place))[0]


def locate(
    low: Picture,
    high: Picture,
    guess: Similarity,
    *,
    reach: float | None = None,
    turns: Sequence[float] = TURNS,
    stretches: Sequence[float] = STRETCHES,
    tries: int = 3,
) -> tuple[Similarity, float]:
    """Do as :func:`register` does, but to about a pixel of the search: a hundredth of the smaller slice."""
    pixel = working_pixel(low, high, guess.scale)
    best, agreed = guess, -1.0
    for place in search(low, high, guess, reach, turns, stretches)[:tries]:
        place = refine(low, high, place, (1.5 * pixel, pixel))
        # a step too far: anything agrees with anything where little is left of it
        if abs(place.scale / guess.scale - 1) > FARTHEST[0] or abs(place.rotation - guess.rotation) > FARTHEST[1]:
            continue
        size = max(1, int(pixel / 2))
        one, other = on_one_grid(low, high, place, size)
        smaller = min(np.isfinite(one).sum(), np.isfinite(high).sum() / (size * place.scale) ** 2)
        common = (np.isfinite(one) & np.isfinite(other)).sum()
        value = agreement(one, other)[0]
        chance = DEVIATIONS * math.sqrt(STRUCTURE / max(common, 1))
        if value > max(agreed, chance) and common >= LEAST_OVERLAP * smaller:
            best, agreed = place, value
        if agreed > CLEAR:
            break
    return best, agreed


def working_pixel(low: Picture, high: Picture, scale: float) -> float:
    """Size, in low-resolution pixels, of the pixels of the search over positions."""
    return max(1.0, min(*low.shape, *(extent / scale for extent in high.shape)) / SIDE)


def search(
    low: Picture,
    high: Picture,
    guess: Similarity,
    reach: float | None,
    turns: Sequence[float],
    stretches: Sequence[float],
) -> list[Similarity]:
    """Return the best place for each rotation and scale by masked correlation, best first; see :func:`register`."""
    pixel = working_pixel(low, high, guess.scale)
    corner = Similarity(pixel, 0.0, (-0.5, -0.5), (-0.5, -0.5))
    shape = (math.ceil(low.shape[0] / pixel), math.ceil(low.shape[1] / pixel))
    fixed = _banded(warped(_blurred(low, 0.5 * pixel), corner, shape, order=1))
    middle = (np.array(high.shape) - 1) / 2
    expected = guess.inverse.apply(middle)
    blurred = _blurred(high, 0.5 * pixel * guess.scale)
    found = []
    for stretch in stretches:
        scale = guess.scale * stretch
        # large enough to hold the turned slice
        height, width = (
            math.ceil(extent / (scale * pixel) + 0.12 * max(high.shape) / (scale * pixel)) for extent in high.shape
        )
        centre = ((height - 1) / 2, (width - 1) / 2)
        for turn in turns:
            turned = Similarity(scale * pixel, guess.rotation + turn, centre, _point(middle))
            score, first = masked_correlation(fixed, _banded(warped(blurred, turned, (height, width), order=1)))
            rows, columns = (
                (np.arange(first[axis], first[axis] + score.shape[axis]) + centre[axis] + 0.5) * pixel - 0.5
                for axis in (0, 1)
            )
            if reach is not None:
                away = np.hypot(rows[:, None] - expected[0], columns[None, :] - expected[1])
                score = np.where(away <= reach + pixel, score, -1)
            row, column = np.unravel_index(int(score.argmax()), score.shape)
            place = Similarity(scale, guess.rotation + turn, (float(rows[row]), float(columns[column])), _point(middle))
            found.append((float(score[row, column]), place))
    found.sort(key=lambda pair: -pair[0])
    return [place for _, place in found]


def masked_correlation(fixed: Picture, moving: Picture) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Normalised correlation of two images with NaN at every shift, by the Fourier transform.

    D. Padfield, IEEE Trans. Image Process. 21, 2012, 2706, eq. 14; weighted by the root of the overlap, as chance
    correlations are large where the overlap is small, and -1 where it is below ``LEAST_OVERLAP``.

    Returns
    -------
    ndarray
        By shift: pixel (i, j) of ``moving`` lies on (i, j) + shift of ``fixed``.
    tuple of int
        The shift of its first element.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    size = [next_fast_len(a + b - 1, real=True) for a, b in zip(fixed.shape, moving.shape, strict=True)]

    def transforms(image: Picture) -> list[NDArray[np.complexfloating]]:
        known = np.isfinite(image)
        values = np.where(known, image - (image[known].mean() if known.any() else 0), 0).astype(np.float32)
        return [rfft2(part, size) for part in (known.astype(np.float32), values, values**2)]

    known_a, a, aa = transforms(fixed)
    known_b, b, bb = (part.conj() for part in transforms(moving))
    overlap, sum_a, sum_b, sum_aa, sum_bb, sum_ab = (
        irfft2(product, size)
        for product in (known_a * known_b, a * known_b, known_a * b, aa * known_b, known_a * bb, a * b)
    )
    largest = max(min(np.isfinite(fixed).sum(), np.isfinite(moving).sum()), 1)
    enough = overlap > LEAST_OVERLAP * largest
    count = np.maximum(overlap, 1)
    spread = np.maximum(sum_aa - sum_a**2 / count, 0) * np.maximum(sum_bb - sum_b**2 / count, 0)
    enough &= spread > 1e-6 * spread.max()
    correlation = (sum_ab - sum_a * sum_b / count) / np.sqrt(np.where(enough, spread, 1))
    score = np.where(enough, correlation * np.sqrt(np.clip(overlap / largest, 0, 1)), -1)
    before = moving.shape[0] - 1, moving.shape[1] - 1
    score = np.roll(score, before, axis=(0, 1))[: fixed.shape[0] + before[0], : fixed.shape[1] + before[1]]
    return score, (-before[0], -before[1])


def refine(low: Picture, high: Picture, start: Similarity, sigmas: Sequence[float]) -> Similarity:
    """Improve a similarity transform by Gauss-Newton steps on images that are blurred less and less.

    The least-squares fit of each step (Baker and Matthews, Int. J. Comput. Vis. 56, 2004, 221, forward compositional)
    also fits gain, offset and a quadratic shading, with Cauchy weights against what only one of the slices shows.

    Parameters
    ----------
    low, high : ndarray, shape (y, x), float32
    start : Similarity
    sigmas : sequence of float
        Standard deviations of the blur in low-resolution pixels.

    Returns
    -------
    Similarity
        About the middle of the low-resolution slice; ``start`` where the slices do not overlap enough to say more.
    """
    middle = (np.array(low.shape) - 1) / 2
    place = start.about(middle)
    for sigma in sigmas:
        # no finer than the blur warrants, nor than a fraction of a pixel needs
        size = max(1, int(sigma / 1.2), min(low.shape) // LARGEST)
        block = _block(place, size)
        blur = max(sigma / size, 1.0)
        place = _rescaled(place, size, block)
        fixed, moving = smoothed(reduced(low, size), blur), smoothed(reduced(high, block), blur * place.scale)
        last = sigma == sigmas[-1]
        for _ in range(20 if last else 6):
            place, motion = _step(fixed, moving, place)
            if motion < (0.004 if last else 0.1) / size:
                break
        place = _rescaled(place, 1 / size, 1 / block).about(middle)
    return place


def on_one_grid(low: Picture, high: Picture, place: Similarity, size: int = 1) -> tuple[Picture, Picture]:
    """Both slices on the grid of the low-resolution one, reduced by ``size``."""
    block = _block(place, size)
    fixed = reduced(low, size)
    return fixed, warped(reduced(high, block), _rescaled(place, size, block), (fixed.shape[0], fixed.shape[1]))


def _block(place: Similarity, size: int) -> int:
    """How many high-resolution pixels along an edge are about ``size`` low-resolution ones, no larger."""
    return max(1, int(place.scale * size + 0.1))


def _rescaled(place: Similarity, size: float, block: float) -> Similarity:
    """The transform between the slices once pixels of the one are ``size`` and of the other ``block`` times larger."""
    low_centre, high_centre = (
        ((y + 0.5) / n - 0.5, (x + 0.5) / n - 0.5)
        for (y, x), n in ((place.centre_low, size), (place.centre_high, block))
    )
    return Similarity(place.scale * size / block, place.rotation, low_centre, high_centre)


def _step(fixed: Picture, moving: Picture, place: Similarity) -> tuple[Similarity, float]:
    """One Gauss-Newton step; returns the transform and how far the step moved the corners of ``fixed``, in pixels."""
    shape = (fixed.shape[0], fixed.shape[1])
    image = warped(moving, place, shape)
    down, right = np.gradient(image, axis=0), np.gradient(image, axis=1)
    use = np.isfinite(fixed) & np.isfinite(down) & np.isfinite(right)
    if use.sum() < 100:
        return place, 0.0
    radius = max(shape) / 2
    middle = (np.array(shape) - 1) / 2
    rows, columns = np.nonzero(use)
    y, x = (rows - middle[0]) / radius, (columns - middle[1]) / radius
    down, right, values = down[use], right[use], image[use]
    terms = np.stack(
        [down, right, y * down + x * right, y * right - x * down, values, np.ones_like(y), y, x, y * y, y * x, x * x], 1
    )
    solution = _weighted(terms, fixed[use].astype(np.float64))
    gain = solution[4]
    if not gain > 0:
        return place, 0.0
    moved = solution[:4] / gain
    far = float(np.abs(moved).sum())
    moved = moved * min(1.0, 4.0 / max(far, 1e-9))
    place = place.about(middle)
    larger, turn = moved[2] / radius, moved[3] / radius
    stepped = Similarity(
        place.scale * math.hypot(1 + larger, turn),
        place.rotation + math.degrees(math.atan2(turn, 1 + larger)),
        _point(middle),
        _point(place.apply(middle + moved[:2])),
    )
    return stepped, min(far, 4.0)


def _weighted(terms: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares, once plainly and once with Cauchy weights."""

    def solve(weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
        left = terms if weight is None else terms * weight[:, None]
        return np.asarray(np.linalg.lstsq(left.T @ terms, left.T @ target, rcond=None)[0])

    residual = target - terms @ solve(None)
    spread = 1.4826 * float(np.median(np.abs(residual))) + 1e-12
    return solve(1 / (1 + (residual / (2.4 * spread)) ** 2))


def _blurred(image: Picture, sigma: float) -> Picture:
    return smoothed(image, sigma, 0.5)


def _banded(image: Picture) -> Picture:
    """Without noise and without shading: only structures of a few to some twenty pixels."""
    return smoothed(image, 0.8, 0.5) - smoothed(image, 8.0, 0.1)


def _point(values: NDArray[np.float64]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
