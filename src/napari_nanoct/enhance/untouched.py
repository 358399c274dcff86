"""Pixels without a measurement come back as they were: NaN, infinities, the outside of a reconstruction circle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def untouched(plane: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return the mask of the pixels of a slice that hold no measurement, or None if all do.

    Parameters
    ----------
    plane : ndarray, shape (y, x)
        A whole slice: the circle is known only by its centre.
    """
    mask = outside_circle(plane)
    if np.issubdtype(plane.dtype, np.floating):
        missing = ~np.isfinite(plane)
        if missing.any():
            mask = missing if mask is None else mask | missing
    return mask


def outside_circle(plane: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return the mask of what lies outside the reconstruction circle, or None if there is no such circle.

    There is one where every pixel outside a circle around the centre, no larger than the inscribed one, has exactly the
    value of the corners. A single pixel that differs rules it out.
    """
    height, width = plane.shape
    value = plane[0, 0]
    if not (value == plane[0, -1] == plane[-1, 0] == plane[-1, -1]):  # false for NaN too
        return None
    inscribed = min(height, width) / 2 + 1  # programs differ by a pixel in where they put the centre
    rows = (np.arange(height, dtype=np.float32) - (height - 1) / 2) ** 2
    columns = (np.arange(width, dtype=np.float32) - (width - 1) / 2) ** 2
    if rows[0] + columns[0] <= inscribed**2:
        return None  # so small that even the corners lie inside
    square = rows[:, None] + columns
    constant = plane == value
    if constant.all() or (radius := float(np.sqrt(square[~constant].max()))) > inscribed:
        return None
    # The rim of a circle whose centre is off by half a pixel belongs to the outside too.
    return constant & (square > max(radius - 1.5, 0) ** 2)


def filled(plane: NDArray[Any]) -> NDArray[Any]:
    """Return the slice with NaN and infinities replaced by the nearest finite value; itself if all are finite."""
    if not np.issubdtype(plane.dtype, np.floating):
        return plane
    missing = ~np.isfinite(plane)
    if not missing.any():
        return plane
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    return plane[tuple(nearest)]


def is_constant(plane: NDArray[Any], mask: NDArray[np.bool_] | None) -> bool:
    """Whether the measured pixels of a slice, those outside of the mask, have one value; also where there are none."""
    values = plane if mask is None else plane[~mask]
    return values.size == 0 or bool((values == values.flat[0]).all())


def enlarged(plane: NDArray[Any], scale: int) -> NDArray[Any]:
    """Return the slice with every pixel repeated `scale` times in y and x."""
    return plane.repeat(scale, axis=0).repeat(scale, axis=1)
