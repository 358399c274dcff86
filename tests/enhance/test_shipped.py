"""The weights that ship, through the enhancer: tiles leave no seams."""

from __future__ import annotations

import numpy as np
import pytest

from napari_nanoct.enhance import Enhancer
from napari_nanoct.utsr import list_models
from napari_nanoct.utsr.catalogue import SHIPPED
from napari_nanoct.volumes import IntensityRange

UNIT = IntensityRange(0.0, 1.0)
SHIPPED_MODELS = sorted(path for path, _ in list_models() if path.parent == SHIPPED)


def picture(size: int) -> np.ndarray:
    """Particles with sharp edges, noise and a slow gradient; 0..1."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    plane = 0.1 * columns / size
    for _ in range(size // 6):
        y, x, radius = *random.integers(0, size, 2).tolist(), random.uniform(3, 30)
        plane[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = random.uniform(0.3, 0.9)
    return (plane + random.normal(0, 0.05, plane.shape)).astype(np.float32)


@pytest.mark.skipif(not SHIPPED_MODELS, reason="no weights ship yet")
@pytest.mark.parametrize("path", SHIPPED_MODELS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("precision", "rms", "most"), [("float32", 1e-4, 1e-3), ("bfloat16", 2e-3, None)])
def test_tiled_equals_whole(path: object, precision: str, rms: float, most: float | None) -> None:
    enhancer = Enhancer.load(str(path), device="cpu", precision=precision)
    period, halo = enhancer.card.period, enhancer.card.halo
    plane = picture(2 * halo + 3 * period + 21)
    whole = enhancer.slice(plane, UNIT)
    assert len(enhancer.tiles(plane.shape)) == 1
    enhancer.core, enhancer.whole = 2 * period, 0
    assert len(enhancer.tiles(plane.shape)) >= 4
    difference = enhancer.slice(plane, UNIT) - whole
    assert np.sqrt(np.mean(difference**2)) < rms
    if most is not None:
        assert np.abs(difference).max() < most
