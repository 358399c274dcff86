"""HDF5 and NeXus files: which dataset is opened, and what is refused in which words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
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

DATA = np.random.default_rng(0).integers(0, 60000, (37, 24, 30)).astype(np.uint16)


def written(path: Path, **datasets: Any) -> Path:
    """Write a file with a dataset for each name; ``__`` in it is ``/``."""
    with h5py.File(path, "w") as file:
        for name, data in datasets.items():
            file[name.replace("__", "/")] = data
    return path


def nexus(path: Path, *, named: bool = True) -> Path:
    """Write a file as NeXus wants it, with another volume beside the one to show."""
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        shown = entry.create_group("result")
        shown["data"], entry["flat"] = DATA, DATA // 2
        shown.attrs["signal"] = "data"
        if named:
            file.attrs["default"], entry.attrs["default"] = "entry", "result"
    return path


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "int32", "float16", "float32", "float64", "bool"])
def test_types(tmp_path: Path, dtype: str) -> None:
    data = (DATA % 2 if dtype == "bool" else DATA).astype(dtype)
    volume = open_volume(written(tmp_path / "v.h5", data=data))
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


def test_axes_of_length_one_and_one_slice(tmp_path: Path) -> None:
    for name, data in {
        "time": DATA[None],
        "ilastik": DATA[None, ..., None],
        "slice": DATA[0],
        "page": DATA[:1],
    }.items():
        volume = open_volume(written(tmp_path / f"{name}.h5", exported_data=data))
        np.testing.assert_array_equal(np.asarray(volume.data), data.reshape(volume.shape))
        assert volume.shape == ((1, 24, 30) if name in ("slice", "page") else DATA.shape)


def test_axes_in_another_order(tmp_path: Path) -> None:
    path = written(tmp_path / "v.nxs", entry__data=DATA.transpose(2, 0, 1))
    with h5py.File(path, "a") as file:
        file["entry"].attrs["axes"] = ["x", "z", "y"]
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.data), DATA)
    np.testing.assert_array_equal(np.asarray(volume.data[4:7]), DATA[4:7])


@pytest.mark.parametrize("named", [True, False])
def test_nexus_says_what_to_show(tmp_path: Path, named: bool) -> None:
    volume = open_volume(nexus(tmp_path / "v.nxs", named=named))
    np.testing.assert_array_equal(np.asarray(volume.data), DATA)
    assert volume.source == f"{tmp_path / 'v.nxs'}/entry/result/data"


def test_a_dataset_or_group_is_named_by_the_path(tmp_path: Path) -> None:
    path = nexus(tmp_path / "v.nxs")
    flat = open_volume(path / "entry" / "flat")
    np.testing.assert_array_equal(np.asarray(flat.data), DATA // 2)
    np.testing.assert_array_equal(np.asarray(open_volume(flat.source).data), DATA // 2)
    assert open_volume(path / "entry" / "result").source == f"{path}/entry/result/data"
    with pytest.raises(
        UserError, match=r"nothing at /entry/none in the file.* it holds /entry/flat, /entry/result/data"
    ):
        open_volume(path / "entry" / "none")


def test_several_volumes(tmp_path: Path) -> None:
    path = written(tmp_path / "v.h5", a=DATA, b__c=DATA, picture=DATA[0], angles=np.arange(9.0), title="scan")
    with h5py.File(path, "a") as file:
        file["again"], file["soft"] = file["a"], h5py.SoftLink("/b/c")  # the same voxels by other names
    with pytest.raises(UserError, match=r"v\.h5: it holds 2 volumes \(/a, /b/c\); open one of them, as .*v\.h5/a\.$"):
        open_volume(path)
    assert volume_paths(path) == [path / "a", path / "b" / "c"]
    assert volume_paths(path / "a") == [path / "a"]
    many = written(tmp_path / "many.h5", **{f"part{n}": DATA for n in range(9)})
    with pytest.raises(UserError, match=r"9 volumes \(/part0, .*/part5 …\)"):
        open_volume(many)
    assert volume_paths(many) == [many]


def test_data_in_other_files(tmp_path: Path) -> None:
    part = written(tmp_path / "part.h5", data=DATA)
    with h5py.File(tmp_path / "master.nxs", "w") as file:
        file["entry/data"] = h5py.ExternalLink("part.h5", "/data")
        file["entry"].attrs["signal"], file.attrs["default"] = "data", "entry"
    layout = h5py.VirtualLayout((74, 24, 30), DATA.dtype)
    layout[:37] = h5py.VirtualSource("part.h5", "data", DATA.shape)
    layout[37:] = h5py.VirtualSource(str(tmp_path / "elsewhere" / "part.h5"), "data", DATA.shape)
    with h5py.File(tmp_path / "joined.h5", "w") as file:
        file.create_virtual_dataset("data", layout)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "master.nxs").data), DATA)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "joined.h5").data), np.concatenate([DATA, DATA]))
    part.unlink()
    with pytest.raises(UserError, match=r"what it shows, /entry/data, lies in part\.h5, which is not there; copy that"):
        open_volume(tmp_path / "master.nxs")
    with pytest.raises(UserError, match=r"consists of 2 other files, and 2 of them are not there, such as part\.h5"):
        open_volume(tmp_path / "joined.h5")


@pytest.mark.parametrize(("where", "beside"), [("exchange", "theta"), ("entry/data", "rotation_angle")])
def test_projections_are_no_volume(tmp_path: Path, where: str, beside: str) -> None:
    path = tmp_path / "raw.h5"
    with h5py.File(path, "w") as file:
        file[f"{where}/data"], file[f"{where}/{beside}"] = DATA, np.arange(37.0)
    with pytest.raises(UserError, match=f"dataset /{where}/data holds projections, not a reconstruction"):
        open_volume(path)
    assert open_volume(path / where / "data").shape == DATA.shape


def test_what_was_never_written(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("data", DATA.shape, "u2", chunks=(10, 24, 30), fillvalue=7)
    with pytest.raises(UserError, match="nothing was ever written to its dataset /data"):
        open_volume(tmp_path / "v.h5")
    with h5py.File(tmp_path / "v.h5", "a") as file:
        file["data"][:20] = DATA[:20]
    volume = open_volume(tmp_path / "v.h5")
    assert volume.metadata["assumed"] == ("2 of the 4 blocks of /data were never written, and read as 7",)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4000])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_cut, r"v\.h5: it is damaged or cut short"),
        (lambda path: path.write_bytes(b"no HDF5" * 200), r"v\.h5: it is no HDF5 file; check what it is"),
        (lambda path: written(path, text="none"), r"v\.h5: it holds no volume of grey values"),
        (lambda path: written(path, data=DATA.astype(complex)), r"it holds no volume of grey values"),
        (
            lambda path: written(path, data=np.stack([DATA, DATA])),
            r"its dataset /data has 4 dimensions \(2, 37, 24, 30\)",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, change: Callable[[Path], Any], sentence: str) -> None:
    change(written(tmp_path / "v.h5", data=DATA))
    with pytest.raises(UserError, match=sentence):
        open_volume(tmp_path / "v.h5")


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    path = written(tmp_path / "v.h5", data=DATA)
    hold = "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(UserError, match=r"v\.h5: it is being written by another program; wait until that has"):
            open_volume(path)
        other.communicate()
    assert open_volume(path).shape == DATA.shape


def test_a_damaged_block_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        data = file.create_dataset("data", data=DATA, chunks=(10, 24, 30), fletcher32=True)
        start = data.id.get_chunk_info(1).byte_offset
    content = bytearray((tmp_path / "v.h5").read_bytes())
    content[start + 100] ^= 0xFF
    (tmp_path / "v.h5").write_bytes(content)
    volume = open_volume(tmp_path / "v.h5")
    np.testing.assert_array_equal(np.asarray(volume.data[:10]), DATA[:10])
    with pytest.raises(UserError, match=r"v\.h5: .*damaged"):
        np.asarray(volume.data[10:20])
