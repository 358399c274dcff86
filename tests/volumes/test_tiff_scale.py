"""Voxel sizes in the ways in which TIFF files state them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_nanoct.volumes import Geometry, open_volume

DATA = np.zeros((9, 8, 7), np.uint16)
UNKNOWN = Geometry()


def geometry_of(folder: Path, **how: Any) -> Geometry:
    tifffile.imwrite(folder / "v.tif", DATA, **how)
    return open_volume(folder / "v.tif").geometry


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        ("um", "micrometer"),
        ("micron", "micrometer"),
        ("\\u00B5m", "micrometer"),
        ("nm", "nanometer"),
        ("mm", "millimeter"),
    ],
)
def test_imagej(tmp_path: Path, unit: str, name: str) -> None:
    found = geometry_of(
        tmp_path, imagej=True, resolution=(1 / 0.25, 1 / 0.5), metadata={"spacing": 2.0, "unit": unit, "axes": "ZYX"}
    )
    assert found == Geometry((2.0, 0.5, 0.25), unit=name)


def test_imagej_origin_is_in_pixels(tmp_path: Path) -> None:
    said = {"spacing": 2.0, "unit": "nm", "axes": "ZYX", "xorigin": 10, "yorigin": -4, "zorigin": 1}
    found = geometry_of(tmp_path, imagej=True, resolution=(2, 2), metadata=said)
    assert found == Geometry((2.0, 0.5, 0.5), (-2.0, 2.0, -5.0), "nanometer")


def test_imagej_without_unit_or_in_pixels(tmp_path: Path) -> None:
    assert geometry_of(tmp_path, imagej=True, resolution=(2, 2)) == UNKNOWN
    assert geometry_of(tmp_path, imagej=True, resolution=(2, 2), metadata={"unit": "pixel", "axes": "ZYX"}) == UNKNOWN


def test_imagej_spacing_below_zero_or_missing(tmp_path: Path) -> None:
    said: dict[str, Any] = {"unit": "um", "axes": "ZYX", "spacing": -3.0}
    assert geometry_of(tmp_path, imagej=True, resolution=(2, 2), metadata=said).voxel_size == (3.0, 0.5, 0.5)
    del said["spacing"]
    assert geometry_of(tmp_path, imagej=True, resolution=(2, 2), metadata=said).voxel_size == (0.5, 0.5, 0.5)
    assert "taken to be that of y, 0.5 µm" in open_volume(tmp_path / "v.tif").metadata["assumed"][0]


def test_ome_in_one_unit_and_in_two(tmp_path: Path) -> None:
    said: dict[str, Any] = {"axes": "ZYX", "PhysicalSizeX": 50, "PhysicalSizeY": 60, "PhysicalSizeZ": 0.1}
    assert geometry_of(tmp_path, ome=True, metadata=said) == Geometry((0.1, 60, 50), unit="micrometer")
    said |= {"PhysicalSizeXUnit": "nm", "PhysicalSizeYUnit": "nm", "PhysicalSizeZUnit": "µm"}
    assert geometry_of(tmp_path, ome=True, metadata=said) == Geometry((100, 60, 50), unit="nanometer")


def test_ome_that_states_less(tmp_path: Path) -> None:
    assert geometry_of(tmp_path, ome=True) == UNKNOWN
    flat = {"axes": "ZYX", "PhysicalSizeX": 2.0, "PhysicalSizeY": 2.0}
    assert geometry_of(tmp_path, ome=True, metadata=flat) == Geometry((2, 2, 2), unit="micrometer")
    assert "assumed" in open_volume(tmp_path / "v.tif").metadata


@pytest.mark.parametrize(
    ("per_unit", "unit", "size"),
    [
        (1e5, "CENTIMETER", 0.1),
        (254000, "INCH", 0.1),
        (1e4, "MILLIMETER", 0.1),
        (25, "MICROMETER", 0.04),
        (72, "INCH", None),
        (300, "INCH", None),
        (1200, "INCH", None),
        (28.35, "CENTIMETER", None),
        (1e5, "NONE", None),
    ],
)
def test_plain_resolution_unless_meant_for_print(
    tmp_path: Path, per_unit: float, unit: str, size: float | None
) -> None:
    found = geometry_of(tmp_path, resolution=(per_unit, per_unit), resolutionunit=unit)
    assert found == (Geometry((size, size, size), unit="micrometer") if size else UNKNOWN)
