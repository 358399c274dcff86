"""Features of a block and of one slice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_nanoct.cracks.features import (
    FeatureSettings,
    Window,
    default_features,
    feature_names,
    halo,
    slice_features,
    volume_features,
)
from napari_nanoct.errors import UserError

SIZES = ((1.0, 1.0, 1.0), (40.0, 20.0, 20.0), (4.0, 1.0, 1.0), (1.0, 2.0, 0.5))


def texture(*shape: int) -> NDArray[np.float32]:
    """Grains of about ten voxels under noise: grey values that differ at every scale."""
    random = np.random.default_rng(0)
    grains = random.random([extent // 10 + 1 for extent in shape]) > 0.5
    place = np.ix_(*(np.arange(extent) // 10 for extent in shape))
    return np.asarray(grains[place] + random.normal(0, 0.1, shape), np.float32)


def differ(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Largest difference as a share of each feature's own range."""
    axes = tuple(range(1, other.ndim))
    span = other.max(axes, keepdims=True) - other.min(axes, keepdims=True)
    return float((np.abs(one - other) / span).max())


@pytest.mark.parametrize("voxel_size", SIZES)
@pytest.mark.parametrize("index", [0, 1, 9, 18])
def test_a_slice_has_the_features_of_the_volume(voxel_size: tuple[float, float, float], index: int) -> None:
    volume, settings = texture(19, 45, 70), default_features(voxel_size)
    whole = volume_features(volume, voxel_size, settings)[:, index]
    assert differ(slice_features(volume, index, voxel_size, settings), whole) < 1e-5


@pytest.mark.parametrize("window", [(0, 20, 0, 30), (25, 45, 40, 70), (11, 12, 30, 33), (3, 45, 0, 70)])
@pytest.mark.parametrize("voxel_size", SIZES[:2])
def test_a_window_has_the_features_of_the_volume(voxel_size: tuple[float, float, float], window: Window) -> None:
    volume, settings = texture(12, 45, 70), default_features(voxel_size)
    y0, y1, x0, x1 = window
    whole = volume_features(volume, voxel_size, settings)[:, 5]
    part = slice_features(volume, 5, voxel_size, settings, window)
    assert part.shape == (len(feature_names(settings)), y1 - y0, x1 - x0)
    span = whole.max((1, 2), keepdims=True) - whole.min((1, 2), keepdims=True)
    assert (np.abs(part - whole[:, y0:y1, x0:x1]) / span).max() < 1e-5


def test_a_block_with_its_halo_has_the_features_of_the_volume() -> None:
    voxel_size, settings = (2.0, 1.0, 1.0), FeatureSettings((0.7, 1.5))
    volume, (z, y, x) = texture(30, 40, 41), halo(settings, voxel_size)
    wide = volume[10 - z : 14 + z, 12 - y : 20 + y, 12 - x : 25 + x]
    inner = (slice(z, z + 4), slice(y, y + 8), slice(x, x + 13))
    whole = volume_features(volume, voxel_size, settings)[:, 10:14, 12:20, 12:25]
    assert np.array_equal(volume_features(wide, voxel_size, settings)[:, z:-z, y:-y, x:-x], whole)
    assert np.array_equal(volume_features(wide, voxel_size, settings, inner=inner), whole)


def test_features_of_a_dark_plate_say_plate_at_its_middle_alone() -> None:
    volume = np.ones((20, 40, 40), np.float32)
    volume[:, :, 19:21] = 0
    settings = FeatureSettings((1.0, 2.0))
    found = dict(zip(feature_names(settings), volume_features(volume, (1, 1, 1), settings), strict=True))
    assert found["value"][10, 20, 20] == 0
    assert found["plate 1"][10, 20, 20] == pytest.approx(found["lambda1 1"][10, 20, 20], rel=1e-4)
    assert found["plate 1"][10, 20, 20] > 0.4
    assert abs(found["lambda2 1"][10, 20, 20]) < 1e-5
    assert found["plate 1"][10, 20, 30] == pytest.approx(0, abs=1e-5)
    assert found["gradient 1"][10, 20, 17] > 0.1


def test_scales_are_lengths_not_voxels() -> None:
    volume, settings = texture(16, 40, 40), FeatureSettings((60.0,))
    nanometres = volume_features(volume, (40.0, 40.0, 40.0), settings)
    micrometres = volume_features(volume, (0.04, 0.04, 0.04), FeatureSettings((0.06,)))
    assert differ(micrometres, nanometres) < 1e-5


def test_one_slice_alone_has_features() -> None:
    volume, settings = texture(1, 30, 30), default_features((1.0, 1.0, 1.0))
    found = slice_features(volume, 0, (1.0, 1.0, 1.0), settings)
    assert np.isfinite(found).all()
    assert differ(found, volume_features(volume, (1.0, 1.0, 1.0), settings)[:, 0]) < 1e-5


@pytest.mark.parametrize("scales", [(), (0.0,), (1.0, -1.0), (float("nan"),)])
def test_scales_must_be_lengths(scales: tuple[float, ...]) -> None:
    with pytest.raises(UserError, match="positive lengths"):
        FeatureSettings(scales)
