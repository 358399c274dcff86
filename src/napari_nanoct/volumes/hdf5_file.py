"""Open an HDF5 file; what HDF5 complains of is a sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401, makes Blosc, LZ4, Zstandard and bit-shuffle known to HDF5

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import DAMAGED


@contextmanager
def opened(file: Path) -> Iterator[h5py.File]:
    """An HDF5 file, with the compressions of the field; what HDF5 complains of is a sentence."""
    try:
        try:
            root = h5py.File(file, "r")
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
                raise
            root = h5py.File(file, "r", locking=False)  # a disk without locks; nothing is written here
        with root:
            yield root
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises for what HDF5 complains of
        raise UserError(_complaint(error)) from error


def _complaint(error: Exception) -> str:
    said = str(error)
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"it cannot be read ({os.strerror(error.errno or 0)}); check that it is there and yours to read"
    if "unable to lock" in said or "already open" in said:
        return "it is being written by another program; wait until that has closed it (after a crash: h5clear -s)"
    if "signature not found" in said:
        return "it is no HDF5 file; check what it is"
    if "filter" in said or "plugin" in said:
        return f"its compression is not known, or its data are damaged ({said}); save it again, as with gzip or Blosc"
    return DAMAGED
