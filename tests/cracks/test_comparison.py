"""Layers compared with the truth, and with one another."""

import csv

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.comparison import compare_layers, compare_masks, on_grid, write_comparison
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, Volume


def truth():
    """Two plates: apertures 0.7 and 3 voxels."""
    mask, surface, aperture = np.zeros((20, 30, 30), bool), np.zeros((20, 30, 30), bool), np.zeros((20, 30, 30))
    mask[5, 5:25, 5:25] = surface[5, 5:25, 5:25] = True
    mask[13:16, 5:25, 5:25] = surface[14, 5:25, 5:25] = True
    aperture[5], aperture[13:16] = 0.7, 3.0
    return mask, surface, aperture


def test_recall_by_aperture():
    mask, surface, aperture = truth()
    wide = mask.copy()
    wide[5] = False
    result = compare_masks({"wide only": wide, "all": mask}, truth=mask, mid_surface=surface, aperture=aperture)
    thin_class, wide_class = 1, 5  # 0.5 to 1, and 3 to 4 voxels
    assert result.recall["wide only"][[thin_class, wide_class]].tolist() == [0.0, 1.0]
    assert result.recall["all"][[thin_class, wide_class]].tolist() == [1.0, 1.0]
    assert np.isnan(result.recall["all"][0])
    assert result.surface.sum() == surface.sum()
    assert result.scores["all"].strict.f1 == 1
    assert result.scores["wide only"].strict.f1 == pytest.approx(2 * 1200 / (1200 + 1600))


def test_without_a_truth_it_is_dice():
    mask, _, _ = truth()
    other = np.roll(mask, 1, axis=0)
    result = compare_masks({"original": other, "enhanced": mask})
    assert result.truth == "enhanced"
    assert list(result.scores) == ["original"]
    assert result.scores["original"].strict.f1 == pytest.approx(2 * (mask & other).sum() / (2 * mask.sum()))
    assert result.scores["original"].tolerant.f1 == 1
    assert not result.recall


def test_labels_keep_their_place_on_another_grid():
    labels = np.zeros((4, 6, 8), np.int32)
    labels[2, 3, 5] = 7
    here = Geometry((1.0, 1.0, 1.0), (5.0, 0.0, 0.0), "micrometer")
    fine = on_grid(labels, here, here.enlarged(2), (4, 12, 16))
    assert np.argwhere(fine == 7).tolist() == [[2, 6, 10], [2, 6, 11], [2, 7, 10], [2, 7, 11]]
    assert (on_grid(fine, here.enlarged(2), here, labels.shape) == labels).all()
    shifted = Geometry((1.0, 1.0, 1.0), (4.0, 0.0, 0.0), "micrometer")
    assert np.argwhere(on_grid(labels, here, shifted, (4, 6, 8))).tolist() == [[3, 3, 5]]


def test_the_same_scribbles_teach_a_detector_for_each_layer(disc):
    share = disc(48, 1.5, (0.3, 0.5, 0.81), 18.0)
    coarse = share.reshape(48, 24, 2, 24, 2).mean(axis=(2, 4))
    fine_grid = Geometry((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), "micrometer")
    noise = 0.15 * np.random.default_rng(0).standard_normal(coarse.shape)
    layers = {
        "original": Volume(
            (1 - gaussian_filter(coarse, 0.7) + noise).astype(np.float32), fine_grid.coarsened((1, 2, 2))
        ),
        "enhanced": Volume((1 - gaussian_filter(share, 0.7)).astype(np.float32), fine_grid),
    }
    scribbles = np.zeros(share.shape, np.uint8)
    scribbles[24][share[24] > 0.8] = 1
    scribbles[24][:8] = 3

    def threshold(layer, marks):
        assert marks.shape == layer.shape
        return layer.data < (layer.data[marks == 1].mean() + layer.data[marks == 3].mean()) / 2

    comparison, masks = compare_layers(layers, scribbles, "enhanced", threshold, truth=share >= 0.5)
    assert masks["original"].shape == share.shape
    assert comparison.scores["enhanced"].strict.f1 > comparison.scores["original"].strict.f1 > 0.1


def test_layers_of_which_one_has_no_unit_are_refused():
    grey = np.zeros((4, 6, 8), np.float32)
    layers = {
        "original": Volume(grey, Geometry(), name="before"),
        "enhanced": Volume(grey, Geometry((0.9, 0.9, 0.9), unit="micrometer"), name="after"),
    }
    with pytest.raises(UserError, match="“before” has no unit of length and “after” is in µm"):
        compare_layers(layers, np.ones(grey.shape, np.uint8), "enhanced", lambda layer, marks: marks)


def test_csv_of_a_comparison(tmp_path):
    mask, surface, aperture = truth()
    result = compare_masks({"a": mask, "b": mask & False}, truth=mask, mid_surface=surface, aperture=aperture)
    write_comparison(tmp_path / "layers.csv", result)
    with (tmp_path / "layers.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows] == ["a", "b"]
    assert (rows[0]["f1"], rows[1]["f1"]) == ("1.0000", "0.0000")
    assert rows[0]["recall_aperture_0_to_0.5_voxels"] == ""
    assert rows[1]["recall_aperture_3_to_4_voxels"] == "0.0000"


def test_bad_input_gets_a_sentence(tmp_path):
    mask, _, _ = truth()
    with pytest.raises(UserError, match="two layers"):
        compare_masks({"only": mask})
    with pytest.raises(UserError, match="one shape"):
        compare_masks({"only": mask}, truth=mask[:3])
    with pytest.raises(UserError, match="cannot be written"):
        write_comparison(tmp_path / "missing" / "a.csv", compare_masks({"a": mask, "b": mask}))
