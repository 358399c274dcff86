"""A small cracked volume, and scribbles on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_nanoct.cracks.scribbles import ScribbleStore

SHAPE = (12, 48, 56)


@pytest.fixture(scope="session")
def bent_plate() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return a function that makes noisy grey values with a bent dark plate about a column, and the plate."""

    def make(shape: tuple[int, int, int], column: float, swing: float, period: float) -> tuple[np.ndarray, np.ndarray]:
        z, y, x = np.indices(shape)
        crack = np.abs(x - column - swing * np.sin(y / period) - 0.3 * z) < 1.2
        grey = np.random.default_rng(0).normal(1000, 25, shape)
        grey[crack] -= 400
        return grey.astype(np.float32), crack

    return make


@pytest.fixture
def plate(bent_plate: Callable) -> tuple[np.ndarray, np.ndarray]:
    """Return a small one, (12, 48, 56)."""
    return bent_plate(SHAPE, 20, 4, 9)


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
