"""The files that a volume run reads besides its layer, without a viewer."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_nanoct.docks.cracks.beside import as_mask, mask_file, pores_file, unused
from napari_nanoct.docks.plan import copy_volume
from napari_nanoct.jobs import Cancelled, CancelToken
from napari_nanoct.volumes import Geometry, Volume

SHAPE = (9, 20, 30)


@pytest.fixture
def values(tmp_path: Path) -> np.ndarray:
    """Return labels in memory that came from mask.npy."""
    values = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)
    np.save(tmp_path / "mask.npy", values)
    return values


def _layer(values: np.ndarray, folder: Path) -> Volume:
    return Volume(da.from_array(values, chunks=(1, 20, 30)), Geometry(), str(folder / "mask.npy"), "mask")


def test_a_layer_that_is_on_disk_is_not_written_again(tmp_path: Path, values: np.ndarray) -> None:
    layer, file = _layer(values, tmp_path), str(tmp_path / "mask.npy")
    assert mask_file(layer, tmp_path / "a.mask.ome.zarr", CancelToken()) == (file, None)
    assert pores_file(layer, CancelToken()) == file


@pytest.mark.parametrize("z", [2, 4, 8])
def test_a_slice_that_was_edited_counts(tmp_path: Path, values: np.ndarray, z: int) -> None:
    beside = tmp_path / "a.mask.ome.zarr"
    values[z] = 0
    layer = _layer(values, tmp_path)
    assert mask_file(layer, beside, CancelToken()) == (str(beside), layer)
    assert pores_file(layer, CancelToken()) is None
    copy_volume(as_mask(layer), beside, CancelToken(), lambda progress: None)
    assert mask_file(layer, beside, CancelToken()) == (str(beside), None)  # what is there will do
    values[z, 0, 0] = 1
    layer = _layer(values, tmp_path)
    assert mask_file(layer, beside, CancelToken()) == (str(beside), layer)


def test_comparing_can_be_cancelled(tmp_path: Path, values: np.ndarray) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        mask_file(_layer(values, tmp_path), tmp_path / "a.mask.ome.zarr", token)


def test_masks_that_are_no_layer(tmp_path: Path) -> None:
    assert mask_file("automatic", tmp_path / "a", CancelToken()) == (None, None)
    assert mask_file("everywhere", tmp_path / "a", CancelToken()) == ("everywhere", None)


def test_a_name_that_is_not_taken(tmp_path: Path) -> None:
    for name in ("a.b.mask.ome.zarr", "a.b.classifier.json"):
        path = tmp_path / name
        assert unused(str(path)) == str(path)
        path.touch()
        (tmp_path / name.replace(".ome", "-2.ome").replace(".json", "-2.json")).touch()
        assert unused(str(path)) == str(path).replace(".ome", "-3.ome").replace(".json", "-3.json")
