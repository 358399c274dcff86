"""Cracks of known shape, exact in the shares of their voxels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_nanoct.phantoms.partial_volume import slab_share


def _disc(
    side: int,
    aperture: float,
    normal: tuple[float, float, float],
    radius: float,
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0),
    coarse: int = 1,
) -> NDArray[np.float64]:
    """Share of each voxel of a cube that is in a round plane crack; ``centre`` from the middle of the cube.

    ``coarse`` slices are averaged to one: voxels of (coarse, 1, 1).
    """
    n = np.array(normal) / np.linalg.norm(normal)
    grid = np.indices((side, side, side)).reshape(3, -1) - (side - 1) / 2 - np.array(centre)[:, None]
    across = n @ grid
    along = np.sqrt(np.maximum((grid**2).sum(axis=0) - across**2, 0))
    share = slab_share(-across, np.full(across.shape, aperture), np.repeat(n[:, None], across.size, axis=1))
    share *= np.clip(radius - along + 0.5, 0, 1)
    return share.reshape(side // coarse, coarse, side, side).mean(axis=1)


@pytest.fixture(scope="session")
def disc() -> Callable[..., NDArray[np.float64]]:
    """Draws a round plane crack."""
    return _disc
