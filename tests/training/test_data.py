"""Training pictures: split as the index says, normalised, cut at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tifffile import imwrite

from napari_nanoct.errors import UserError
from napari_nanoct.training.batches import Batches
from napari_nanoct.training.data import ct_samples, natural_pictures, normalised, random_patches, sampling_weights
from napari_nanoct.training.recipe import load_recipe


def test_every_tenth_natural_picture_is_kept_out(data: Path) -> None:
    kept, trained = natural_pictures(data, "val"), natural_pictures(data, "train")
    assert (len(kept), len(trained)) == (2, 18)
    assert not any(np.array_equal(k, t) for k in kept for t in trained)
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in kept)


def test_ct_is_split_by_sample_binned_and_normalised(data: Path) -> None:
    train = ct_samples(data, "train")
    assert [(s.name, s.slices[0].shape) for s in train] == [("a", (192, 192)), ("b", (96, 96))]
    assert [s.name for s in ct_samples(data, "val")] == ["c"]
    np.testing.assert_allclose(np.percentile(train[0].slices[0], (0.5, 99.5)), (0, 1), atol=1e-5)


def test_a_small_sample_in_a_large_background_keeps_its_range() -> None:
    page = np.zeros((64, 64), np.float32)
    page[30, 30:34] = (20, 30, 40, 50)
    assert normalised(page).max() == 1
    assert not normalised(page * 0).any()


def test_patches_are_seeded_and_come_from_the_pictures() -> None:
    pictures = [np.random.default_rng(n).random((40, 50), np.float32) + 2 * n for n in range(3)]
    weights = sampling_weights(pictures, 32) * [1, 0, 1]
    weights /= weights.sum()
    patches = random_patches(pictures, weights, 20, 32, seed=3)
    assert patches.shape == (20, 1, 32, 32)
    assert torch.equal(patches, random_patches(pictures, weights, 20, 32, seed=3))
    assert not ((patches > 2) & (patches < 4)).any()  # the picture of weight 0


def test_slices_that_are_not_finite_everywhere_can_be_trained_on(data: Path, recipe: Path) -> None:
    page = np.full((64, 64), np.nan, np.float32)
    page[8:56, 8:56] = np.random.default_rng(0).random((48, 48))
    page[20, 20] = np.inf
    for file in (data / "ct").rglob("*.tif"):
        imwrite(file, page)
    batches = Batches(load_recipe(str(recipe)), data)
    assert all(part.isfinite().all() for step in range(6, 12) for part in batches.draw(step))


def test_small_pictures_are_refused() -> None:
    with pytest.raises(UserError, match="64 pixels"):
        sampling_weights([np.zeros((63, 100), np.float32)], 64)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"index\.csv does not exist"):
        natural_pictures(tmp_path, "train")


def test_an_index_of_a_spreadsheet_is_read(data: Path) -> None:
    index = data / "ct" / "index.csv"
    heading, *rows = index.read_text().splitlines()
    rows = [row.removesuffix("2") + "2.0" if row.endswith("2") else row for row in rows]
    index.write_text("\n".join([heading, *rows]), encoding="utf-8-sig")
    assert [s.slices[0].shape for s in ct_samples(data, "train")] == [(192, 192), (96, 96)]


def test_what_is_wrong_with_an_index_is_said(data: Path) -> None:
    index = data / "ct" / "index.csv"
    text = index.read_text()
    index.write_text(text.replace(",", ";"))
    with pytest.raises(UserError, match=r"ct.index\.csv has no column file, sample, use, hr_downsample"):
        ct_samples(data, "train")
    index.write_text(text.replace("train,", "train,two"))
    with pytest.raises(UserError, match="hr_downsample two"):
        ct_samples(data, "train")
    index.write_text(text.replace(".tif", ".gone"))
    with pytest.raises(UserError, match=r"\.gone could not be read \(FileNotFoundError"):
        ct_samples(data, "train")


def test_the_real_data(shared_data: Path) -> None:
    train, val = ct_samples(shared_data, "train"), ct_samples(shared_data, "val")
    assert not {s.name for s in train} & {s.name for s in val}
    assert all(np.isfinite(page).all() for s in train + val for page in s.slices)
