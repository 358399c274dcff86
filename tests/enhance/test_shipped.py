"""The weights that ship: tiles leave no seams, and what comes out is nearer to the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_nanoct.enhance import Enhancer
from napari_nanoct.evaluation.protocols import degrade
from napari_nanoct.evaluation.scores import bare, baseline
from napari_nanoct.quality import circle_mask, psnr
from napari_nanoct.utsr import list_models, load_network
from napari_nanoct.utsr.catalogue import SHIPPED
from napari_nanoct.volumes import IntensityRange

UNIT = IntensityRange(0.0, 1.0)
SHIPPED_MODELS = sorted(path for path, _ in list_models() if path.parent == SHIPPED)


def picture(size: int, noise: float = 0.05) -> np.ndarray:
    """Particles with sharp edges, noise and a slow gradient; 0..1."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    plane = 0.1 * columns / size
    for _ in range(size // 6):
        y, x, radius = *random.integers(0, size, 2).tolist(), random.uniform(3, 30)
        plane[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = random.uniform(0.3, 0.9)
    return (plane + random.normal(0, noise, plane.shape)).astype(np.float32)


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


@pytest.mark.skipif(not SHIPPED_MODELS, reason="no weights ship yet")
@pytest.mark.parametrize("path", SHIPPED_MODELS, ids=lambda path: path.stem)
@pytest.mark.parametrize("protocol", ["blind", "sinogram"])
def test_nearer_to_the_truth_than_without_a_network(path: Path, protocol: str) -> None:
    truth = picture(256, noise=0)
    network = load_network(path)
    low = degrade(truth, protocol, 1, network.scale, seed=1)
    before, after = (
        psnr(truth, method(low), 1, circle_mask(truth.shape)) for method in (baseline(network.scale), bare(network))
    )
    assert after > before + {1: 4.0, 2: 1.5, 4: 0.5}[network.scale]
