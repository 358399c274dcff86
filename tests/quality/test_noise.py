import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.quality import noise_power_spectrum


def ramp_noise(side: int) -> np.ndarray:
    """Return noise whose power grows with frequency, as that of unfiltered back-projection does."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None, :])
    white = np.random.default_rng(0).normal(size=(16, side, side))
    return np.fft.ifft2(np.fft.fft2(white) * np.sqrt(frequency)).real


def test_white_noise_is_flat_at_variance_times_pixel_area() -> None:
    noise = np.random.default_rng(0).normal(7, 3, (2, 256, 256))
    spectrum = noise_power_spectrum(noise, (0.5, 0.25), patch=32)
    assert spectrum.patches == 128
    expected = 9 * 0.5 * 0.25
    assert spectrum.radial[3:].mean() == pytest.approx(expected, rel=0.02)
    assert spectrum.radial[3:] == pytest.approx(np.full(len(spectrum.radial) - 3, expected), rel=0.15)


def test_integral_is_the_variance() -> None:
    noise = np.random.default_rng(0).normal(0, 3, (64, 96))
    spectrum = noise_power_spectrum(noise, (2.0, 5.0), patch=None)
    cell = np.diff(spectrum.frequency_y)[0] * np.diff(spectrum.frequency_x)[0]
    # A plane with its three parameters is taken off: that much variance less.
    assert spectrum.power.sum() * cell == pytest.approx(noise.var(), rel=3e-3)


def test_ramp_noise_has_a_ramp() -> None:
    spectrum = noise_power_spectrum(ramp_noise(128), patch=None)
    inner = slice(4, None)
    np.testing.assert_allclose(spectrum.radial[inner], spectrum.frequency[inner], rtol=0.15)
    slope = np.polyfit(spectrum.frequency, spectrum.radial, 1)
    assert slope[0] == pytest.approx(1, rel=0.05)
    assert slope[1] == pytest.approx(0, abs=0.01)


def test_a_wave_stands_at_its_frequency() -> None:
    x = np.arange(64)
    spectrum = noise_power_spectrum(np.cos(2 * np.pi * 8 * x / 64)[None, :].repeat(64, 0), 0.1, patch=64)
    row, column = np.unravel_index(spectrum.power.argmax(), spectrum.power.shape)
    assert spectrum.frequency_y[row] == 0
    assert abs(spectrum.frequency_x[column]) == pytest.approx(8 / 6.4)
    assert spectrum.frequency[spectrum.radial.argmax()] == pytest.approx(8 / 6.4)


def test_shading_is_taken_off_and_broken_patches_are_left_out() -> None:
    y, x = np.mgrid[:64, :64]
    noise = np.random.default_rng(0).normal(size=(64, 64))
    plain = noise_power_spectrum(noise, patch=32)
    np.testing.assert_allclose(
        noise_power_spectrum(noise + 4 * y - x, patch=64).power.sum(), noise_power_spectrum(noise, patch=64).power.sum()
    )
    noise[0, 0] = np.nan
    assert (plain.patches, noise_power_spectrum(noise, patch=32).patches) == (4, 3)


def test_too_large_a_patch_gets_a_sentence() -> None:
    with pytest.raises(UserError, match="64 x 64"):
        noise_power_spectrum(np.zeros((40, 40)))
    with pytest.raises(UserError, match="8 x 8"):
        noise_power_spectrum(np.zeros((40, 40)), patch=4)
    with pytest.raises(UserError, match="8 x 8"):
        noise_power_spectrum(np.zeros(40), patch=None)
