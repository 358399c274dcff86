import numpy as np
import pytest

from napari_nanoct.phantoms.noise import rough_noise, smooth_noise


def test_a_block_has_the_values_of_the_whole() -> None:
    z, y, x = (np.arange(n) * 40.0 for n in (12, 40, 50))
    whole = smooth_noise((z, y, x), 170.0, 5)
    block = smooth_noise((z[3:7], y[11:30], x[20:]), 170.0, 5)
    np.testing.assert_allclose(block, whole[3:7, 11:30, 20:], atol=1e-5)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_noise_has_zero_mean_and_unit_deviation(axes: int) -> None:
    n = {1: 4000, 2: 400, 3: 60}[axes]
    field = smooth_noise([np.arange(n) * 1.0] * axes, 1.7, 3)
    assert field.shape == (n,) * axes
    assert abs(field.mean()) < 0.05
    assert field.std() == pytest.approx(1, abs=0.04)


def test_seeds_give_unrelated_fields() -> None:
    axes = [np.arange(200.0)] * 2
    a, b = smooth_noise(axes, 2.0, 1), smooth_noise(axes, 2.0, 2)
    assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.05


def test_noise_is_smooth_below_its_length_and_independent_beyond() -> None:
    field = smooth_noise([np.arange(20_000.0)], 10.0, 7)
    assert np.corrcoef(field[1:], field[:-1])[0, 1] > 0.99
    assert abs(np.corrcoef(field[60:], field[:-60])[0, 1]) < 0.05


def test_rough_noise_grows_as_its_hurst_exponent() -> None:
    # The structure function of a self-affine profile: mean |h(x + d) - h(x)| ~ d ** H.
    hurst = 0.7
    field = rough_noise([np.arange(1500.0)] * 2, 512.0, 2.0, hurst, 11)
    steps = np.array([8, 32, 128])
    change = [np.sqrt(np.mean((field[d:] - field[:-d]) ** 2)) for d in steps]
    assert np.polyfit(np.log(steps), np.log(change), 1)[0] == pytest.approx(hurst, abs=0.1)
