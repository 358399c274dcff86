"""Which levels a pyramid has, and how a block becomes coarser."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_nanoct.volumes import Geometry
from napari_nanoct.volumes.pyramid import coarser_shape, mean_by, pyramid_plan

factors = st.sampled_from([(1, 2, 2), (2, 2, 2), (1, 1, 2), (1, 1, 1)])


def mean_by_cells(block: np.ndarray, cell: tuple[int, int, int]) -> np.ndarray:
    """The written-out reference."""
    out = np.empty(coarser_shape(block.shape, cell))
    for index in np.ndindex(*out.shape):
        part = block[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, cell, strict=True))]
        known = part[~np.isnan(part)] if block.dtype.kind == "f" else part
        out[index] = known.mean(dtype=np.float64) if known.size else np.nan
    return out


@given(
    st.data(), st.sampled_from(["uint8", "uint16", "int16", "uint32", "float32", "float64"]),
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=7), factors,
)  # fmt: skip
def test_against_a_written_out_mean(
    data: st.DataObject, dtype: str, shape: tuple[int, int, int], cell: tuple[int, int, int]
) -> None:
    floats = st.one_of(st.floats(-1e4, 1e4, width=16), st.just(np.nan))
    block = data.draw(hnp.arrays(dtype, shape, elements=floats if dtype.startswith("f") else None))
    coarse = mean_by(block, cell)
    assert coarse.dtype == block.dtype
    expected = mean_by_cells(block, cell)
    if block.dtype.kind == "f":
        np.testing.assert_allclose(coarse, expected, rtol=1e-5, atol=1e-2)
    else:
        np.testing.assert_array_equal(coarse, np.rint(expected))


def test_large_integers_and_infinities_do_not_warn() -> None:
    top = np.full((2, 2, 2), np.iinfo(np.uint32).max, np.uint32)
    assert mean_by(top, (2, 2, 2)) == np.iinfo(np.uint32).max
    wild = np.array([[[np.inf, -np.inf], [1, 1]]], np.float32)
    assert np.isnan(mean_by(wild, (1, 2, 2))).all()
    assert mean_by(np.full((1, 2, 2), 65504, np.float16), (1, 2, 2)) == 65504


def levels(shape: tuple[int, int, int], voxel_size: tuple[float, float, float]) -> list[tuple[int, int, int]]:
    shapes = [shape]
    for cell in pyramid_plan(shape, Geometry(voxel_size)):
        shapes.append(coarser_shape(shapes[-1], cell))
    return shapes


@pytest.mark.parametrize(
    ("shape", "voxel_size", "expected"),
    [
        ((48, 256, 200), (1, 1, 1), []),
        ((48, 384, 384), (1, 1, 1), [(24, 192, 192)]),
        ((100, 1025, 600), (1, 1, 1), [(50, 513, 300), (25, 257, 150), (13, 129, 75)]),
        # enlarged by 2: the voxels are tall, y and x go first
        ((48, 768, 768), (2, 1, 1), [(48, 384, 384), (24, 192, 192)]),
        ((48, 1536, 1536), (4, 1, 1), [(48, 768, 768), (48, 384, 384), (24, 192, 192)]),
        # one slice stays one slice
        ((1, 600, 600), (1, 1, 1), [(1, 300, 300), (1, 150, 150)]),
        ((4, 1, 600), (1, 1, 1), [(2, 1, 300), (1, 1, 150)]),
    ],
)
def test_plan(
    shape: tuple[int, int, int], voxel_size: tuple[float, float, float], expected: list[tuple[int, int, int]]
) -> None:
    assert levels(shape, voxel_size)[1:] == expected


@given(st.floats(0.1, 10), st.integers(1, 300), st.integers(1, 20000))
def test_voxels_become_and_stay_near_to_cubes(z_size: float, depth: int, width: int) -> None:
    geometry, shape = Geometry((z_size, 1, 1)), (depth, width, width)
    before = max(z_size, 1 / z_size)
    for cell in pyramid_plan(shape, geometry):
        geometry, shape = geometry.coarsened(cell), coarser_shape(shape, cell)
        ratio = geometry.voxel_size[0] / geometry.voxel_size[1]
        if shape[0] > 1:
            assert max(ratio, 1 / ratio) <= max(before, np.sqrt(2)) * 1.0001
        before = max(ratio, 1 / ratio)
    assert max(shape[1:]) <= 256
