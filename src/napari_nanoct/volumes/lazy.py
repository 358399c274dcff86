"""Voxels that stay on disk until they are asked for, as (z, y, x) dask arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.volume import Shape

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

SLAB = 16
"""Slices in one lazy block, where the file gives no better number."""

BLOCK_BYTES = 256 << 20
"""A lazy block is kept below this size, where the file's own blocks allow."""


class SliceReader(Protocol):
    """A (z, y, x) stack of slices of which any range can be read from disk."""

    @property
    def shape(self) -> Shape:
        """Number of slices, rows and columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type on disk."""

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop as a (z, y, x) array."""


class _Indexable:
    """The little that dask wants of an array: it asks for no more slices than a computation needs."""

    ndim = 3

    def __init__(self, reader: SliceReader) -> None:
        self.reader = reader
        self.shape = reader.shape
        self.dtype = reader.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        z, *plane = key if isinstance(key, tuple) else (key,)
        if isinstance(z, slice):
            start, stop, step = z.indices(self.shape[0])
            if step > 0:
                slices = self.reader.read(start, max(start, stop))[::step]
                return slices[(slice(None), *plane)]
        # anything else is rare: one slice, or slices backwards
        wanted = np.arange(self.shape[0])[z]
        stack = [self.reader.read(int(i), int(i) + 1)[0] for i in np.atleast_1d(wanted)]
        block = np.stack(stack) if stack else np.empty((0, *self.shape[1:]), self.dtype)
        return block[(slice(None) if np.ndim(wanted) else 0, *plane)]


def lazy_slices(reader: SliceReader) -> da.Array:
    """Lazy native-endian (z, y, x) array over `reader`, in blocks of whole slices."""
    import dask.array as da

    plane = max(1, reader.dtype.itemsize * reader.shape[1] * reader.shape[2])
    depth = max(1, min(SLAB, BLOCK_BYTES // plane))
    # a random name: viewers cache blocks by name, and a file that was written anew must not show its old voxels
    empty = np.empty((0, 0, 0), reader.dtype)  # or dask would read nothing of the file to see its type
    chunks = (depth, *reader.shape[1:])
    return native(da.from_array(_Indexable(reader), chunks=chunks, name=False, asarray=False, meta=empty))


def native(array: da.Array) -> da.Array:
    """`array` in this machine's byte order; truth values as uint8.

    Raises
    ------
    UserError
        If the values are neither integers nor real numbers.
    """
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise UserError(f"values of type {array.dtype} are not grey values; integers and real numbers are read")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


@dataclass(frozen=True)
class NpyFile:
    """The slices of a .npy file."""

    path: Path
    shape: Shape
    dtype: np.dtype[Any]
    offset: int
    stored: tuple[int, ...]
    order: Literal["C", "F"]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop, read through a memory map that is closed again.

        The header is not read anew: some releases of Python fail where two threads do that at once.
        """
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.stored, self.order)
        return np.array(mapped.reshape(self.shape)[start:stop])


def as_stack(shape: tuple[int, ...]) -> Shape:
    """`shape` as (z, y, x): a 2-D shape is one slice.

    Raises
    ------
    UserError
        If it has other than two or three dimensions, or is empty.
    """
    if len(shape) not in (2, 3):
        raise UserError(f"its shape {shape} has {len(shape)} dimensions; a volume is (z, y, x) or one slice (y, x)")
    if 0 in shape:
        raise UserError(f"it is empty (shape {shape})")
    z, y, x = (1, *shape)[-3:]
    return (z, y, x)


def open_npy(path: Path) -> da.Array:
    """Open a .npy file of two or three dimensions lazily."""
    try:
        mapped = np.load(path, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        reason = "holds Python objects" if "Python objects" in str(error) else "is damaged or cut short"
        raise UserError(f"it {reason}, so it cannot be read as a NumPy file; save it again with numpy.save") from error
    order: Literal["C", "F"] = "C" if mapped.flags.c_contiguous else "F"
    return lazy_slices(NpyFile(path, as_stack(mapped.shape), mapped.dtype, mapped.offset, mapped.shape, order))
