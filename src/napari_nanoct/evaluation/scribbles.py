"""Scribbles as a user would paint them, drawn from the truth, to judge a classifier by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError

Mask = NDArray[np.bool_]

STROKE = 24
"""Length of a stroke in pixels."""

CRACK, PORE, BACKGROUND = 1, 2, 3


def simulated_scribbles(
    cracks: Mask, pores: Mask, particles: Mask, *, share: float = 0.02, seed: int = 0
) -> NDArray[np.uint8]:
    """Paint thin strokes on one slice: along cracks, in pores, in solid particles and beside their borders.

    The strokes are a pixel wide and follow what they are painted on, as far as its middle. A third of the pixels is
    painted on cracks, a sixth on pores, and half is background: half of that along the borders of particles and of
    pores and beside cracks, which look most like cracks, and the rest anywhere in particles and between them.

    Parameters
    ----------
    cracks, pores, particles : ndarray of bool, shape (y, x)
        The truth, as a phantom gives it.
    share : float
        Of the slice's pixels that are painted, about.
    seed : int

    Returns
    -------
    ndarray of uint8, shape (y, x)
        1 crack, 2 pore, 3 background, 0 not painted.

    Raises
    ------
    UserError
        If the slice has no crack.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt
    from skimage.morphology import skeletonize

    if not cracks.any():
        raise UserError("A slice without a crack cannot teach what a crack is; choose another slice.")
    random = np.random.default_rng(seed)
    painted = np.zeros(cracks.shape, np.uint8)
    budget = share * cracks.size
    near_crack, void = binary_dilation(cracks, iterations=2), pores & ~cracks
    depth = distance_transform_edt(void)
    # A user stays clear of voxels that are half of one thing and half of another.
    solid = ~binary_dilation(void, iterations=2) & ~near_crack
    rim = binary_dilation(void, iterations=3) & ~binary_dilation(void, iterations=2) & ~near_crack
    beside = binary_dilation(cracks, iterations=4) & ~near_crack & solid
    for number, where, part in (
        (CRACK, skeletonize(cracks), 1 / 3),
        (PORE, (depth >= 2) & (depth < 3) & particles, 1 / 12),
        (PORE, skeletonize(void & (depth > 2)), 1 / 12),
        (BACKGROUND, rim, 1 / 6),
        (BACKGROUND, beside, 1 / 12),
        (BACKGROUND, solid & particles, 1 / 6),
        (BACKGROUND, solid & ~particles, 1 / 12),
    ):
        _strokes(painted, where, number, round(part * budget), random)
    return painted


def corrected(
    painted: NDArray[np.uint8], found: Mask, cracks: Mask, pores: Mask, *, share: float = 0.003, seed: int = 0
) -> NDArray[np.uint8]:
    """Paint a few strokes more where the preview is wrong by more than a pixel, as a user does who looks at it.

    Parameters
    ----------
    painted : ndarray of uint8, shape (y, x)
        The scribbles so far.
    found : ndarray of bool
        Cracks of the preview.
    cracks, pores : ndarray of bool
        The truth.
    share : float
        Of the slice's pixels that are painted, at most.
    seed : int

    Returns
    -------
    ndarray of uint8
    """
    from scipy.ndimage import binary_dilation

    around = np.ones((3, 3))
    invented, missed = found & ~binary_dilation(cracks, around), cracks & ~binary_dilation(found, around)
    random, budget, more = np.random.default_rng(seed), share * cracks.size, painted.copy()
    _strokes(more, invented & ~pores, BACKGROUND, round(budget / 2), random)
    _strokes(more, invented & pores, PORE, round(budget / 4), random)
    _strokes(more, missed, CRACK, round(budget / 4), random)
    return more


def _strokes(painted: NDArray[np.uint8], where: Mask, number: int, pixels: int, random: np.random.Generator) -> None:
    """Paint strokes inside a mask, each a walk that keeps its direction where it can, until so many are painted."""
    rows, columns = np.nonzero(where & (painted == 0))
    done = 0
    for start in random.permutation(len(rows))[: max(1, 4 * pixels // STROKE)]:
        y, x, heading = int(rows[start]), int(columns[start]), random.uniform(0, 2 * np.pi)
        for _ in range(STROKE):
            if done >= pixels:
                return
            if not painted[y, x]:
                painted[y, x] = number
                done += 1
            step = _next(where, painted, y, x, heading)
            if step is None:
                break
            heading = 0.5 * heading + 0.5 * _unwrapped(np.arctan2(*step), heading)
            y, x = y + step[0], x + step[1]


def _next(where: Mask, painted: NDArray[np.uint8], y: int, x: int, heading: float) -> tuple[int, int] | None:
    """Return the step to the free neighbour inside the mask that lies most nearly ahead."""
    ahead = np.sin(heading), np.cos(heading)
    steps = [
        (dy, dx)
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy or dx)
        and 0 <= y + dy < where.shape[0]
        and 0 <= x + dx < where.shape[1]
        and where[y + dy, x + dx]
        and not painted[y + dy, x + dx]
    ]
    return max(steps, key=lambda s: (s[0] * ahead[0] + s[1] * ahead[1]) / np.hypot(*s), default=None)


def _unwrapped(angle: float, heading: float) -> float:
    """Return an angle, changed by whole turns, within half a turn of a heading."""
    return float(angle + 2 * np.pi * np.round((heading - angle) / (2 * np.pi)))
