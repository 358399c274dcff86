"""Scribbles in memory and on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_nanoct.cracks.scribbles import CLASSES, ScribbleStore, open_scribbles, scribbles_path
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import open_volume

SHAPE = (6, 600, 700)


def _volume(seed: int = 0):
    return open_volume(np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32))


def _files(path: Path) -> set[str]:
    return {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()}


def test_nothing_on_disk_before_the_first_stroke(tmp_path: Path) -> None:
    store = open_scribbles(tmp_path / "a" / "s.zarr", _volume())
    assert store.classes == CLASSES
    assert not store[2].any()
    assert store.labelled_slices() == ()
    store.flush()
    assert not (tmp_path / "a").exists()


def test_strokes_come_back(tmp_path: Path) -> None:
    path, volume = tmp_path / "s.zarr", _volume()
    store = open_scribbles(path, volume)
    store[3:4, 100:110, 500:520] = 1
    store[(slice(5, 6), slice(590, 600), slice(0, 3))] = np.full((1, 10, 3), 2)
    assert store.add_class("binder") == 4
    store.flush()
    assert _files(path) == {"zarr.json", "c/3/0/0", "c/3/0/1", "c/5/1/0"}
    again = open_scribbles(path, volume)
    assert again.classes == (*CLASSES, "binder")
    assert again.labelled_slices() == (3, 5)
    np.testing.assert_array_equal(np.asarray(again), np.asarray(store))
    assert again[3].sum() == 200
    assert again[5, 595, 1] == 2
    stored = zarr.open_array(path, mode="r")
    assert stored.chunks == (1, 512, 512)
    assert stored.shards is None


def test_behaves_as_an_array_for_ranges_and_integers() -> None:
    store, array = ScribbleStore(Path("nowhere.zarr"), (5, 7, 9)), np.zeros((5, 7, 9), np.uint8)
    random = np.random.default_rng(1)
    writes = [
        (np.s_[2], random.integers(0, 4, (7, 9))),
        (np.s_[1:4, 2:5, 3:9], 3),
        (np.s_[:, 3], random.integers(0, 4, (5, 9))),
        (np.s_[-1, :, 4], 2),
        (np.s_[..., 0], 1),
        (np.s_[::2, 1:6:2], random.integers(0, 4, (3, 3, 9))),
    ]
    for key, value in writes:
        store[key] = value
        array[key] = value
    for key in (np.s_[:], np.s_[2], np.s_[1:2], np.s_[:, 3], np.s_[4, 2, 1], np.s_[..., 2:4], np.s_[3:1]):
        np.testing.assert_array_equal(store[key], array[key])
        assert store[key].dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(store), array)


def test_index_arrays_name_voxels_one_by_one(tmp_path: Path) -> None:
    store, array = ScribbleStore(tmp_path / "s.zarr", (5, 7, 600)), np.zeros((5, 7, 600), np.uint8)
    random = np.random.default_rng(2)
    many = tuple(random.integers(0, length, 40) for length in array.shape)
    writes = [
        ((np.array([2, 2, 2]), np.array([1, 2, 3]), np.array([4, 5, 599])), 1),
        ((np.array([4, 0, -1]), np.array([6, 6, -3]), np.array([0, 8, 2])), np.array([1, 2, 3])),
        ((3, np.array([1, 2]), np.array([4, 4])), np.uint8(2)),
        (tuple(np.empty(0, np.intp) for _ in range(3)), 1),
        (np.nonzero(random.random(array.shape) < 0.05), 3),
        (many, 2),
    ]
    for key, value in writes:
        store[key] = value
        array[key] = value
        np.testing.assert_array_equal(store[key], array[key])
        assert store[key].dtype == np.uint8
    store.flush()
    np.testing.assert_array_equal(np.asarray(zarr.open_array(store.path, mode="r")), array)
    with pytest.raises(IndexError):
        store[np.array([0, 5]), np.array([0, 0]), np.array([0, 0])] = 1
    np.testing.assert_array_equal(np.asarray(store), array)


def test_what_is_read_is_a_copy() -> None:
    store = ScribbleStore(Path("nowhere.zarr"), (2, 8, 8))
    store[0][:] = 1
    store[0:1][:] = 1
    assert not np.asarray(store).any()


def test_erased_chunks_leave_the_disk(tmp_path: Path) -> None:
    store = open_scribbles(tmp_path / "s.zarr", _volume())
    store[1, :20, :20] = 1
    store.flush()
    store[1, :20, :20] = 0
    assert store.labelled_slices() == ()
    store.flush()
    assert _files(tmp_path / "s.zarr") == {"zarr.json"}
    assert open_scribbles(tmp_path / "s.zarr", _volume()).labelled_slices() == ()


def test_versions_grow_with_changes_alone() -> None:
    store = ScribbleStore(Path("nowhere.zarr"), (4, 8, 8))
    store[1:3, 2:4] = 1
    assert [store.version(z) for z in range(4)] == [0, 1, 1, 0]
    store[1:3, 2:4] = 1
    assert [store.version(z) for z in range(4)] == [0, 1, 1, 0]
    store[2] = 0
    assert [store.version(z) for z in range(4)] == [0, 1, 2, 0]
    assert store.edits == 3


def test_memory_holds_few_slices_but_all_that_has_changed(tmp_path: Path) -> None:
    store = ScribbleStore(tmp_path / "s.zarr", (80, 16, 16))
    for z in range(0, 80, 2):
        store[z, 3:5] = 1
    assert len(store._planes) == 40
    store.flush()
    for z in range(80):
        store[z]
    assert len(store._planes) <= 16
    assert store.labelled_slices() == tuple(range(0, 80, 2))
    assert np.asarray(store).sum() == 40 * 2 * 16


def test_of_another_volume(tmp_path: Path) -> None:
    path = tmp_path / "s.zarr"
    store = open_scribbles(path, _volume())
    store[0, 0, 0] = 1
    store.flush()
    with pytest.raises(UserError, match="belong to another volume"):
        open_scribbles(path, _volume(seed=1))
    with pytest.raises(UserError, match=r"shape \(6, 600, 700\)\) belong to another volume .* choose another output"):
        open_scribbles(path, open_volume(np.zeros((3, 600, 700), np.float32)))


def test_something_else_in_the_place(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "z.zarr", shape=SHAPE, dtype="u1")
    (tmp_path / "file.zarr").write_text("no folder")
    (tmp_path / "empty.zarr").mkdir()
    for name in ("z.zarr", "file.zarr", "empty.zarr"):
        with pytest.raises(UserError, match=f"{name} is there already and holds no scribbles"):
            open_scribbles(tmp_path / name, _volume())


def test_a_place_that_cannot_be_written_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = ScribbleStore(tmp_path / "file" / "s.zarr", (2, 8, 8))
    store[1, 2] = 1
    with pytest.raises(UserError, match="cannot be written to"):
        store.flush()
    (tmp_path / "file").unlink()
    store.flush()
    assert np.asarray(zarr.open_array(store.path, mode="r")).sum() == 8


def test_classes_need_names_of_their_own() -> None:
    store = ScribbleStore(Path("nowhere.zarr"), (2, 8, 8))
    with pytest.raises(UserError, match="needs a name"):
        store.add_class("  ")
    with pytest.raises(UserError, match="“pore” already"):
        store.add_class("pore")


def test_place_beside_the_output() -> None:
    assert scribbles_path("/a/scan-cracks.ome.zarr") == Path("/a/scan-cracks.scribbles.zarr")
