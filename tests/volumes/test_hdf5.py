"""HDF5 and NeXus files: voxels as they were written, and files that cannot be read in which words."""

from __future__ import annotations

import errno
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import PIPE
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import fingerprint, open_volume
from napari_nanoct.volumes.hdf5 import volume_paths

DATA = np.random.default_rng(0).integers(1, 60000, (37, 24, 30)).astype(np.uint16)


def written(path: Path, datasets: dict[str, Any]) -> Path:
    """Write a file with a dataset for each name."""
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name] = data
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int32", "float16", "float32", "float64", "bool"])
def test_types(tmp_path: Path, dtype: str) -> None:
    data = (DATA % 2 if dtype == "bool" else DATA).astype(dtype)
    volume = open_volume(written(tmp_path / "v.h5", {"data": data}))
    assert volume.dtype == (np.uint8 if dtype == "bool" else data.dtype.newbyteorder("="))
    np.testing.assert_array_equal(np.asarray(volume.data), data)
    assert volume.name == "v"
    assert volume.source == f"{tmp_path / 'v.h5'}/data"


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"chunks": (5, 7, 11)},
        {"chunks": (37, 8, 8), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (1, 24, 30), "compression": hdf5plugin.Bitshuffle()},
        {"chunks": (8, 8, 8), "compression": hdf5plugin.Blosc2()},
        {"chunks": (8, 8, 8), "compression": hdf5plugin.Zstd()},
    ],
    ids=str,
)
def test_ways_of_writing(tmp_path: Path, how: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "v.hdf5", "w") as file:
        file.create_dataset("entry/data", data=DATA, **how)
    volume = open_volume(tmp_path / "v.hdf5")
    np.testing.assert_array_equal(np.asarray(volume.data), DATA)
    np.testing.assert_array_equal(np.asarray(volume.data[20:3:-4, 2:9, ::3]), DATA[20:3:-4, 2:9, ::3])
    np.testing.assert_array_equal(np.asarray(volume.data[-1]), DATA[-1])
    assert fingerprint(volume) == fingerprint(open_volume(DATA))
    assert volume.metadata == {}


def test_several_threads_and_another_process(tmp_path: Path) -> None:
    volume = open_volume(written(tmp_path / "v.h5", {"data": DATA}))
    with ThreadPoolExecutor(4) as pool:
        for z, plane in enumerate(pool.map(lambda z: np.asarray(volume.data[z]), range(37))):
            np.testing.assert_array_equal(plane, DATA[z])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(volume.data)), DATA)


def test_a_dataset_or_group_is_named_by_the_path(tmp_path: Path) -> None:
    path = written(tmp_path / "v.h5.NXS", {"entry/a b.c/data": DATA, "other": DATA // 2})
    for part in ("entry/a b.c/data", "entry/a b.c", "entry/"):
        volume = open_volume(f"{path}/{part}")
        assert volume.source == f"{path}/entry/a b.c/data"
        assert volume.name == "v.h5"
        np.testing.assert_array_equal(np.asarray(open_volume(volume.source).data), DATA)
    with pytest.raises(UserError, match=r"v\.h5\.NXS/entry/none: there is nothing at /entry/none; name a dataset"):
        open_volume(path / "entry" / "none")


def test_what_a_viewer_opens(tmp_path: Path) -> None:
    path = written(tmp_path / "v.h5", {"a": DATA, "b/c": DATA})
    with pytest.raises(UserError, match=r"v\.h5: it holds 2 volumes \(/a, /b/c\); open one of them, as .*v\.h5/a\.$"):
        open_volume(path)
    assert volume_paths(path) == [path / "a", path / "b" / "c"]
    assert volume_paths(path / "b") == [path / "b" / "c"]
    many = written(tmp_path / "many.h5", {f"part{n}": DATA for n in range(9)})
    with pytest.raises(UserError, match=r"9 volumes \(/part0, .*/part5 …\)"):
        open_volume(many)
    assert volume_paths(many) == [many]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4000])


