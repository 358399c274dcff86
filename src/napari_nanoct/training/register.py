"""Where a slice of one scan lies in a slice of another: a similarity transform found to a fraction of a pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
