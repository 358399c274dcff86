"""What the figures share: arrays of one shape, masks, slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_nanoct.errors import UserError

Float = NDArray[np.float64]
Mask = NDArray[np.bool_]


def pair(truth: ArrayLike, image: ArrayLike) -> tuple[Float, Float]:
    """Return two arrays of one shape as float64."""
    a, b = np.asarray(truth, dtype=np.float64), np.asarray(image, dtype=np.float64)
    if a.shape != b.shape:
        raise UserError(f"Truth and image must have one shape to be compared, not {a.shape} and {b.shape}.")
    return a, b


def kept(mask: Mask | None, shape: tuple[int, ...]) -> Mask | None:
    """Return the mask broadcast to ``shape``; it must leave something."""
    if mask is None:
        return None
    keep = np.broadcast_to(np.asarray(mask, dtype=bool), shape)
    if not keep.any():
        raise UserError("The mask leaves no pixel to compare.")
    return keep


def planes(array: NDArray[Any], figure: str) -> Iterator[tuple[tuple[int, ...], NDArray[Any]]]:
    """Walk the slices (y, x) of a slice or a volume (z, y, x), each with its index in the leading axes."""
    if array.ndim not in (2, 3):
        raise UserError(f"{figure} needs slices, (y, x) or (z, y, x), not shape {array.shape}.")
    for z in np.ndindex(array.shape[:-2]):
        yield z, array[z]


def spacing(voxel_size: float | tuple[float, ...], axes: int) -> tuple[float, ...]:
    """Return one voxel size for each axis."""
    sizes = np.atleast_1d(np.asarray(voxel_size, dtype=np.float64))
    if sizes.size not in (1, axes) or not np.all(sizes > 0):
        raise UserError(
            f"The voxel size must be one positive number, or one for each of {axes} axes, not {voxel_size}."
        )
    return tuple(float(size) for size in np.broadcast_to(sizes, axes))
