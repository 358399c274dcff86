import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.quality import flicker, grey_drift


def test_drift_is_the_offset_of_each_slice() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(100, 10, (5, 20, 20))
    offsets = np.array([0.0, 1, -2, 3, 0])
    after = before + offsets[:, None, None]
    np.testing.assert_allclose(grey_drift(after, before, 10), offsets / 10, atol=1e-12)
    # An enlargement has other pixels and the same means.
    np.testing.assert_allclose(grey_drift(after.repeat(2, 1).repeat(2, 2), before, 10), offsets / 10, atol=1e-12)


def test_drift_without_a_reference_is_that_along_z() -> None:
    image = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 4), dtype=np.uint8)
    np.testing.assert_allclose(grey_drift(image, data_range=4), [-0.5, -0.25, 0, 0.25, 0.5])


def test_drift_looks_at_finite_values_under_the_mask() -> None:
    before, after = np.zeros((2, 3, 4)), np.ones((2, 3, 4))
    after[:, 0] = 50
    after[0, 1, 1] = np.nan
    mask = np.ones((3, 4), dtype=bool)
    mask[0] = False
    np.testing.assert_allclose(grey_drift(after, before, 1, mask), [1, 1])
    after[1] = np.nan
    np.testing.assert_array_equal(np.isnan(grey_drift(after, before, 1, mask)), [False, True])


def test_flicker_of_a_level_is_the_spread_of_the_offsets() -> None:
    offsets = np.random.default_rng(0).normal(0, 2, 4000)
    image = np.broadcast_to(offsets[:, None, None], (4000, 3, 3)) + 50.0
    result = flicker(image, data_range=10)
    assert result.level == pytest.approx(0.2, rel=0.05)
    assert result.texture == pytest.approx(result.level)


def test_flicker_of_texture_is_the_noise_of_voxels() -> None:
    noise = np.random.default_rng(0).normal(0, 2, (60, 30, 30))
    result = flicker(noise, data_range=10)
    assert result.texture == pytest.approx(0.2, rel=0.03)
    assert result.level == pytest.approx(0.2 / 30, rel=0.3)


def test_a_linear_change_does_not_flicker() -> None:
    image = np.arange(6.0)[:, None, None] * np.random.default_rng(0).normal(size=(1, 8, 8))
    result = flicker(image, data_range=1)
    assert result.level == pytest.approx(0, abs=1e-12)
    assert result.texture == pytest.approx(0, abs=1e-12)


def test_flicker_looks_at_finite_values_under_the_mask() -> None:
    image = np.zeros((4, 3, 4), dtype=np.float32)
    image[1, 0] = 9
    image[2, 1, 1] = np.nan
    mask = np.ones((3, 4), dtype=bool)
    mask[0] = False
    assert flicker(image, 1, mask).texture == flicker(image, 1, mask).level == 0
    assert flicker(image, 1).texture > 1


def test_wrong_input_gets_a_sentence() -> None:
    volume = np.zeros((3, 4, 4))
    with pytest.raises(UserError, match="volumes"):
        grey_drift(volume[0])
    with pytest.raises(UserError, match="as many slices"):
        grey_drift(volume, volume[:2])
    with pytest.raises(UserError, match="at least 3 slices"):
        flicker(volume[:2])
    with pytest.raises(UserError, match="No slice"):
        grey_drift(volume * np.nan)
    volume[1] = np.nan
    with pytest.raises(UserError, match="share a finite voxel"):
        flicker(volume, 1)
