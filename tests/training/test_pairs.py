"""Targets on the fine grid: aligned, matched in grey scale, trusted where they agree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.training.masked import Picture, reduced
from napari_nanoct.training.pairs import grey_match, noisier, resampled, trusted
from napari_nanoct.training.register import Similarity


@pytest.fixture
def high() -> Picture:
    noise = np.random.default_rng(0).normal(size=(192, 192))
    image = gaussian_filter(noise, 4)
    return (0.5 + 0.25 * image / image.std()).astype(np.float32)


def aligned(factor: float) -> Similarity:
    """Grids with one outer corner."""
    return Similarity(factor, 0.0, (-0.5, -0.5), (-0.5, -0.5))


def test_a_grid_of_its_own_is_kept(high: Picture) -> None:
    assert resampled(high, aligned(2), (96, 96), 2) == pytest.approx(high, abs=1e-5)


def test_a_finer_scan_is_averaged_over_the_pixels_of_the_target(high: Picture) -> None:
    assert resampled(high, aligned(4), (48, 48), 2) == pytest.approx(reduced(high, 2), abs=1e-5)
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (192, 96))
    assert resampled(stripes, aligned(4), (48, 48), 2)[2:-2, 2:-2] == pytest.approx(0.5, abs=1e-3)


def test_no_value_beyond_the_scan(high: Picture) -> None:
    shifted = Similarity(2, 0.0, (0.0, 0.0), (0.5, 100.5))
    target = resampled(high, shifted, (96, 96), 2)
    assert np.isfinite(target[:, :90]).all()
    assert np.isnan(target[:, 93:]).all()


def test_grey_values_are_matched_despite_noise_and_a_foreign_body(high: Picture) -> None:
    coarse = reduced(high, 2)
    noise = np.random.default_rng(1).normal(0, 0.1, coarse.shape)
    low = (0.8 * coarse + 0.1 + noise).astype(np.float32)
    low[:20, :20] = 9
    assert grey_match(low, 1000 * coarse) == pytest.approx((0.0008, 0.1), rel=0.05)


@pytest.mark.parametrize("value", [3.0, np.nan])
def test_nothing_matches_a_constant(high: Picture, value: float) -> None:
    with pytest.raises(ValueError, match="nothing to match"):
        grey_match(reduced(high, 2), np.full((96, 96), value, np.float32))


def test_patches_that_disagree_are_left_out(high: Picture) -> None:
    low = reduced(high, 2) + np.random.default_rng(1).normal(0, 0.1, (96, 96)).astype(np.float32)
    other = high.copy()
    other[:96] = high[::-1][:96][:, ::-1]
    other[:, 150:] = np.nan
    quality, usable = trusted(low, other, 2)
    assert usable[60:90, 5:65].mean() > 0.98
    assert usable[5:38, 5:65].mean() < 0.3
    assert not usable[:, 75:].any()
    assert 0.2 < quality < 0.9
    assert trusted(low, high, 2)[0] > 0.95


def test_a_flat_place_is_not_taken_for_a_misplaced_one(high: Picture) -> None:
    flat = high.copy()
    flat[:, :96] = 0.5
    low = reduced(flat, 2) + np.random.default_rng(1).normal(0, 0.05, (96, 96)).astype(np.float32)
    assert trusted(low, flat, 2)[1][8:-8, 8:-8].mean() > 0.99


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("noise", [0.1, 0.2])
@pytest.mark.parametrize("blur", [0.0, 0.7, 1.0, 2.5])
def test_only_a_noisier_target_that_is_no_sharper_is_the_wrong_way_round(
    factor: int, noise: float, blur: float
) -> None:
    random = np.random.default_rng(2)
    grains = gaussian_filter(random.normal(size=(384, 384)), 5 * factor) > 0  # edges, and flat between them
    sharp = gaussian_filter(np.where(grains, 0.75, 0.25), 0.7).astype(np.float32)
    usable = np.ones((384 // factor,) * 2, bool)

    def noisy(image: Picture, amount: float) -> Picture:
        return image + amount * random.standard_normal(image.shape).astype(np.float32)

    coarse = reduced(sharp, factor)
    # out of focus, or smoothed after its reconstruction: noise of the finest kind is in the target alone
    focus, smooth = noisy(gaussian_filter(coarse, blur), noise), gaussian_filter(noisy(coarse, noise), blur)
    for low in (focus, smooth):
        assert not noisier(low, noisy(sharp, noise / 2), usable, factor)
    assert not noisier(coarse, sharp, usable, factor)
    assert noisier(noisy(coarse, noise / 5), noisy(gaussian_filter(sharp, blur), factor * noise), usable, factor)
    assert not noisier(coarse, noisy(sharp, noise), ~usable, factor)
