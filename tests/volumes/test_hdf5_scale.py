"""Voxel sizes and origins in HDF5 and NeXus files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from napari_nanoct.volumes import Geometry, open_volume

DATA = np.zeros((5, 6, 7), np.uint8) + 1


def coordinates(path: Path, axes: object, **places: tuple[np.ndarray, str]) -> Path:
    """Write a NeXus group with coordinates and their units."""
    with h5py.File(path, "w") as file:
        file["entry/data"] = DATA
        file["entry"].attrs["signal"], file["entry"].attrs["axes"] = "data", axes
        for name, (values, unit) in places.items():
            file[f"entry/{name}"] = values
            if unit:
                file[f"entry/{name}"].attrs["units"] = unit
    return path


def even(count: int, step: float, start: float = 0.0) -> np.ndarray:
    return (start + step * np.arange(count)).astype(np.float32)


@pytest.mark.parametrize("axes", [["z", "y", "x"], np.array([b"z", b"y", b"x"]), "z:y:x", "z,y,x"], ids=str)
def test_coordinates(tmp_path: Path, axes: object) -> None:
    path = coordinates(
        tmp_path / "v.nxs", axes, z=(even(5, 0.1, 3), "um"), y=(even(6, 50), "nm"), x=(even(7, 50, -150), "nm")
    )
    geometry = open_volume(path).geometry
    assert geometry.unit == "nanometer"
    np.testing.assert_allclose(geometry.voxel_size, (100, 50, 50), rtol=1e-6)
    np.testing.assert_allclose(geometry.origin, (3000, 0, -150), rtol=1e-6)


@pytest.mark.parametrize(
    ("z", "unit"),
    [
        (even(5, 50), ""),
        (even(5, 50), "degree"),
        (even(5, -50), "nm"),
        (np.array([0.0, 50, 100, 150, 210]), "nm"),
        (np.array([0.0, np.nan, 100, 150, 200]), "nm"),
        (even(4, 50), "nm"),
        (np.zeros((5, 2)), "nm"),
    ],
    ids=["no unit", "no length", "falling", "uneven", "not finite", "too few", "two-dimensional"],
)
def test_coordinates_that_give_no_size(tmp_path: Path, z: np.ndarray, unit: str) -> None:
    path = coordinates(tmp_path / "v.nxs", ["z", "y", "x"], z=(z, unit), y=(even(6, 50), "nm"), x=(even(7, 50), "nm"))
    assert open_volume(path).geometry == Geometry()


def test_element_size(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["data"] = DATA
        file["data"].attrs["element_size_um"] = [0.1, 0.05, 0.05]
    assert open_volume(tmp_path / "v.h5").geometry == Geometry((0.1, 0.05, 0.05), unit="micrometer")
    with h5py.File(tmp_path / "v.h5", "a") as file:
        file["data"].attrs["element_size_um"] = [0.0, 0.0, 0.0]
    assert open_volume(tmp_path / "v.h5").geometry == Geometry()


@pytest.mark.parametrize(("name", "size"), [("voxel_size_cm", (3.8e-6,) * 3), ("pixel_size_cm", 3.8e-6)])
def test_nabu(tmp_path: Path, name: str, size: object) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["entry/reconstruction/results/data"] = DATA
        file[f"entry/reconstruction/configuration/processing_options/reconstruction/{name}"] = size
    assert open_volume(tmp_path / "v.h5").geometry == Geometry((0.038,) * 3, unit="micrometer")
