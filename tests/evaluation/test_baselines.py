"""Baselines: noise found as it is, smoothed without harm, enlarged to the truth's grid."""

from __future__ import annotations

import numpy as np
import pytest

from napari_nanoct.evaluation.baselines import DENOISERS, Denoiser, denoise, missing, noise_level, untrained


def noisy(level: float, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    clean = np.zeros((size, size), np.float32)
    clean[size // 4 : -size // 4, size // 3 : -size // 3] = 1
    return clean, clean + np.random.default_rng(0).normal(0, level, clean.shape).astype(np.float32)


@pytest.mark.parametrize("level", [0.03, 0.12])
def test_noise_is_found(level: float) -> None:
    assert noise_level(noisy(level, 200)[1]) == pytest.approx(level, rel=0.05)


@pytest.mark.parametrize("name", ["non-local means", "total variation"])
def test_noise_is_smoothed(name: str) -> None:
    clean, image = noisy(0.1)
    assert np.square(denoise(DENOISERS[name], 1, image) - clean).mean() < 0.5 * np.square(image - clean).mean()


def test_bm3d_smooths_where_it_is_installed() -> None:
    pytest.importorskip("bm3d")
    clean, image = noisy(0.1)
    assert np.square(denoise(DENOISERS["bm3d"], 1, image) - clean).mean() < 0.5 * np.square(image - clean).mean()


def test_bm3d_survives_the_smallest_slices() -> None:
    pytest.importorskip("bm3d")
    image = noisy(0.1)[1][:8, :9]
    smoothed = denoise(DENOISERS["bm3d"], 1, image)
    assert smoothed.shape == (8, 9)
    assert smoothed.std() < image.std()


def test_a_method_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_nanoct.evaluation.baselines.find_spec", lambda name: None)
    assert missing() == ["bm3d"]
    assert list(untrained(1)) == ["non-local means", "total variation"]


def test_every_method_that_is_installed_is_compared() -> None:
    assert {"non-local means", "total variation"} <= set(untrained(2)) == set(DENOISERS) - set(missing())


def test_results_lie_on_the_grid_of_the_truth() -> None:
    assert denoise(Denoiser(lambda image, amount: image, 1.0), 2, noisy(0.1)[1]).shape == (128, 128)
