import numpy as np
import pytest
from scipy.signal import convolve2d

from napari_nanoct.errors import UserError
from napari_nanoct.quality import ms_ssim, ssim
from napari_nanoct.quality.multiscale import WEIGHTS, scales


def pictures(side: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.uniform(0, 1, (side // 8, side // 8)), np.ones((8, 8)))
    return truth, truth + rng.normal(0, 0.1, truth.shape)


def by_definition(a: np.ndarray, b: np.ndarray, count: int) -> float:
    """Return equation 7 of the paper, written out with plain convolutions."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    result = 1.0
    for scale in range(count):
        mean_a, mean_b, aa, bb, ab = (convolve2d(x, window, mode="valid") for x in (a, b, a * a, b * b, a * b))
        structure = (2 * (ab - mean_a * mean_b) + 0.03**2) / (aa - mean_a**2 + bb - mean_b**2 + 0.03**2)
        luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
        value = (luminance * structure).mean() if scale == count - 1 else structure.mean()
        result *= value ** (WEIGHTS[scale] / sum(WEIGHTS[:count]))
        a, b = ((x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4 for x in (a, b))
    return result


def test_five_scales_equal_the_definition() -> None:
    truth, image = pictures(192)
    assert scales(truth.shape) == 5
    assert ms_ssim(truth, image, 1.0) == pytest.approx(by_definition(truth, image, 5), abs=1e-10)


def test_small_slices_have_fewer_scales_with_weights_of_sum_one() -> None:
    assert [scales((n, 500)) for n in (11, 21, 22, 43, 44, 88, 175, 176, 4000)] == [1, 1, 2, 2, 3, 4, 4, 5, 5]
    truth, image = pictures(48)
    assert ms_ssim(truth, image, 1.0) == pytest.approx(by_definition(truth, image, 3), abs=1e-10)


def test_one_scale_is_ssim() -> None:
    truth, image = pictures(16)
    assert ms_ssim(truth, image, 1.0) == pytest.approx(ssim(truth, image, 1.0))


def test_a_volume_is_the_mean_of_its_slices_and_equal_images_have_one() -> None:
    pairs = [pictures(40, seed) for seed in (0, 1)]
    truth, image = (np.stack(x) for x in zip(*pairs, strict=True))
    assert ms_ssim(truth, image, 1.0) == pytest.approx(np.mean([ms_ssim(*pair, 1.0) for pair in pairs]))
    assert ms_ssim(truth, truth) == pytest.approx(1)
    assert ms_ssim(truth, -truth, 1.0) == 0


def test_looks_under_the_mask_alone() -> None:
    truth, image = pictures(64)
    image[:, :48] = truth[:, :48]
    mask = np.zeros(truth.shape, dtype=bool)
    mask[:, :24] = True
    assert ms_ssim(truth, image, 1.0, mask) == pytest.approx(1)
    assert ms_ssim(truth, image, 1.0) < 0.999
    mask[:, 1:] = False
    with pytest.raises(UserError, match="scale 1"):
        ms_ssim(truth, image, 1.0, mask)
    with pytest.raises(UserError, match="11 x 11"):
        ms_ssim(truth[:8], image[:8])
