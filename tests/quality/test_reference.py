import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_nanoct.errors import UserError
from napari_nanoct.quality import circle_mask, grey_range, psnr, ssim


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1, (3, 40, 50))
    return truth, truth + rng.normal(0, 0.1, truth.shape)


def test_psnr_of_a_constant_error_is_analytic() -> None:
    truth = np.zeros((4, 8, 8))
    assert psnr(truth, truth + 0.1, data_range=1) == pytest.approx(20)
    assert psnr(truth, truth, data_range=1) == float("inf")


def test_psnr_equals_scikit_image(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, image = pair
    assert psnr(truth, image, 2.0) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=2.0))
    assert psnr(truth, image) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=grey_range(truth)))


def test_psnr_of_integers_does_not_wrap() -> None:
    truth = np.zeros((4, 4), dtype=np.uint8)
    assert psnr(truth + 10, truth, 100) == psnr(truth, truth + 10, 100) == pytest.approx(20)


def test_psnr_looks_under_the_mask_alone() -> None:
    truth, image = np.zeros((2, 4, 4)), np.zeros((2, 4, 4))
    image[:, 0] = 5
    image[:, 1:] = 0.1
    mask = np.ones((4, 4), dtype=bool)
    mask[0] = False
    assert psnr(truth, image, 1, mask) == pytest.approx(20)


def test_ssim_equals_scikit_image_by_slice(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, image = pair
    settings = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = np.mean([structural_similarity(a, b, **settings) for a, b in zip(truth, image, strict=True)])
    assert ssim(truth, image, 1.0) == pytest.approx(expected)
    assert ssim(truth[0], image[0], 1.0) == pytest.approx(structural_similarity(truth[0], image[0], **settings))


def test_ssim_of_constant_slices_is_analytic() -> None:
    # Without variance only the luminance term is left: (2 a b + c) / (a^2 + b^2 + c), c = (0.01 range)^2.
    a, b, c = 0.6, 0.4, 0.01**2
    value = ssim(np.full((20, 20), a), np.full((20, 20), b), 1.0)
    assert value == pytest.approx((2 * a * b + c) / (a * a + b * b + c))
    assert ssim(np.full((20, 20), a), np.full((20, 20), a), 1.0) == pytest.approx(1)


def test_ssim_looks_under_the_mask_alone(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, image = pair
    image = image.copy()
    image[:, :, :20] = truth[:, :, :20]
    mask = np.zeros((40, 50), dtype=bool)
    mask[:, :15] = True
    assert ssim(truth, image, 1.0, mask) == pytest.approx(1)
    assert ssim(truth, image, 1.0) < 0.98


def test_grey_range_is_the_percentile_range_of_finite_values() -> None:
    values = np.arange(1001.0)
    assert grey_range(values) == pytest.approx(990)
    assert grey_range(np.append(values, [np.nan, np.inf])) == pytest.approx(990)
    assert grey_range(np.ones(5)) == 1


@pytest.mark.parametrize("shape", [(29, 29), (30, 44), (45, 28)])
def test_circle_touches_the_shorter_sides(shape: tuple[int, int]) -> None:
    mask = circle_mask(shape)
    assert mask.sum() == pytest.approx(np.pi * (min(shape) / 2) ** 2, rel=0.04)
    assert mask[shape[0] // 2, shape[1] // 2]
    assert not mask[0, 0]
    np.testing.assert_array_equal(mask, mask[::-1, ::-1])


def test_wrong_input_gets_a_sentence() -> None:
    small, mask = np.zeros((12, 12)), np.zeros((12, 12), dtype=bool)
    with pytest.raises(UserError, match="one shape"):
        psnr(small, np.zeros((12, 13)))
    with pytest.raises(UserError, match="no pixel"):
        psnr(small, small, 1, mask)
    with pytest.raises(UserError, match="11 x 11"):
        ssim(np.zeros((5, 20)), np.zeros((5, 20)), 1)
    mask[0, 0] = True
    with pytest.raises(UserError, match="half a window"):
        ssim(small, small, 1, mask)
