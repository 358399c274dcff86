"""Which formats are read, and what each format's reader hands over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.geometry import Geometry

if TYPE_CHECKING:
    import dask.array as da

FORMATS = "a folder of TIFF slices, TIFF (.tif, .tiff), Zarr and OME-Zarr folders, and NumPy (.npy)"
"""What is read, in words."""

TIFF = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
HDF5 = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx", ".nexus")


@dataclass(frozen=True)
class Opened:
    """What a format's reader found: lazy (z, y, x) levels, the finest first, their geometry and other metadata."""

    levels: tuple[da.Array, ...]
    geometry: Geometry = field(default_factory=Geometry)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Put the name of a file in front of the sentence of any `UserError` from inside."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {str(error).rstrip('.')}.") from error