def _as(data: Any) -> Callable[[Path], Any]:
    return lambda path: written(path, {"data": data})


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_cut, r"v\.h5: it is damaged or cut short"),
        (lambda path: path.write_bytes(b"no HDF5" * 200), r"v\.h5: it is no HDF5 file; check what it is"),
        (_as("text"), r"v\.h5: it holds no volume \(z, y, x\) of grey values; check"),
        (_as(h5py.Empty("f4")), r"it holds no volume \(z, y, x\) of grey values; check"),
        (_as(DATA.astype(complex)), r"it holds no volume \(z, y, x\) of grey values; check"),
        (_as(np.stack([DATA, DATA])), r"no volume .*; its dataset /data has shape \(2, 37, 24, 30\); check"),
    ],
)
def test_what_is_refused(tmp_path: Path, change: Callable[[Path], Any], sentence: str) -> None:
    change(written(tmp_path / "v.h5", {"data": DATA}))
    with pytest.raises(UserError, match=sentence):
        open_volume(tmp_path / "v.h5")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("text", "/data holds no grey values"),
        (h5py.Empty("f4"), "/data holds no grey values"),
        (np.zeros((0, 5, 5)), r"dataset /data is empty \(shape \(0, 5, 5\)\)"),
        (np.stack([DATA, DATA]), r"/data has 4 dimensions \(2, 37, 24, 30\); save one"),
        (np.dtype("f4"), "/data is no dataset"),
    ],
    ids=str,
)
def test_what_is_refused_by_name(tmp_path: Path, data: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        open_volume(written(tmp_path / "v.h5", {"data": data}) / "data")


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = written(tmp_path / "v.h5", {"data": DATA})
    hold = "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(UserError, match=r"v\.h5: it is being written by another program; wait until that has"):
            open_volume(path)
        other.communicate()
    assert open_volume(path).shape == DATA.shape


def test_a_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, usual = written(tmp_path / "v.h5", {"data": DATA}), h5py.File

    def without_locks(*arguments: Any, locking: Any = None) -> Any:
        if locking is not False:
            raise OSError(errno.ENOLCK, "unable to lock file")
        return usual(*arguments, locking=locking)

    monkeypatch.setattr(h5py, "File", without_locks)
    np.testing.assert_array_equal(np.asarray(open_volume(path).data), DATA)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> Any:
        raise PermissionError(errno.EACCES, "Unable to synchronously open file (unable to open file: name = ...)")

    path = written(tmp_path / "v.h5", {"data": DATA})
    monkeypatch.setattr(h5py, "File", refused)
    with pytest.raises(UserError, match=r"v\.h5: it cannot be read \(Permission denied\); check that it is there"):
        open_volume(path)


def test_a_damaged_block_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        data = file.create_dataset("data", data=DATA, chunks=(10, 24, 30), fletcher32=True)
        start = data.id.get_chunk_info(1).byte_offset
    content = bytearray((tmp_path / "v.h5").read_bytes())
    content[start + 100] ^= 0xFF
    (tmp_path / "v.h5").write_bytes(content)
    volume = open_volume(tmp_path / "v.h5")
    np.testing.assert_array_equal(np.asarray(volume.data[:10]), DATA[:10])
    with pytest.raises(UserError, match=r"v\.h5: its compression is not known, or its data are damaged"):
        np.asarray(volume.data[10:20])


def test_a_file_that_was_written_anew(tmp_path: Path) -> None:
    volume = open_volume(written(tmp_path / "v.h5", {"data": DATA}))
    written(tmp_path / "v.h5", {"data": DATA[:3]})
    with pytest.raises(UserError, match=r"v\.h5: its dataset /data has changed since it was opened; open it anew"):
        np.asarray(volume.data[:16])


def test_a_link_to_a_file_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "scan.h5").symlink_to(written(tmp_path / "blob", {"data": DATA}))
    volume = open_volume(tmp_path / "scan.h5")
    assert (volume.name, volume.source) == ("scan", f"{tmp_path}/scan.h5/data")


def test_a_folder_named_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "v.h5").mkdir()
    np.save(tmp_path / "v.h5" / "inside.npy", DATA)
    assert open_volume(tmp_path / "v.h5" / "inside.npy").shape == DATA.shape
    with pytest.raises(UserError, match="the folder holds no TIFF files"):
        open_volume(tmp_path / "v.h5")
