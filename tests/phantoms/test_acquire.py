import json

import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.phantoms import Instrument, acquire, to_grey

QUIET = Instrument(psf=(1e-3, 1e-3), noise=(1e-9, 1e-9), photons=(1e12, 1e12), rings=0, shading=0)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 0.1, (6, 64, 60)).astype(np.float32)


def test_type_shape_and_record(clean: np.ndarray) -> None:
    made = acquire(clean, seed=1)
    assert made.data.dtype == np.uint16
    assert made.data.shape == clean.shape
    record = json.loads(json.dumps(made.record))
    assert all(0.6 <= sigma <= 2 for sigma in record["psf_sigma"])
    assert 0.03 <= record["noise_drawn"] <= 0.06
    assert 740 <= record["photons_drawn"] <= 2600
    assert tuple(record["grey_range"]) == made.grey_range
    assert made.data.min() > 0
    assert made.data.max() < 65535


def test_same_seed_same_volume_other_seed_another(clean: np.ndarray) -> None:
    np.testing.assert_array_equal(acquire(clean, seed=1).data, acquire(clean, seed=1).data)
    assert (acquire(clean, seed=2).data != acquire(clean, seed=1).data).mean() > 0.9


def test_binning_averages_aligned_areas(clean: np.ndarray) -> None:
    made = acquire(clean, factor=2, instrument=QUIET)
    expected = made.to_grey(clean.reshape(6, 32, 2, 30, 2).mean(axis=(2, 4)))
    assert np.abs(made.data.astype(int) - expected.astype(int)).max() <= 2


def test_a_perfect_instrument_gives_the_truth(clean: np.ndarray) -> None:
    made = acquire(clean, instrument=QUIET)
    assert np.abs(made.data.astype(int) - made.to_grey(clean).astype(int)).max() <= 2


def test_blur_has_the_drawn_width() -> None:
    point = np.zeros((1, 65, 65))
    point[0, 32, 32] = 1
    instrument = Instrument(psf=(1.5, 1.5), noise=(1e-12, 1e-12), photons=(1e15, 1e15), rings=0, shading=0)
    made = acquire(point, instrument=instrument, grey_range=(0.0, 0.1))
    weights = made.data[0] / made.data[0].sum()
    y, x = np.indices(weights.shape) - 32
    assert np.sqrt((weights * y**2).sum()) == pytest.approx(1.5, rel=0.01)
    assert np.sqrt((weights * x**2).sum()) == pytest.approx(1.5, rel=0.01)


def _noise_alone(instrument: Instrument, value: float = 0.0, shape: tuple[int, int, int] = (8, 128, 129)) -> np.ndarray:
    """What acquiring adds to a constant volume (whose percentile range is taken for 1)."""
    return acquire(np.full(shape, value), instrument=instrument, grey_range=(-4.0, 4.0)).data / 65535.0 * 8 - 4 - value


def test_coloured_noise_has_the_drawn_deviation_and_a_ramp_spectrum() -> None:
    noise = _noise_alone(Instrument(psf=(1e-3, 1e-3), noise=(0.05, 0.05), photons=(1e15, 1e15), rings=0, shading=0))
    assert noise.std() == pytest.approx(0.05, rel=0.02)
    power = (np.abs(np.fft.rfft2(noise)) ** 2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(129))
    low, double = (power[np.abs(frequency - f) < 0.01].mean() for f in (0.04, 0.08))
    window = (np.cos(np.pi * 0.08) / np.cos(np.pi * 0.04)) ** 4
    assert double / low == pytest.approx(2 * window, rel=0.15)
    # Each slice has its own.
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05


def test_photon_noise_grows_with_the_signal() -> None:
    step = np.zeros((4, 100, 200))
    step[:, :, 100:] = 1
    instrument = Instrument(psf=(1e-3, 1e-3), noise=(1e-12, 1e-12), photons=(400, 400), rings=0, shading=0)
    image = acquire(step, instrument=instrument, grey_range=(-1.0, 2.0)).data / 65535.0 * 3 - 1
    assert image[:, :, 110:].std() == pytest.approx(1 / np.sqrt(400), rel=0.03)
    assert image[:, :, :90].std() < 1e-3


def test_rings_are_round_and_no_higher_than_set() -> None:
    instrument = Instrument(psf=(1e-3, 1e-3), noise=(1e-12, 1e-12), photons=(1e15, 1e15), rings=4, shading=0)
    noise = _noise_alone(instrument, shape=(8, 129, 129))
    assert 0.005 < np.abs(noise).max() <= 4 * 0.04
    np.testing.assert_allclose(noise, noise[:, ::-1, :], atol=2e-4)
    np.testing.assert_allclose(noise, noise.transpose(0, 2, 1), atol=2e-4)


def test_shading_is_smooth_and_no_larger_than_set() -> None:
    instrument = Instrument(psf=(1e-3, 1e-3), noise=(1e-12, 1e-12), photons=(1e15, 1e15), rings=0, shading=0.05)
    noise = _noise_alone(instrument)
    assert 0.002 < np.abs(noise).max() <= 0.05 * 1.5
    assert np.abs(np.diff(noise, axis=2)).max() < 0.005
    np.testing.assert_allclose(noise[0], noise[5], atol=2e-4)


def test_grey_values_are_rounded_and_saturated() -> None:
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert to_grey(values, (0.0, 1.0)).tolist() == [0, 0, 32768, 65535, 65535]


@pytest.mark.parametrize(
    "wrong", [{"factor": 0}, {"factor": 65}, {"clean": np.zeros((4, 4))}, {"grey_range": (1.0, 1.0)}]
)
def test_wrong_settings_get_a_sentence(clean: np.ndarray, wrong: dict) -> None:
    with pytest.raises(UserError, match="give"):
        acquire(**({"clean": clean} | wrong))
