"""Geometry: cropping, enlarging and coarsening keep the world in place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry

sizes = st.tuples(*[st.floats(1e-3, 1e3)] * 3)
places = st.tuples(*[st.floats(-1e4, 1e4)] * 3)
geometries = st.builds(Geometry, sizes, places, st.sampled_from(["pixel", "nanometer", "micrometer"]))
shapes = st.tuples(*[st.integers(1, 500)] * 3)
factors = st.sampled_from([1, 2, 4])


def near(one: object, other: object) -> None:
    np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=1e-9, atol=1e-6)


@given(geometries, shapes, factors)
def test_enlarging_keeps_the_outer_corners(geometry: Geometry, shape: tuple[int, int, int], factor: int) -> None:
    z, y, x = shape
    enlarged = geometry.enlarged(factor)
    near(enlarged.corners((z, factor * y, factor * x)), geometry.corners(shape))
    assert enlarged.voxel_size[0] == geometry.voxel_size[0]
    assert enlarged.origin[0] == geometry.origin[0]
    assert enlarged.unit == geometry.unit


@given(geometries, factors)
def test_enlarging_shifts_by_half_a_voxel_less_half_a_small_one(geometry: Geometry, factor: int) -> None:
    _, s, _ = geometry.voxel_size
    near(geometry.enlarged(factor).origin[1], geometry.origin[1] - s / 2 + s / (2 * factor))


@given(geometries, factors, shapes)
def test_cropping_and_enlarging_commute(geometry: Geometry, factor: int, start: tuple[int, int, int]) -> None:
    z, y, x = start
    first = geometry.cropped(z, y, x).enlarged(factor)
    second = geometry.enlarged(factor).cropped(z, factor * y, factor * x)
    near(first.origin, second.origin)
    near(first.voxel_size, second.voxel_size)


@given(geometries, shapes)
def test_coarsening_undoes_enlarging(geometry: Geometry, start: tuple[int, int, int]) -> None:
    back = geometry.enlarged(2).coarsened((1, 2, 2))
    near(back.origin, geometry.origin)
    near(back.voxel_size, geometry.voxel_size)


def test_cropping_moves_by_whole_voxels() -> None:
    geometry = Geometry((10.0, 2.0, 3.0), (100.0, 0.0, -6.0), "nanometer").cropped(1, 5, 4)
    assert geometry == Geometry((10.0, 2.0, 3.0), (110.0, 10.0, 6.0), "nanometer")


@pytest.mark.parametrize(
    ("size", "origin", "unit", "part"),
    [
        ((1.0, 0.0, 1.0), (0.0, 0.0, 0.0), "pixel", "positive"),
        ((1.0, -2.0, 1.0), (0.0, 0.0, 0.0), "pixel", "positive"),
        ((1.0, math.nan, 1.0), (0.0, 0.0, 0.0), "pixel", "positive"),
        ((1.0, math.inf, 1.0), (0.0, 0.0, 0.0), "pixel", "positive"),
        ((1.0, 1.0), (0.0, 0.0, 0.0), "pixel", "three"),
        ((1.0, 1.0, 1.0), (0.0, math.inf, 0.0), "pixel", "finite"),
        ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), "parsec", "parsec"),
    ],
)
def test_impossible_geometries_are_refused(
    size: tuple[float, ...], origin: tuple[float, ...], unit: str, part: str
) -> None:
    with pytest.raises(UserError, match=part):
        Geometry(size, origin, unit)  # type: ignore[arg-type]


def test_plain_numbers() -> None:
    geometry = Geometry((np.float32(2), 1, 1), (-0.0, 0, np.int64(3)))  # type: ignore[arg-type]
    assert repr(geometry) == "Geometry(voxel_size=(2.0, 1.0, 1.0), origin=(0.0, 0.0, 3.0), unit='pixel')"
