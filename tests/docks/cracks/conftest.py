"""A small cracked volume, and scribbles on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_nanoct.cracks.scribbles import ScribbleStore

SHAPE = (12, 48, 56)


@pytest.fixture
def plate() -> tuple[np.ndarray, np.ndarray]:
    """Return noisy grey values (12, 48, 56) with a bent dark plate, and the plate."""
    z, y, x = np.indices(SHAPE)
    crack = np.abs(x - 20 - 4 * np.sin(y / 9) - 0.3 * z) < 1.2
    grey = np.random.default_rng(0).normal(1000, 25, SHAPE)
    grey[crack] -= 400
    return grey.astype(np.float32), crack


@pytest.fixture
def painted(plate: tuple[np.ndarray, np.ndarray]) -> ScribbleStore:
    """Return scribbles on slices 3 and 8 of it."""
    store = ScribbleStore(Path("nowhere.zarr"), SHAPE)
    for z in (3, 8):
        plane = np.zeros(SHAPE[1:], np.uint8)
        plane[10:30][plate[1][z, 10:30]] = 1
        plane[5:40, 35:50] = 3
        store[z] = plane
    return store
