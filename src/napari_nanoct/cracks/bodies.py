"""Where cracks are sought unless a mask is given: inside bright bodies, as the particles of a cathode are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.blocks import Box
from napari_nanoct.cracks.derivatives import Spacing
from napari_nanoct.cracks.plates import usual_widths
from napari_nanoct.errors import UserError

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
Reach = tuple[int, int, int]

ENCLOSED = 0.8
"""Share of the surroundings of a voxel in the mask that is body, with all that is as narrow as a crack filled."""

CORE, DEEP = 0.65, 0.9
"""The same with much less filled, where it is asked whether there are cracks at all, and of a voxel deep inside. Gaps
between particles open into the space around these; cracks are deep inside one somewhere."""

MEND, SURROUNDINGS = 2, 4 / 3
"""In-plane radius in voxels of what is filled for those, and half the side of the surroundings in units of the
widest crack."""

SEPARATE = 0.75
"""Share of the grey values' variance between bodies and the rest, from which on there are bodies; of noise 0.64."""

SAMPLED = (32, 160, 160)
SAMPLES = 8
"""Blocks that global quantities are taken from, and their number at most."""


def sample_mask(volume: NDArray[Any], voxel_size: Spacing) -> Mask:
    """Return where to look for cracks: inside bodies, with their cracks; everywhere finite if there are no bodies.

    Bodies are brighter than Otsu's threshold, and closed as wide as cracks are. Inside is where the surroundings are
    body for the most part.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x) or (y, x)
        Normalised grey values.
    voxel_size : (float, float, float)

    Raises
    ------
    UserError
        If the volume is constant or has no finite voxel.
    """
    values, where = finite(np.asarray(volume))
    widths = usual_widths(voxel_size)
    boxes = sample_boxes(values.shape)
    body = body_level(np.concatenate([values[box].ravel() for box in boxes]))
    keep = np.ones(values.shape, bool) if body is None else inside(values, voxel_size, widths, body)[0]
    return keep if where is None else keep & where


def sample_boxes(shape: tuple[int, ...]) -> list[Box]:
    """Return at most eight boxes spread over a volume by a seed, the same for one shape; of a small one all."""
    grid = [max(1, length // side) for length, side in zip(shape, SAMPLED, strict=True)]
    places = np.argwhere(np.ones(grid, bool))
    chosen = np.random.default_rng(0).permutation(len(places))[:SAMPLES]
    boxes = []
    for place in places[np.sort(chosen)]:
        edges = [(i * n // k, (i + 1) * n // k) for i, n, k in zip(place.tolist(), shape, grid, strict=True)]
        z, y, x = (
            slice(start, min(stop, start + 2 * side)) for (start, stop), side in zip(edges, SAMPLED, strict=True)
        )
        boxes.append((z, y, x))
    return boxes


def finite(volume: NDArray[Any]) -> tuple[Grey, Mask | None]:
    """Return (z, y, x) float32 with 0 for what is not finite, and where it is finite, None for everywhere."""
    if volume.ndim not in (2, 3) or volume.size == 0:
        raise UserError(f"Cracks are sought in a volume (z, y, x) or one slice (y, x), not in shape {volume.shape}.")
    values = np.ascontiguousarray(volume.reshape((1, *volume.shape)[-3:]), np.float32)
    known = np.isfinite(values)
    if known.all():
        return values, None
    if not known.any():
        raise UserError("The volume has no finite voxel (all are NaN or infinite); choose another one.")
    return np.where(known, values, np.float32(0)), known


def body_level(sample: Grey) -> float | None:
    """Return the grey value that bodies are brighter than; None where the values do not fall into two groups."""
    from skimage.filters import threshold_otsu

    values = sample[:: max(1, sample.size >> 20)]
    if np.ptp(values) == 0:
        return None
    threshold = float(threshold_otsu(values))
    bright = values > threshold
    share, above, below = bright.mean(), values[bright].mean(), values[~bright].mean()
    if share * (1 - share) * (above - below) ** 2 < SEPARATE * values.var():
        return None
    # A little up: what is blurred at the rim of a body does not belong to it.
    return threshold + (float(above) - threshold) / 6


def inside(grey: Grey, voxel_size: Spacing, widths: tuple[float, ...], body: float) -> tuple[Mask, Mask, Mask]:
    """Return where cracks may be, where to ask whether there are any, and where they are deep inside a body."""
    bright = grey > body
    walls = closed(bright.view(np.uint8), reach_of(voxel_size, widths, 0.5)) > 0
    mended = closed(bright.view(np.uint8), (0, MEND, MEND))
    reach = reach_of(voxel_size, widths, SURROUNDINGS)
    keep = walls & (_share(walls, reach) >= ENCLOSED)
    share = _share(mended, reach)
    return keep, walls & (share >= CORE), keep & (share >= DEEP)


def _share(body: NDArray[Any], reach: Reach) -> NDArray[np.float64]:
    """Return the share of a box of ``2 reach + 1`` voxels around every voxel that is body."""
    count = body.astype(np.int32)
    for axis, steps in enumerate(reach):
        if count.shape[axis] > 1:
            padding = [(steps + (k == axis), steps) if k == axis else (0, 0) for k in range(3)]
            total = np.pad(count, padding, mode="symmetric")
            total = np.cumsum(total, axis=axis, dtype=np.int32)
            length = count.shape[axis]
            ends = np.take(total, range(2 * steps + 1, 2 * steps + 1 + length), axis)
            count = ends - np.take(total, range(length), axis)
    return count / math.prod(2 * steps + 1 for steps, length in zip(reach, body.shape, strict=True) if length > 1)


def reach_of(voxel_size: Spacing, widths: tuple[float, ...], share: float) -> Reach:
    """Return a share of the widest width in voxels (z, y, x), rounded up; one voxel more for its half."""
    z, y, x = (math.ceil(share * max(widths) / size - 1e-6) + (share == 0.5) for size in voxel_size)
    return (z, y, x)


def closed(values: NDArray[Any], reach: Reach) -> NDArray[Any]:
    """Closing with a box of ``2 reach + 1`` voxels."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = [2 * steps + 1 for steps in reach]
    return np.asarray(minimum_filter(maximum_filter(values, size), size))
