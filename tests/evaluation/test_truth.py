"""Slices taken as truth: whose they are, and what of them must be finite."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from tifffile import imwrite

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.pairs import degraded
from napari_nanoct.evaluation.scores import baseline, evaluate
from napari_nanoct.evaluation.truth import true_slices


def scan(path: Path, holes: np.ndarray | bool = False, size: int = 64) -> str:
    """Write a slice of noise with NaN where there are holes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    page = np.random.default_rng(0).normal(500, 100, (size, size)).astype(np.float32)
    imwrite(path, np.where(holes, np.float32(np.nan), page))
    return str(path)


@pytest.mark.parametrize("protocol", ["blind", "sinogram"])
@pytest.mark.parametrize("size", [64, 65])
def test_outside_the_circle_nothing_need_be_finite(tmp_path: Path, protocol: str, size: int) -> None:
    # The circle of another convention: about the pixel after the middle.
    y, x = np.mgrid[:size, :size] - size // 2
    holes = np.hypot(y, x) >= size // 2
    source = scan(tmp_path / "scan.tif", holes, size)
    [truth] = true_slices([source])
    assert np.isfinite(truth.image).all()
    assert (truth.image[holes] == 0).all()
    for scores, _ in evaluate(degraded([truth], protocol, 1), 1, {"input": baseline(1)}):
        assert np.isfinite([scores[0].psnr, scores[0].ssim]).all()


def test_holes_inside_the_circle_are_refused_by_name(tmp_path: Path, data: Path) -> None:
    holes = np.zeros((64, 64), bool)
    holes[30, 20:23] = True
    source = scan(tmp_path / "scan.tif", holes)
    with pytest.raises(UserError, match=r"scan\.tif has 3 values that are not finite .* replace them"):
        list(true_slices([source]))
    page = np.full((192, 192), 2, np.float32)
    page[:2, :2], page[90, 90], page[100] = np.nan, np.inf, 3
    imwrite(data / "ct" / "c" / "1.tif", page)
    with pytest.raises(UserError, match="ct has 1 values that are not finite"):
        list(true_slices([str(data / "ct")]))


def test_too_small_a_slice_is_refused_by_name(tmp_path: Path) -> None:
    imwrite(tmp_path / "tiny.tif", np.arange(40 * 31, dtype=np.uint16).reshape(40, 31))
    with pytest.raises(UserError, match=r"tiny\.tif has slices of 40 x 31 pixels, too small"):
        list(true_slices([str(tmp_path / "tiny.tif")]))


def test_samples_of_different_places_stay_apart(tmp_path: Path, data: Path) -> None:
    folders = ("monday", "tuesday", "other/monday")
    scans = [scan(tmp_path / folder / "scan.tif") for folder in folders]
    names = [truth.sample for truth in true_slices([*scans, scans[1]])]
    assert names == ["scan.tif", "scan.tif (tuesday)", "scan.tif (monday)", "scan.tif (tuesday)"]
    third = scan(tmp_path / "third" / "monday" / "scan.tif")
    assert [t.sample for t in true_slices([*scans, third])][3] == "scan.tif (monday 2)"
    copytree(data, tmp_path / "copy")
    assert [t.sample for t in true_slices([str(data / "ct"), str(tmp_path / "copy" / "ct")])] == ["c", "c (copy)"]


def test_a_data_folder_is_called_ct_or_natural(data: Path) -> None:
    (data / "natural").rename(data / "nature")
    with pytest.raises(UserError, match=r"nature has an index\.csv but is called neither ct nor natural"):
        list(true_slices([str(data / "nature")]))


@pytest.mark.parametrize("folder", ["ct", "natural"])
def test_a_folder_without_slices_for_validation_is_refused(data: Path, folder: str) -> None:
    index = data / folder / "index.csv"
    index.write_text("\n".join(index.read_text().splitlines()[:3]))
    with pytest.raises(UserError, match=f"{folder} holds no slice for validation"):
        list(true_slices([str(data / folder)]))
