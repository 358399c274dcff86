"""Which dataset of an HDF5 file is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import open_volume
from napari_nanoct.volumes.hdf5_node import text

DATA = np.random.default_rng(1).integers(1, 60000, (9, 12, 11)).astype(np.uint16)
OTHER = DATA // 2


def chosen(path: Path) -> str:
    """Path in the file of what is opened, whose voxels must be `DATA`."""
    volume = open_volume(path)
    np.testing.assert_array_equal(np.asarray(volume.data), DATA)
    return volume.source.removeprefix(str(path))


def _default(file: h5py.File) -> None:
    file["entry/result/data"], file["entry/other"] = DATA, OTHER
    file.attrs["default"], file["entry"].attrs["default"] = "entry", "result"
    file["entry/result"].attrs["signal"] = "data"


def _absolute(file: h5py.File) -> None:
    _default(file)
    file["entry"].attrs["default"] = np.array([b"/entry/result"])


def _to_the_dataset(file: h5py.File) -> None:
    _default(file)
    file["entry"].attrs["default"] = "/entry/result/data"


def _only_signal(file: h5py.File) -> None:
    _default(file)
    del file.attrs["default"]


def _first_signal(file: h5py.File) -> None:
    file["entry/result/data"], file["entry/result/other"] = DATA, OTHER
    file["entry/result/data"].attrs["signal"] = 1


def _preview(file: h5py.File) -> None:
    file["entry/result/data"], file["entry/preview"] = DATA, OTHER[0]
    file.attrs["default"], file["entry"].attrs["signal"] = "entry", "preview"


def _raw_default(file: h5py.File) -> None:
    file["entry/result/data"], file["entry/raw/data"], file["entry/raw/image_key"] = DATA, OTHER, np.zeros(9)
    file.attrs["default"], file["entry"].attrs["default"], file["entry/raw"].attrs["signal"] = "entry", "raw", "data"


def _odd_neighbours(file: h5py.File) -> None:
    file["entry/result/data"], file["entry/nothing"], file["entry/text"] = DATA, h5py.Empty("f4"), "scan"
    file["entry/up"], file["entry/self"] = h5py.SoftLink("/"), h5py.SoftLink("/entry/self")
    file["entry/gone"], file["entry/far"] = h5py.SoftLink("/none"), h5py.ExternalLink("none.h5", "/data")
    file["entry/type"], file["entry/picture"], file["entry/list"] = np.dtype("f4"), OTHER[0], np.arange(9.0)
    file["a"] = file["entry/result"]  # the same voxels by another name
    file["entry"].attrs["signal"] = b"\xb5"


def _other_names(file: h5py.File) -> None:
    """As at Diamond: what is shown has other names, of which less is said, and raw data lie beside their angles."""
    file["entry/result/data"], file["entry/tomo/rotation_angle"] = DATA.transpose(2, 0, 1), np.zeros(9)
    file["entry/result"].attrs["axes"], file["entry/result"].attrs["signal"] = ["x", "z", "y"], "data"
    file["entry/aaa/vol"], file["entry/instrument/camera"] = file["entry/result/data"], OTHER
    file["entry/tomo/data"] = file["entry/instrument/camera"]


def _raw_default_by_another_name(file: h5py.File) -> None:
    _raw_default(file)
    file["entry/aaa"] = file["entry/raw/data"]


def _flats(file: h5py.File) -> None:
    for name in ("flat_field", "darks_pre", "data_white", "flats_2"):
        file[f"entry/{name}"] = OTHER
    file["entry/vol"] = DATA


def _only_dark(file: h5py.File) -> None:
    file["dark"] = DATA


def _odd_texts(file: h5py.File) -> None:
    file["entry/result"], file["entry/definition"] = DATA, np.void(b"NXtomo")
    for name in ("default", "signal", "axes"):
        file["entry"].attrs[name] = np.void(b"odd")
    file["entry/type"] = np.dtype("f4")
    file.attrs["default"] = np.array([], "S5")


def _unnamed_type(file: h5py.File) -> None:
    """A dataset and an attribute of a type that NumPy has not."""
    kind, space = h5py.h5t.UNIX_D32LE, h5py.h5s.create_simple((9, 12, 11))
    h5py.h5d.create(file.id, b"a", kind, space)
    h5py.h5a.create(file.id, b"default", kind, h5py.h5s.create(h5py.h5s.SCALAR))
    file["z"] = DATA


def _subentry(file: h5py.File) -> None:
    file["entry/definition"], file["entry/proc/definition"], file["entry/data"] = "NXtomo", "NXtomoproc", OTHER
    file["entry/proc/vol"] = DATA


def _signal_as_bytes(file: h5py.File) -> None:
    _first_signal(file)
    file["entry/result/data"].attrs["signal"] = np.bytes_(b"1")


def _deep(file: h5py.File) -> None:
    group: Any = file
    for _ in range(1200):
        group = group.create_group("g")
    group["data"] = DATA


@pytest.mark.parametrize(
    ("make", "path"),
    [
        (_default, "/entry/result/data"),
        (_absolute, "/entry/result/data"),
        (_to_the_dataset, "/entry/result/data"),
        (_only_signal, "/entry/result/data"),
        (_first_signal, "/entry/result/data"),
        (_preview, "/entry/result/data"),
        (_raw_default, "/entry/result/data"),
        (_odd_neighbours, "/a/data"),
        (_deep, "/g" * 1200 + "/data"),
        (_other_names, "/entry/result/data"),
        (_raw_default_by_another_name, "/entry/result/data"),
        (_flats, "/entry/vol"),
        (_only_dark, "/dark"),
        (_odd_texts, "/entry/result"),
        (_unnamed_type, "/z"),
        (_subentry, "/entry/proc/vol"),
        (_signal_as_bytes, "/entry/result/data"),
    ],
)
def test_choice(tmp_path: Path, make: Callable[[h5py.File], None], path: str) -> None:
    with h5py.File(tmp_path / "v.nxs", "w") as file:
        make(file)
    assert chosen(tmp_path / "v.nxs") == path


def test_a_picture_where_there_is_no_volume(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["picture"], file["list"] = DATA[0], np.arange(5)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "v.h5").data), DATA[:1])
    with h5py.File(tmp_path / "v.h5", "a") as file:
        file["another"], file.attrs["signal"] = OTHER[0], "picture"
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "v.h5").data), DATA[:1])


@pytest.mark.parametrize("link", [h5py.SoftLink("/gone"), h5py.ExternalLink("gone.h5", "/data")])
def test_what_is_to_be_shown_is_not_there(tmp_path: Path, link: Any) -> None:
    with h5py.File(tmp_path / "v.nxs", "w") as file:
        _default(file)
        del file["entry/result"]
        file["entry/result"] = link
    where = "lies in gone.h5, which is not there" if isinstance(link, h5py.ExternalLink) else "there is nothing at"
    with pytest.raises(UserError, match=where):
        open_volume(tmp_path / "v.nxs")


@pytest.mark.parametrize("own", [True, False])
def test_an_absolute_path_in_a_file_that_is_linked_to(tmp_path: Path, own: bool) -> None:
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["entry/data"], file["entry"].attrs["default"] = DATA, "/entry/data"
    with h5py.File(tmp_path / "master.nxs", "w") as file:
        file["scan"], file.attrs["default"] = h5py.ExternalLink("part.h5", "/entry"), "scan"
        if own:
            file["entry/data"] = OTHER
    if own:  # two volumes, and nobody says which
        with pytest.raises(UserError, match="2 volumes"):
            open_volume(tmp_path / "master.nxs")
    else:
        assert chosen(tmp_path / "master.nxs") == "/scan/data"


@pytest.mark.parametrize("name", ["corrected", "flat_corrected", "direct_projections", "records"])
def test_projections_whatever_their_name(tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file[f"process/{name}"], file["process/theta"] = OTHER, np.zeros(9)
    with pytest.raises(UserError, match="holds projections"):
        open_volume(tmp_path / "v.h5")
    for volume in ("recon_1", "vol/rec", "Reconstruction/data"):
        with h5py.File(tmp_path / "v.h5", "a") as file:
            file[f"process/{volume}"] = DATA
        assert chosen(tmp_path / "v.h5") == f"/process/{volume}"
        with h5py.File(tmp_path / "v.h5", "a") as file:
            del file[f"process/{volume}"]


def test_projections_by_their_axes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["entry/data"], file["entry"].attrs["axes"] = DATA, ["rotation_angle", "detector_y", "detector_x"]
    with pytest.raises(UserError, match="holds projections"):
        open_volume(tmp_path / "v.h5")


def test_a_default_that_leads_in_a_circle(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.nxs", "w") as file:
        file["entry/data"] = DATA
        file.attrs["default"], file["entry"].attrs["default"] = "entry", "/entry"
    assert chosen(tmp_path / "v.nxs") == "/entry/data"


@pytest.mark.parametrize("named", [True, False])
def test_a_link_to_another_file_keeps_what_its_own_group_says(tmp_path: Path, named: bool) -> None:
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["data"] = DATA.transpose(2, 0, 1)
    with h5py.File(tmp_path / "master.nxs", "w") as file:
        file["entry/data"] = h5py.ExternalLink("part.h5", "/data")
        file["entry"].attrs["axes"] = ["x", "z", "y"]
        if named:
            file["entry"].attrs["signal"], file.attrs["default"] = "data", "entry"
        for name, count in zip("zyx", DATA.shape, strict=True):
            file[f"entry/{name}"] = 0.5 * np.arange(count)
            file[f"entry/{name}"].attrs["units"] = "um"
    assert chosen(tmp_path / "master.nxs") == "/entry/data"
    assert open_volume(tmp_path / "master.nxs").geometry.voxel_size == (0.5, 0.5, 0.5)
    with h5py.File(tmp_path / "master.nxs", "a") as file:
        file["entry/rotation_angle"] = np.zeros(11)
    with pytest.raises(UserError, match="/entry/data holds projections"):
        open_volume(tmp_path / "master.nxs")


@pytest.mark.parametrize(
    "beside",
    [
        {"exchange/theta": np.zeros(9), "exchange/data_white": OTHER, "exchange/data_dark": OTHER},
        {"exchange/theta": np.zeros((9, 1))},
        {"exchange/image_key": np.zeros(9)},
        {"exchange/angles": np.zeros(9)},
        {"exchange/rotation_angle": np.zeros(9)},
        {"exchange/definition": "NXtomo", "exchange/flats": OTHER},
        {"definition": b"NXtomo"},
    ],
    ids=lambda beside: " ".join(beside),
)
def test_projections_are_no_volume(tmp_path: Path, beside: dict[str, Any]) -> None:
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["exchange/data"] = DATA
        for name, value in beside.items():
            file[name] = value
    with pytest.raises(UserError, match=r"raw\.h5: its dataset /exchange/data holds projections, not a reconstruction"):
        open_volume(tmp_path / "raw.h5")
    assert open_volume(tmp_path / "raw.h5" / "exchange" / "data").shape == DATA.shape
    with h5py.File(tmp_path / "raw.h5", "a") as file:
        file["exchange/recon"] = DATA
    assert chosen(tmp_path / "raw.h5") == "/exchange/recon"


def test_text() -> None:
    micro = ["µm", "µm".encode(), "µm".encode("latin-1"), np.array(["µm"]), np.array([b"\xb5m"]), np.array("µm")]
    assert {text(value) for value in micro} == {"µm"}
    assert {text(value) for value in (1, None, np.array([]), np.float32(2))} == {""}
