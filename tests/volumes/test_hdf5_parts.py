"""Voxels that are not there: HDF5 would show its fill value in their place."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import open_volume

DATA = np.random.default_rng(0).integers(1, 60000, (20, 12, 14)).astype(np.uint16)


def raw(path: Path, dataset: str = "data", slices: int = 20) -> Path:
    """Write a file of which so many slices are written."""
    path.parent.mkdir(exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_dataset(dataset, DATA.shape, "u2", chunks=(5, 12, 14), fillvalue=7)
        if slices:
            data[:slices] = DATA[:slices]
    return path


def joined(path: Path, *sources: str, dataset: str = "data", shape: tuple[int, ...] | None = None) -> Path:
    """Write a virtual dataset of sources, one behind the other."""
    layout = h5py.VirtualLayout(shape or (20 * len(sources), 12, 14), DATA.dtype)
    for n, source in enumerate(sources):
        layout[20 * n : 20 * (n + 1)] = h5py.VirtualSource(source, dataset, DATA.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("data", layout, fillvalue=3)
    return path


def test_what_was_never_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing was ever written to its dataset /data; reconstruct"):
        open_volume(raw(tmp_path / "v.h5", slices=0))
    volume = open_volume(raw(tmp_path / "v.h5", slices=10))
    assert volume.metadata["assumed"] == ("2 of the 4 blocks of /data were never written, and read as 7",)
    assert "assumed" not in open_volume(raw(tmp_path / "v.h5")).metadata


def test_sources_are_found_as_hdf5_finds_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw(tmp_path / "parts" / "a.h5")
    raw(tmp_path / "cwd" / "b.h5")
    raw(tmp_path / "c.h5")
    monkeypatch.chdir(tmp_path / "cwd")
    master = joined(tmp_path / "v.h5", "parts/a.h5", str(tmp_path / "parts" / "a.h5"), "b.h5", "/elsewhere/c.h5")
    np.testing.assert_array_equal(np.asarray(open_volume(master).data), np.concatenate([DATA] * 4))
    (tmp_path / "cwd" / "link.h5").symlink_to(master)
    np.testing.assert_array_equal(np.asarray(open_volume("link.h5").data), np.concatenate([DATA] * 4))


def test_sources_that_are_missing(tmp_path: Path) -> None:
    raw(tmp_path / "a.h5")
    # HDF5 looks beside the file for the name of an absolute path alone, so this one is not found
    master = joined(tmp_path / "v.h5", "a.h5", "parts/a.h5", "b.h5")
    with pytest.raises(
        UserError, match=r"/data takes voxels from 3 files, and 2 of them are not there, such as parts/a"
    ):
        open_volume(master)


def test_a_source_that_goes_away(tmp_path: Path) -> None:
    part = raw(tmp_path / "a.h5")
    volume = open_volume(joined(tmp_path / "v.h5", "a.h5"))
    part.unlink()
    with pytest.raises(UserError, match=r"v\.h5: it takes voxels from .*a\.h5, which is no longer there; put it back"):
        np.asarray(volume.data[0])


def test_sources_of_sources(tmp_path: Path) -> None:
    part = raw(tmp_path / "a.h5")
    joined(tmp_path / "mid.h5", "a.h5")
    top = joined(tmp_path / "top.h5", "mid.h5")
    np.testing.assert_array_equal(np.asarray(open_volume(top).data), DATA)
    part.unlink()
    with pytest.raises(UserError, match=r"mid\.h5: its dataset data takes voxels from 1 files, and 1 of them"):
        open_volume(top)


def test_sources_that_hold_less(tmp_path: Path) -> None:
    raw(tmp_path / "a.h5", slices=10)
    volume = open_volume(joined(tmp_path / "v.h5", "a.h5"))
    assert volume.metadata["assumed"] == ("a.h5: 2 of the 4 blocks of data were never written, and read as 7",)
    raw(tmp_path / "a.h5", slices=0)
    with pytest.raises(UserError, match=r"a\.h5: nothing was ever written to its dataset data"):
        open_volume(tmp_path / "v.h5")
    raw(tmp_path / "a.h5", "another")
    with pytest.raises(UserError, match=r"a\.h5: there is no dataset data, which v\.h5/data takes voxels from"):
        open_volume(tmp_path / "v.h5")
    (tmp_path / "a.h5").write_bytes(b"no HDF5" * 99)
    with pytest.raises(UserError, match=r"a\.h5: it is no HDF5 file"):
        open_volume(tmp_path / "v.h5")


def test_places_that_are_taken_from_no_file(tmp_path: Path) -> None:
    raw(tmp_path / "a.h5")
    volume = open_volume(joined(tmp_path / "v.h5", "a.h5", shape=(40, 12, 14)))
    assert volume.metadata["assumed"] == ("50.0% of /data is taken from no file, and reads as 3",)


def test_a_source_in_the_same_file(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout(DATA.shape, DATA.dtype)
    layout[:] = h5py.VirtualSource(".", "kept/data", DATA.shape)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["kept/data"] = DATA
        file.create_virtual_dataset("shown", layout)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "v.h5" / "shown").data), DATA)
    with h5py.File(tmp_path / "v.h5", "a") as file:
        del file["kept/data"]
    with pytest.raises(UserError, match="there is no dataset kept/data"):
        open_volume(tmp_path / "v.h5" / "shown")


def test_files_of_any_number(tmp_path: Path) -> None:
    for n in range(2):
        raw(tmp_path / f"part{n}.h5")
    layout = h5py.VirtualLayout((40, 12, 14), DATA.dtype, maxshape=(None, 12, 14))
    for n in range(2):
        layout[20 * n : 20 * (n + 1)] = h5py.VirtualSource(f"part{n}.h5", "data", DATA.shape)
    space = h5py.h5s.create_simple((20, 12, 14), (h5py.h5s.UNLIMITED, 12, 14))
    virtual = h5py.h5s.create_simple((40, 12, 14), (h5py.h5s.UNLIMITED, 12, 14))
    virtual.select_hyperslab((0, 0, 0), (h5py.h5s.UNLIMITED, 1, 1), (20, 12, 14), (20, 12, 14))
    settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    settings.set_virtual(virtual, b"part%b.h5", b"data", space)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        whole = h5py.h5s.create_simple((40, 12, 14), (h5py.h5s.UNLIMITED, 12, 14))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT16, whole, settings)
    with h5py.File(tmp_path / "v.h5") as file:
        expected = file["data"][()]
    volume = open_volume(tmp_path / "v.h5")
    np.testing.assert_array_equal(np.asarray(volume.data), expected)
    np.testing.assert_array_equal(expected[:20], DATA)


def test_files_that_take_voxels_from_one_another(tmp_path: Path) -> None:
    joined(tmp_path / "a.h5", "b.h5")
    joined(tmp_path / "b.h5", "a.h5")
    assert open_volume(tmp_path / "a.h5").shape == DATA.shape


def test_files_without_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    DATA[:10].tofile("first.raw")
    DATA[10:].tofile("second.raw")
    with h5py.File("v.h5", "w") as file:
        half = DATA.nbytes // 2
        file.create_dataset("data", DATA.shape, DATA.dtype, external=[("first.raw", 0, half), ("second.raw", 0, half)])
    np.testing.assert_array_equal(np.asarray(open_volume("v.h5").data), DATA)
    DATA[10:15].tofile("second.raw")
    with pytest.raises(UserError, match=r"v\.h5: its dataset /data takes voxels from second\.raw, which is cut short"):
        open_volume("v.h5")
    (tmp_path / "first.raw").unlink()
    with pytest.raises(UserError, match=r"takes voxels from first\.raw, which is not there; copy that, too"):
        open_volume("v.h5")
