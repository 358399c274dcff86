import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.errors import UserError
from napari_nanoct.quality import grid_dependence


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(80, 90))


def by_blocks(plane: np.ndarray) -> np.ndarray:
    """Add one constant pattern that repeats every 4 pixels from the first on."""
    y, x = np.indices(plane.shape)
    return plane + np.where((y // 2 + x // 2) % 2, 1.0, -1.0)


def test_a_convolution_does_not_depend_on_the_grid(picture: np.ndarray) -> None:
    shares = grid_dependence(lambda plane: gaussian_filter(plane, 1), picture, margin=10)
    assert list(shares) == [1, 2, 8]
    assert max(shares.values()) < 1e-12


def test_a_pattern_on_the_grid_is_seen(picture: np.ndarray) -> None:
    # Moved by 1 along both axes the pattern agrees on every other pixel; by 2 it meets itself, by (2, 0) its negative.
    shares = grid_dependence(by_blocks, picture, shifts=(1, 2, 4), margin=8)
    assert shares[1] == pytest.approx(np.sqrt(2), rel=0.01)
    assert shares[2] == pytest.approx(0, abs=1e-12)
    assert shares[4] == pytest.approx(0, abs=1e-12)


def test_enlargements_are_compared_with_bicubic(picture: np.ndarray) -> None:
    from napari_nanoct.quality.grid import _enlarged

    def enlarge(plane: np.ndarray) -> np.ndarray:
        high = _enlarged(plane, 2)
        return high + np.where(np.indices(high.shape)[1] % 4 < 2, 3.0, -3.0)

    # Two pixels of the output are one of the input: moved by 1 the stripes change sign.
    shares = grid_dependence(enlarge, picture, shifts=(1, 2), margin=8)
    assert shares[1] == pytest.approx(2)
    assert shares[2] == pytest.approx(0, abs=1e-12)


def test_no_correction_at_all_has_share_nothing(picture: np.ndarray) -> None:
    assert grid_dependence(lambda plane: plane, picture, (1,), margin=4) == {1: 0.0}


def test_wrong_input_gets_a_sentence(picture: np.ndarray) -> None:
    with pytest.raises(UserError, match="margin of 64"):
        grid_dependence(lambda plane: plane, picture)
    with pytest.raises(UserError, match="no whole factor"):
        grid_dependence(lambda plane: plane[:-1], picture, margin=4)
