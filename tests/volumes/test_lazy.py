"""Lazy stacks read the slices that are asked for, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import open_volume
from napari_nanoct.volumes.lazy import as_stack, lazy_slices, native

DATA = np.arange(40 * 5 * 6, dtype=np.uint16).reshape(40, 5, 6)


@dataclass(frozen=True)
class Recorder:
    """Slices of DATA that remember what was read."""

    shape: tuple[int, int, int] = DATA.shape
    dtype: np.dtype = DATA.dtype
    read_parts: list[tuple[int, int]] = field(default_factory=list)

    def read(self, start: int, stop: int) -> np.ndarray:
        self.read_parts.append((start, stop))
        return DATA[start:stop]


def test_nothing_is_read_before_it_is_asked_for_and_then_only_that() -> None:
    reader = Recorder()
    lazy = lazy_slices(reader)
    assert lazy.chunksize == (16, 5, 6)
    assert reader.read_parts == []
    np.testing.assert_array_equal(lazy[7].compute(scheduler="sync"), DATA[7])
    assert reader.read_parts == [(7, 8)]
    np.testing.assert_array_equal(lazy[20:23, 1:3].compute(scheduler="sync"), DATA[20:23, 1:3])
    assert reader.read_parts == [(7, 8), (20, 23)]


index = st.one_of(st.integers(-40, 39), st.slices(40), st.lists(st.integers(0, 39), min_size=1, max_size=4))


@given(index, st.slices(5), st.slices(6))
def test_any_indexing_is_that_of_numpy(z: int | slice | list[int], y: slice, x: slice) -> None:
    lazy = lazy_slices(Recorder())
    np.testing.assert_array_equal(lazy[z, y, x].compute(scheduler="sync"), DATA[z, y, x])


def test_large_slices_make_shallow_blocks() -> None:
    lazy = lazy_slices(Recorder(shape=(40, 8192, 8192), dtype=np.dtype(np.float32)))
    assert lazy.chunksize == (1, 8192, 8192)


def test_byte_order_and_truth_values_become_native() -> None:
    import dask.array as da

    assert native(da.zeros((1, 2, 2), dtype=">u2")).dtype.isnative
    assert native(da.ones((1, 2, 2), dtype=bool)).dtype == np.uint8
    with pytest.raises(UserError, match="complex64 are not grey values"):
        native(da.zeros((1, 2, 2), dtype=np.complex64))


def test_as_stack() -> None:
    assert as_stack((3, 4, 5)) == (3, 4, 5)
    assert as_stack((4, 5)) == (1, 4, 5)
    for shape, part in [((4,), "1 dimensions"), ((1, 2, 3, 4), "4 dimensions"), ((0, 4, 5), "empty")]:
        with pytest.raises(UserError, match=part):
            as_stack(shape)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float16", "float32", "float64", ">u2", ">f4"])
@pytest.mark.parametrize("fortran", [False, True])
def test_npy_round_trip(tmp_path: Path, dtype: str, fortran: bool) -> None:
    data = DATA.astype(dtype)
    np.save(tmp_path / "v.npy", np.asfortranarray(data) if fortran else data)
    volume = open_volume(tmp_path / "v.npy")
    assert volume.dtype == np.dtype(dtype).newbyteorder("=")
    assert (volume.name, volume.shape) == ("v", DATA.shape)
    np.testing.assert_array_equal(np.asarray(volume.data), data)


def test_npy_of_one_slice(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", DATA[3])
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "v.npy").data), DATA[3:4])


def test_bad_npy(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    np.save(path, DATA)
    whole = path.read_bytes()
    for size in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"v\.npy: it is damaged or cut short, .* save it again"):
            open_volume(path)
    np.save(path, np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match=r"v\.npy: it holds Python objects"):
        open_volume(path)
    np.save(path, DATA[None])
    with pytest.raises(UserError, match=r"v\.npy: its shape .* 4 dimensions"):
        open_volume(path)
