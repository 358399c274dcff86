"""One intensity range for a whole volume, to 0..1 and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_nanoct.volumes import IntensityRange, intensity_range, open_volume

SMALL_INTEGERS = ["uint8", "uint16", "int8", "int16"]


@given(st.data())
def test_integers_come_back_exactly(data: Any) -> None:
    dtype = np.dtype(data.draw(st.sampled_from(SMALL_INTEGERS)))
    values = data.draw(hnp.arrays(dtype, st.integers(1, 50)))
    ends = np.iinfo(dtype)
    low = data.draw(st.integers(ends.min, ends.max - 1))
    # a range as narrow as a percentile range can be in practice; float32 resolves 1/2^23 of what it spans
    high = data.draw(st.integers(min(low + (ends.max - ends.min) // 50 + 1, ends.max), ends.max))
    grey = IntensityRange(float(low), float(high))
    back = grey.restore(grey.normalise(values), dtype)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, values)


@given(hnp.arrays(np.float32, 20, elements=st.floats(-1e3, 1e3, width=32)), st.floats(-500, 500), st.floats(1, 1000))
def test_floats_come_back(values: np.ndarray, low: float, width: float) -> None:
    grey = IntensityRange(low, low + width)
    back = grey.restore(grey.normalise(values), np.float32)
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, values, atol=1e-3)


def test_ends_of_the_range_are_0_and_1_and_beyond_is_kept() -> None:
    grey = IntensityRange(1000.0, 3000.0)
    normal = grey.normalise(np.array([1000, 3000, 0, 5000], np.uint16))
    assert normal.dtype == np.float32
    np.testing.assert_array_equal(normal, np.array([0, 1, -0.5, 2], np.float32))


def test_a_large_offset_keeps_its_small_differences() -> None:
    grey = IntensityRange(1e9, 1e9 + 100)
    np.testing.assert_allclose(grey.normalise(np.array([10**9 + 1, 10**9 + 2], np.uint32)), [0.01, 0.02], rtol=1e-6)


@pytest.mark.parametrize("name", ["uint8", "int16", "uint16", "uint32", "int32", "uint64", "int64"])
def test_integers_saturate(name: str) -> None:
    ends = np.iinfo(name)
    grey = IntensityRange(0.0, 1.0)
    low, high = grey.restore(np.array([-1e30, 1e30]), name)
    assert low == ends.min
    assert float(high) == pytest.approx(ends.max)
    assert high > ends.max // 2


def test_integers_are_rounded_and_nan_becomes_low() -> None:
    grey = IntensityRange(10.0, 20.0)
    np.testing.assert_array_equal(grey.restore(np.array([0.04, 0.06, np.nan, 0.99]), np.uint8), [10, 11, 10, 20])


def test_floats_keep_nan_and_saturate_at_their_type() -> None:
    back = IntensityRange(0.0, 1e6).restore(np.array([np.nan, 1.0, -1.0]), np.float16)
    assert np.isnan(back[0])
    np.testing.assert_array_equal(back[1:], [65504, -65504])


def test_range_is_that_of_the_percentiles() -> None:
    data = np.random.default_rng(1).normal(1000, 100, (40, 64, 64)).astype(np.float32)
    found = intensity_range(open_volume(data))
    low, high = np.percentile(data, (0.5, 99.5))
    assert found.low == pytest.approx(low, abs=5)
    assert found.high == pytest.approx(high, abs=5)


def test_range_is_deterministic_and_seeded() -> None:
    data = np.random.default_rng(2).integers(0, 60000, (50, 40, 40)).astype(np.uint16)
    volume = open_volume(data)
    assert intensity_range(volume) == intensity_range(open_volume(data.copy()))
    assert intensity_range(volume, seed=1) != intensity_range(volume, seed=2)


def test_range_reads_no_more_than_sixteen_slices() -> None:
    read: list[int] = []

    class Counting:
        shape, dtype, ndim = (400, 8, 8), np.dtype(np.uint8), 3

        def __getitem__(self, key: Any) -> np.ndarray:
            z = key[0]
            if isinstance(z, slice):
                count = len(range(*z.indices(400)))
                read.extend([0] * count)
                return np.zeros((count, 8, 8), np.uint8)[:, key[1], key[2]]
            read.append(z)
            return np.full((8, 8), z % 250, np.uint8)

    import dask.array as da

    intensity_range(open_volume(da.from_array(Counting(), chunks=(16, 8, 8), name=False)))
    assert len(read) == 16
    assert len(set(read)) == 16
    assert max(read) > 370


def test_range_of_odd_volumes() -> None:
    assert intensity_range(open_volume(np.full((3, 4, 5), 7, np.uint8))) == IntensityRange(7.0, 8.0)
    assert intensity_range(open_volume(np.full((3, 4), np.nan))) == IntensityRange(0.0, 1.0)
    data = np.array([[[0.0, 1.0], [np.nan, np.inf]]])
    assert intensity_range(open_volume(data)) == IntensityRange(0.005, 0.995)


def test_range_of_a_small_sample_in_a_large_background() -> None:
    data = np.zeros((2, 64, 64), np.uint16)
    data[:, 30, 30:34] = (20000, 30000, 40000, 60000)
    assert intensity_range(open_volume(data)) == IntensityRange(0.0, 60000.0)
