"""Axes, voxel sizes and origins in HDF5 and NeXus files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, Volume, open_volume

DATA = np.random.default_rng(0).integers(1, 200, (5, 6, 7)).astype(np.uint8)


def opened(path: Path, data: np.ndarray, beside: dict[str, Any] | None = None, **attributes: Any) -> Volume:
    """Open a file with a NeXus group of a dataset, its attributes, and what lies beside it."""
    with h5py.File(path, "w") as file:
        file["entry/data"] = data
        file["entry/data"].attrs.update(attributes)
        for name, value in (beside or {}).items():
            if name in ("axes", "signal", "auxiliary_signals"):
                file["entry"].attrs[name] = value
            else:
                values, unit = value if isinstance(value, tuple) else (value, None)
                file[f"entry/{name}"] = values
                if unit:
                    file[f"entry/{name}"].attrs["units"] = unit
    return open_volume(path)


def even(count: int, step: float, start: float = 0.0) -> np.ndarray:
    return (start + step * np.arange(count)).astype(np.float32)


def tags(keys: str) -> str:
    return json.dumps({"axes": [{"key": key, "typeFlags": 2, "resolution": 0} for key in keys]})


@pytest.mark.parametrize(
    ("data", "beside", "attributes"),
    [
        (DATA[None], {}, {}),
        (DATA[None, ..., None], {}, {}),
        (DATA.transpose(2, 0, 1), {"axes": ["x", "z", "y"]}, {}),
        (DATA.transpose(2, 1, 0), {}, {"axes": "[x,y,z]"}),
        (DATA[None].transpose(0, 3, 2, 1), {"axes": np.array([b"t", b"X", b"Y", b"Z"])}, {}),
        (DATA, {"axes": ["frame", "y", "x"]}, {}),
        (DATA, {"axes": ["z", "y"]}, {}),
        (DATA.transpose(2, 1, 0)[..., None], {}, {"axistags": tags("xyzc")}),
        (DATA, {}, {"axistags": "no tags"}),
        (DATA.transpose(1, 0, 2), {"axes": ["voxel_x", "voxel_y", "voxel_z"]}, {}),
        (DATA.transpose(1, 0, 2)[None], {"axes": ["scan", "voxel_x", "voxel_y", "voxel_z"]}, {}),
        (DATA, {"axes": ["y", "y", "x"]}, {}),
        (DATA, {"axes": ["x", "y", "z"], "signal": "another"}, {}),
        (DATA.T, {"axes": ["x", "y", "z"], "signal": "another", "auxiliary_signals": ["more", "data"]}, {}),
        (DATA, {"data_dims/detector_x_y": 5}, {}),
    ],
)
def test_axes(tmp_path: Path, data: np.ndarray, beside: dict[str, Any], attributes: dict[str, Any]) -> None:
    volume = opened(tmp_path / "v.h5", data, beside, **attributes)
    np.testing.assert_array_equal(np.asarray(volume.data), DATA)
    np.testing.assert_array_equal(np.asarray(volume.data[2:4, 1:, ::2]), DATA[2:4, 1:, ::2])


@pytest.mark.parametrize("depth", [5, 6])
def test_axes_as_httomo_lays_them(tmp_path: Path, depth: int) -> None:
    square = np.random.default_rng(1).integers(1, 200, (depth, 6, 6))
    beside = {"data_dims/detector_x_y": [6, depth], "angles": np.zeros(9)}
    volume = opened(tmp_path / "v.h5", square.transpose(1, 0, 2), beside)
    np.testing.assert_array_equal(np.asarray(volume.data), square)
    with h5py.File(tmp_path / "v.h5", "a") as file:  # projections, by name, stay as they are
        del file["entry/angles"]
        file["entry/angles"] = np.zeros(6)
    named = open_volume(tmp_path / "v.h5" / "entry" / "data")
    np.testing.assert_array_equal(np.asarray(named.data), square.transpose(1, 0, 2))


@pytest.mark.parametrize(
    ("data", "attributes"),
    [
        (DATA[0], {}),
        (DATA[:1], {}),
        (DATA[:1, ..., None], {}),
        (DATA[0, ..., None], {}),
        (DATA[:1, None, ..., None], {}),
        (DATA[0].T, {"axistags": tags("xy")}),
        (DATA[0, ..., None], {"axistags": tags("yxc")}),
    ],
)
def test_one_slice(tmp_path: Path, data: np.ndarray, attributes: dict[str, Any]) -> None:
    np.testing.assert_array_equal(np.asarray(opened(tmp_path / "v.h5", data, {}, **attributes).data), DATA[:1])


@pytest.mark.parametrize(
    ("data", "keys", "sentence"),
    [
        (DATA[:3].transpose(1, 2, 0), "yxc", "dataset /entry/data has 3 channels; save one of them"),
        (DATA[None, ..., None].repeat(2, 0), "tzyxc", "dataset /entry/data has 5 dimensions"),
    ],
)
def test_axes_that_are_too_many(tmp_path: Path, data: np.ndarray, keys: str, sentence: str) -> None:
    with pytest.raises(UserError, match="no volume" if data.ndim == 5 else sentence):
        opened(tmp_path / "v.h5", data, {}, axistags=tags(keys))
    with pytest.raises(UserError, match=sentence):
        open_volume(tmp_path / "v.h5" / "entry" / "data")


@pytest.mark.parametrize("axes", [["z", "y", "x"], np.array([b"Z", b"Y", b"X"]), "z:y:x", "z,y,x"], ids=str)
def test_coordinates(tmp_path: Path, axes: object) -> None:
    beside = {"axes": axes, "z": (even(5, 0.1, 3), "um"), "y": (even(6, 50), "nm"), "x": (even(7, 50, -150), "nm")}
    geometry = opened(tmp_path / "v.nxs", DATA, beside).geometry
    assert geometry.unit == "nanometer"
    np.testing.assert_allclose(geometry.voxel_size, (100, 50, 50), rtol=1e-6)
    np.testing.assert_allclose(geometry.origin, (3000, 0, -150), rtol=1e-6)


def test_coordinates_of_a_stage_in_single_precision(tmp_path: Path) -> None:
    beside = {
        "axes": ["z", "y", "x"],
        **{k: (even(n, 0.05, 20000), "um") for k, n in zip("zyx", (5, 6, 7), strict=True)},
    }
    with h5py.File(tmp_path / "v.nxs", "w") as file:
        file["broken"] = h5py.SoftLink("/none")
    size = opened(tmp_path / "v.nxs", DATA, beside).geometry.voxel_size
    np.testing.assert_allclose(size, 0.05, rtol=0.02)


def test_a_broken_link_beside_the_coordinates(tmp_path: Path) -> None:
    beside = {"axes": ["z", "y", "x"], **{k: (even(n, 2), "um") for k, n in zip("zyx", (5, 6, 7), strict=True)}}
    opened(tmp_path / "v.nxs", DATA, beside)
    with h5py.File(tmp_path / "v.nxs", "a") as file:
        file["entry/broken"] = h5py.SoftLink("/none")
    assert open_volume(tmp_path / "v.nxs").geometry == Geometry((2, 2, 2), unit="micrometer")


def test_coordinates_of_one_slice(tmp_path: Path) -> None:
    beside = {"axes": ["z", "y", "x"], "z": ([3.0], "um"), "y": (even(6, 0.2), "um"), "x": (even(7, 0.2), "um")}
    volume = opened(tmp_path / "v.nxs", DATA[:1], beside)
    np.testing.assert_allclose(volume.geometry.voxel_size, 0.2, rtol=1e-6)
    assert volume.metadata["assumed"] == (
        "the file holds one slice (y, x); its voxel size along z is taken to be that of y, 0.2 µm",
    )


@pytest.mark.parametrize(
    ("z", "unit"),
    [
        (even(5, 50), ""),
        (even(5, 50), "degree"),
        (even(5, -50), "nm"),
        (np.array([0.0, 50, 100, 150, 204]), "nm"),
        (np.array([0.0, np.nan, 100, 150, 200]), "nm"),
        (even(4, 50), "nm"),
        (even(1, 50), "nm"),
        (np.zeros((5, 2)), "nm"),
        (np.zeros(5), "nm"),
    ],
    ids=["no unit", "no length", "falling", "uneven", "not finite", "too few", "one", "two-dimensional", "constant"],
)
def test_coordinates_that_give_no_size(tmp_path: Path, z: np.ndarray, unit: str) -> None:
    beside = {"axes": ["z", "y", "x"], "z": (z, unit), "y": (even(6, 50), "nm"), "x": (even(7, 50), "nm")}
    assert opened(tmp_path / "v.nxs", DATA, beside).geometry == Geometry()


def test_coordinates_that_are_not_there(tmp_path: Path) -> None:
    beside = {"axes": ["z", "y", "x"], "y": (even(6, 50), "nm"), "x": (even(7, 50), "nm")}
    assert opened(tmp_path / "v.nxs", DATA, beside).geometry == Geometry()


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ([0.1, 0.05, 0.06], Geometry((0.1, 0.05, 0.06), unit="micrometer")),
        ([9.0, 0.1, 0.05, 0.06], Geometry()),
        ([0.0, 0.0, 0.0], Geometry()),
        ("none", Geometry()),
    ],
)
def test_element_size(tmp_path: Path, size: Any, expected: Geometry) -> None:
    assert opened(tmp_path / "v.h5", DATA, element_size_um=size).geometry == expected


def test_element_size_goes_with_the_axes(tmp_path: Path) -> None:
    volume = opened(tmp_path / "v.h5", DATA.T, {"axes": ["x", "y", "z"]}, element_size_um=[0.05, 0.06, 0.1])
    assert volume.geometry == Geometry((0.1, 0.06, 0.05), unit="micrometer")
    for size in ([0.1, 0.05, 0.06], [0.05, 0.06]):
        deep = opened(tmp_path / "v.h5", DATA[:1], {"axes": [".", "y", "x"]}, element_size_um=[0.1, 0.05, 0.06])
        assert deep.geometry.voxel_size == (0.1, 0.05, 0.06)
        z, *plane = opened(tmp_path / "v.h5", DATA[0], element_size_um=size).geometry.voxel_size
        assert (z, plane) == (size[0], [0.05, 0.06])


@pytest.mark.parametrize(("name", "size"), [("voxel_size_cm", (3.8e-6,) * 3), ("pixel_size_cm", 3.8e-6)])
def test_nabu(tmp_path: Path, name: str, size: object) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["entry/reconstruction/results/data"] = DATA
        file[f"entry/reconstruction/configuration/processing_options/reconstruction/{name}"] = size
    assert open_volume(tmp_path / "v.h5").geometry == Geometry((0.038,) * 3, unit="micrometer")
