"""Pairs of a low-resolution slice and what the network is to make of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    """

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    usable: NDArray[np.bool_]
    low_slice: int
