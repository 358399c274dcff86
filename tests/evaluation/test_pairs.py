"""Measured pairs whose outside is not a number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tifffile import imwrite

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.pairs import measured
from napari_nanoct.evaluation.scores import baseline, evaluate
from napari_nanoct.quality import circle_mask

CIRCLE = circle_mask((64, 64))


def written(folder: Path, high: np.ndarray, low: np.ndarray) -> tuple[str, str]:
    """Write both, NaN outside their circles; paths of low and high."""
    imwrite(folder / "high.tif", np.where(CIRCLE, high, np.float32(np.nan)))
    imwrite(folder / "low.tif", np.where(circle_mask((32, 32)), low, np.float32(np.nan)))
    return str(folder / "low.tif"), str(folder / "high.tif")


@pytest.fixture
def high() -> np.ndarray:
    y, x = np.mgrid[:64, :64].astype(np.float32)
    return np.sin(y / 5) + np.cos(x / 7)


def test_only_the_circle_need_be_finite(tmp_path: Path, high: np.ndarray) -> None:
    low = 7 - 3 * high.reshape(32, 2, 32, 2).mean((1, 3))
    [pair] = measured(*written(tmp_path, high, low), 2)
    assert (pair.truth[~CIRCLE] == 0).all()
    assert (pair.low[~circle_mask((32, 32))] == 0).all()
    inside = circle_mask((32, 32))
    truth_in_low_pixels = pair.truth.reshape(32, 2, 32, 2).mean((1, 3))
    assert np.abs(truth_in_low_pixels - pair.low)[8:24, 8:24].max() < 0.01
    assert inside[8:24, 8:24].all()
    [(scores, _)] = evaluate([pair], 2, {"bicubic": baseline(2)})
    assert np.isfinite(scores[0].psnr)
    assert scores[0].psnr > 20


@pytest.mark.parametrize("name", ["low", "high"])
def test_a_hole_inside_names_the_file(tmp_path: Path, high: np.ndarray, name: str) -> None:
    low = high.reshape(32, 2, 32, 2).mean((1, 3))
    (low if name == "low" else high)[16, 16] = np.nan
    with pytest.raises(UserError, match=rf"{name}\.tif has 1 values that are not finite"):
        next(measured(*written(tmp_path, high, low), 2))
