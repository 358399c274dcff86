"""Registration of two slices: known transforms come back to a fraction of a pixel, unrelated slices do not agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_nanoct.phantoms import phantom
from napari_nanoct.training.degrade import BlindRange, blind
from napari_nanoct.training.masked import agreement, measured, reduced, smoothed, warped
from napari_nanoct.training.register import Similarity, locate, on_one_grid, refine, register

LEVELS = ((0.03, 2600.0), (0.06, 740.0), (0.12, 230.0))
"""Noise and photons of the three blind levels."""


def truth(seed: int = 0) -> np.ndarray:
    clean = phantom((1, 256, 256), seed=seed).clean[0]
    low, high = np.percentile(clean, [0.5, 99.5])
    return ((clean - low) / (high - low)).astype(np.float32)


def scanned(high: np.ndarray, place: Similarity, shape: tuple[int, int], factor: int, level: int) -> np.ndarray:
    """A degraded slice of what lies where ``place`` says; NaN where there is nothing."""
    fine = warped(high, place, (shape[0] * factor, shape[1] * factor), factor)
    known = np.isfinite(fine)
    noise, photons = LEVELS[level]
    ranges = BlindRange((0.6, 2.0), (noise, noise), (photons, photons), 0.04, 0.05, 0.5)
    picture = torch.from_numpy(np.where(known, fine, np.float32(np.nanmean(fine))))[None, None]
    low = blind(picture, factor, torch.Generator().manual_seed(level), ranges)[0][0, 0].numpy()
    return np.where(reduced(known.astype(np.float32), factor) == 1, low, np.float32(np.nan))


def error(true: Similarity, found: Similarity, shape: tuple[int, ...], high: tuple[int, ...]) -> float:
    """Largest distance in low-resolution pixels, over all pixels that both slices show."""
    points = np.stack(np.mgrid[: shape[0], : shape[1]], -1).astype(float)
    there = true.apply(points)
    inside = ((there >= 0) & (there <= np.array(high) - 1)).all(-1)
    return float((np.linalg.norm(there - found.apply(points), axis=-1) / true.scale)[inside].max())


@pytest.mark.parametrize(
    ("angle", "stretch", "shift", "level"),
    [(5.0, 1.02, (20, -20), 0), (-5.0, 0.98, (-20, 12), 1), (3.3, 0.985, (7, 20), 2)],
)
def test_rotation_scale_and_shift_come_back(angle: float, stretch: float, shift: tuple[int, int], level: int) -> None:
    high = truth(level)
    place = Similarity(2 * stretch, angle, (55.5, 57.5), (127.5 + 2 * shift[0], 127.5 + 2 * shift[1]))
    low = scanned(high, place, (112, 116), 2, level)
    # another grey scale and type of file
    found, agreed = register(low, 900 * high - 150, Similarity(2.0))
    assert error(place, found, low.shape, high.shape) < 0.3
    assert agreed > 0.9


def test_a_zoom_scan_is_found_anywhere() -> None:
    high = truth(3)
    place = Similarity(2.0, 2.0, (63.5, 63.5), (127.5, 127.5))
    low = scanned(high, place, (128, 128), 2, 1)
    zoom = high[130:250, 20:150]
    found, _ = register(low, zoom, Similarity(2.0))
    moved = Similarity(2.0, 2.0, (63.5, 63.5), (127.5 - 130, 127.5 - 20))
    assert error(moved, found, low.shape, zoom.shape) < 0.3


def test_a_common_place_bounds_the_search() -> None:
    tile = truth(1)[:128, :128]
    high = np.tile(tile, (1, 2))
    low = reduced(tile, 2)
    for left in (0.0, 128.0):
        found, _ = register(low, high, Similarity(2.0, 0.0, (31.5, 31.5), (63.5, 63.5 + left + 9)), reach=10)
        assert found.apply(np.array([31.5, 31.5])) == pytest.approx((63.5, 63.5 + left), abs=0.2)


def test_unrelated_and_inverted_slices_do_not_agree() -> None:
    low = reduced(truth(0), 2)
    assert locate(low, truth(5), Similarity(2.0))[1] < 0.4
    assert locate(low, -truth(0), Similarity(2.0))[1] < 0.4
    assert locate(low, np.zeros((256, 256), np.float32), Similarity(2.0))[1] <= 0


def test_slices_without_overlap_leave_the_place_as_it_was() -> None:
    far = Similarity(2.0, 0.0, (0.0, 0.0), (5000.0, 0.0))
    low = reduced(truth(0), 2)
    found = refine(low, truth(0), far, (2.0, 1.2))
    assert found.apply(np.zeros(2)) == pytest.approx((5000, 0))
    assert agreement(*on_one_grid(low, truth(0), far))[0] == 0


def test_the_surroundings_of_a_reconstruction_are_not_measured() -> None:
    image = np.random.default_rng(0).normal(size=(40, 40)).astype(np.float32)
    outside = np.hypot(*(np.mgrid[:40, :40] - 19.5)) > 19
    image[outside] = 7
    image[20, 20] = 7
    assert np.array_equal(np.isnan(measured(image)), outside)
    image[0, 0] = 3
    image[5, 20] = np.inf
    assert np.isnan(measured(image)).sum() == 1


def test_a_blur_knows_only_what_was_measured() -> None:
    image = np.full((32, 32), 3.0, np.float32)
    image[10:14, 10:14] = np.nan
    blurred = smoothed(image, 1.5, 0.5)
    assert np.isnan(blurred[12, 12])
    assert blurred[np.isfinite(blurred)] == pytest.approx(3.0, abs=1e-5)


coordinates = st.floats(-200, 200)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.3, 6), st.floats(-170, 170), *[coordinates] * 6)
def test_inverse_and_change_of_centre_are_the_same_map(
    scale: float, turn: float, a: float, b: float, c: float, d: float, y: float, x: float
) -> None:
    place = Similarity(scale, turn, (a, b), (c, d))
    point = np.array([y, x])
    there = place.apply(point)
    assert place.inverse.apply(there) == pytest.approx(point, abs=1e-6)
    assert place.about((x, y)).apply(point) == pytest.approx(there, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.9, 4.4), st.floats(-6, 6), st.sampled_from([1, 2, 4]))
def test_resampling_puts_a_ramp_where_the_similarity_says(scale: float, turn: float, factor: int) -> None:
    from napari_nanoct.training.pairs import resampled

    y, x = np.mgrid[:160, :160].astype(np.float32)
    place = Similarity(scale, turn, (7.5, 7.5), (80.0, 79.0))
    for axis, ramp in enumerate((y, x)):
        target = resampled(ramp, place, (16, 16), factor)
        assert target.shape == (16 * factor, 16 * factor)
        fine = (np.stack(np.mgrid[: 16 * factor, : 16 * factor], -1) + 0.5) / factor - 0.5
        assert target == pytest.approx(place.apply(fine)[..., axis], abs=0.02)
