import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.errors import UserError
from napari_nanoct.quality import fourier_ring_correlation, fourier_shell_correlation, split_image_correlation


def two_images(
    shape: tuple[int, ...], noise: float, sigma: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return one white, optionally blurred object twice, each time with white noise of its own."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1, shape)
    truth = gaussian_filter(truth, sigma, mode="wrap") if sigma else truth
    return truth + rng.normal(0, noise, shape), truth + rng.normal(0, noise, shape)


def test_equal_images_correlate_and_independent_ones_do_not() -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 128, 128))
    same, other = fourier_ring_correlation(a, a), fourier_ring_correlation(a, b)
    np.testing.assert_allclose(same.correlation, 1)
    assert same.resolution() == same.resolution("half-bit") == pytest.approx(2)
    assert abs(other.correlation[10:].mean()) < 0.02
    np.testing.assert_allclose(fourier_ring_correlation(a, 5 - 2 * a).correlation, -1)


def test_white_signal_in_white_noise_correlates_by_its_share_of_the_power() -> None:
    # Signal and noise of equal power correlate by 1/2 at every frequency.
    curve = fourier_ring_correlation(*two_images((256, 256), noise=1.0))
    assert curve.correlation[20:].mean() == pytest.approx(0.5, abs=0.03)
    assert curve.correlation[60:].std() < 0.1


def test_resolution_of_a_blurred_object_is_analytic() -> None:
    # Power exp(-(2 pi f s)^2) against n^2 gives 1/7 where the former is a sixth of the latter.
    sigma, noise = 2.0, 0.05
    expected = 2 * np.pi * sigma / np.sqrt(np.log(6 / noise**2))
    curves = [fourier_ring_correlation(*two_images((256, 256), noise, sigma, seed)) for seed in range(8)]
    assert np.mean([curve.resolution("1/7") for curve in curves]) == pytest.approx(expected, rel=0.03)
    # Half a bit asks for 0.1716 and more.
    assert all(curve.resolution("half-bit") >= curve.resolution("1/7") for curve in curves)


def test_rings_hold_every_coefficient_once() -> None:
    image = np.random.default_rng(0).normal(size=(64, 64))
    curve = fourier_ring_correlation(image, image, 0.5)
    distance = np.rint(np.hypot(*np.meshgrid(*[np.fft.fftfreq(64) * 64] * 2)))
    np.testing.assert_array_equal(curve.count, [(distance == ring).sum() for ring in range(1, 33)])
    np.testing.assert_allclose(curve.frequency, np.arange(1, 33) / 32)


@pytest.mark.parametrize("shape", [(33, 40), (40, 33), (32, 64)])
def test_correlation_equals_the_definition(shape: tuple[int, int]) -> None:
    a, b = two_images(shape, 0.5)
    curve = fourier_ring_correlation(a, b)
    window = np.outer(np.hanning(shape[0]), np.hanning(shape[1]))
    first, second = (np.fft.fft2((x - x.mean()) * window) for x in (a, b))
    width = 1 / min(shape)
    ring = np.rint(np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]) / width)
    for index, value in enumerate(curve.correlation, start=1):
        x, y = first[ring == index], second[ring == index]
        expected = (x * y.conj()).sum().real / np.sqrt((abs(x) ** 2).sum() * (abs(y) ** 2).sum())
        assert value == pytest.approx(expected)


def test_thresholds() -> None:
    curve = fourier_ring_correlation(*two_images((64, 64), 1.0))
    np.testing.assert_allclose(curve.threshold("1/7"), 1 / 7)
    # For very many coefficients half a bit is a signal-to-noise ratio of sqrt(2) - 1 in the sum: 0.1716.
    assert type(curve)(curve.frequency, curve.correlation, np.array([1e12])).threshold("half-bit") == pytest.approx(
        0.2071 / 1.2071, abs=1e-5
    )
    assert (np.diff(curve.threshold("half-bit")[np.argsort(curve.count)]) <= 0).all()
    with pytest.raises(UserError, match="half-bit"):
        curve.threshold("0.5")


def test_crossing_is_interpolated_and_its_limits_are_defined() -> None:
    curve = fourier_ring_correlation(*two_images((64, 64), 1.0))
    frequency, count = np.array([0.1, 0.2, 0.3]), np.ones(3)

    def resolution(*values: float) -> float:
        return type(curve)(frequency, np.array(values), count).resolution()

    assert resolution(1, 2 / 7, 0) == pytest.approx(1 / 0.25)
    assert resolution(1, 1, 1) == pytest.approx(1 / 0.3)
    assert resolution(0, 1, 1) == np.inf


def test_unit_is_that_of_the_voxel_size() -> None:
    pair = two_images((128, 128), 0.05, 2.0)
    assert fourier_ring_correlation(*pair, 46.0).resolution() == pytest.approx(
        46 * fourier_ring_correlation(*pair).resolution()
    )


def test_shells_of_volumes() -> None:
    a, b = two_images((32, 40, 48), 1.0)
    curve = fourier_shell_correlation(a, b)
    assert curve.correlation[4:].mean() == pytest.approx(0.5, abs=0.03)
    np.testing.assert_allclose(fourier_shell_correlation(a, a).correlation, 1)
    # Slices twice as far apart: only half the frequencies are known along all axes.
    assert fourier_shell_correlation(a, b, (2.0, 1.0, 1.0)).frequency[-1] <= 0.25


@pytest.mark.parametrize("noise", [0.002, 0.01])
@pytest.mark.parametrize("sigma", [3.0, 4.0])
def test_split_image_agrees_with_two_images(noise: float, sigma: float) -> None:
    pairs = [two_images((256, 256), noise, sigma, seed) for seed in range(4)]
    expected = np.mean([fourier_ring_correlation(*pair, 46.0).resolution() for pair in pairs])
    found = np.mean([split_image_correlation(pair[0], 46.0).resolution for pair in pairs])
    assert found == pytest.approx(expected, rel=0.08)


def test_split_image_claims_nothing_finer_than_its_halves_hold() -> None:
    image = two_images((128, 128), 0.01, 1.0)[0]
    assert split_image_correlation(image, 46.0).resolution == 4 * 46


def test_split_curve_ends_at_half_the_frequency() -> None:
    image = two_images((128, 130), 0.05, 2.0)[0]
    assert split_image_correlation(image).curve.frequency[-1] == pytest.approx(0.25)


def test_wrong_input_gets_a_sentence() -> None:
    image = np.ones((32, 32))
    with pytest.raises(UserError, match="2 axes of at least 16"):
        fourier_ring_correlation(image[:8], image[:8])
    with pytest.raises(UserError, match="3 axes"):
        fourier_shell_correlation(image, image)
    with pytest.raises(UserError, match="one shape"):
        fourier_ring_correlation(image, image[:30])
    with pytest.raises(UserError, match="finite"):
        fourier_ring_correlation(image, image * np.nan)
    with pytest.raises(UserError, match="32 x 32"):
        split_image_correlation(image[:20])


def test_images_without_content_do_not_correlate() -> None:
    assert fourier_ring_correlation(np.ones((32, 32)), np.ones((32, 32))).resolution() == np.inf
