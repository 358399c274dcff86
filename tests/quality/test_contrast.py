import numpy as np
import pytest
from scipy.special import erf

from napari_nanoct.errors import UserError
from napari_nanoct.quality import cnr, edge_width

RISE = 2.5631031


def edge(shape: tuple[int, ...], sigma: float, direction: tuple[float, ...]) -> np.ndarray:
    """Return a straight edge from 10 to 50 that is blurred by a Gaussian, sampled at pixel centres."""
    unit = np.array(direction) / np.linalg.norm(direction)
    axes = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    distance = sum(part * axis for part, axis in zip(unit, axes, strict=True))
    return 30 + 20 * erf((distance - 0.3) / (np.sqrt(2) * sigma))


def test_contrast_to_noise_is_the_contrast_in_standard_deviations() -> None:
    image = np.array([[1.0, 3, 1, 3], [7, 9, 7, 9]])
    dark, bright = np.zeros((2, 4), dtype=bool), np.zeros((2, 4), dtype=bool)
    dark[0], bright[1] = True, True
    assert cnr(image, dark, bright) == cnr(image, bright, dark) == pytest.approx(6)
    assert cnr(np.where(dark, image, image * 2), dark, bright) == pytest.approx(14 / np.sqrt((1 + 4) / 2))
    image[0, 0] = np.nan
    assert cnr(image, dark, bright) == pytest.approx((8 - 7 / 3) / np.sqrt((8 / 9 + 1) / 2))


def test_contrast_without_noise_is_defined() -> None:
    left = np.array([True, True, False, False])
    assert cnr(np.array([1, 1, 2, 2]), left, ~left) == np.inf
    assert cnr(np.ones(4), left, ~left) == 0
    with pytest.raises(UserError, match="no finite pixel"):
        cnr(np.array([np.nan, np.nan, 1, 2]), left, ~left)
    with pytest.raises(UserError, match="mask leaves no pixel"):
        cnr(np.ones(4), left, np.zeros(4, dtype=bool))


@pytest.mark.parametrize("sigma", [0.8, 1.5, 3.0])
@pytest.mark.parametrize(
    ("shape", "direction"),
    [((60,), (1.0,)), ((60,), (-1.0,)), ((40, 48), (1.0, 0.0)), ((40, 48), (1.0, 0.7)), ((24, 24, 24), (0.5, 1, -0.4))],
)
def test_width_of_an_analytic_edge(sigma: float, shape: tuple[int, ...], direction: tuple[float, ...]) -> None:
    assert edge_width(edge(shape, sigma, direction)) == pytest.approx(RISE * sigma, rel=0.01)


def test_width_of_a_noisy_edge() -> None:
    image = edge((48, 48), 2, (1.0, 0.4)) + np.random.default_rng(0).normal(0, 4, (48, 48))
    assert edge_width(image) == pytest.approx(RISE * 2, rel=0.1)


def test_width_is_in_the_unit_of_the_voxel_size() -> None:
    assert edge_width(edge((50,), 2, (1.0,)), 46.0) == pytest.approx(46 * RISE * 2)
    # Pixels half as wide along x: in their unit the same edge, sampled more densely.
    dense = np.stack([edge((40, 40), 2, (1.0, 0.0))] * 2, axis=2).reshape(40, 80)
    assert edge_width(dense, (1.0, 0.5)) == pytest.approx(RISE * 2, rel=0.01)
    oblique = edge((64, 64), 3, (1.0, 1.0))[::2]
    assert edge_width(oblique, (2.0, 1.0)) == pytest.approx(RISE * 3, rel=0.01)


def test_a_profile_may_have_gaps() -> None:
    profile = edge((60,), 2, (1.0,))
    profile[[3, 28, 50]] = np.nan
    assert edge_width(profile) == pytest.approx(RISE * 2)


@pytest.mark.parametrize(
    "region", [np.ones((20, 20)), np.random.default_rng(0).normal(size=(30, 30)), np.arange(40.0), np.full(20, np.nan)]
)
def test_no_edge_gets_a_sentence(region: np.ndarray) -> None:
    with pytest.raises(UserError, match="No edge was found"):
        edge_width(region)


def test_wrong_regions_get_a_sentence() -> None:
    with pytest.raises(UserError, match="8 pixels"):
        edge_width(np.zeros((7, 30)))
    with pytest.raises(UserError, match="finite values"):
        edge_width(np.where(np.eye(20) > 0, np.nan, 1.0))
    with pytest.raises(UserError, match="positive"):
        edge_width(edge((40,), 2, (1.0,)), 0)
    with pytest.raises(UserError, match="each of 2 axes"):
        edge_width(edge((40, 40), 2, (1.0, 0.0)), (1.0, 1.0, 1.0))
