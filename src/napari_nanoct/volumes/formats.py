"""Which formats are read, and what each format's reader hands over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.geometry import Geometry

if TYPE_CHECKING:
    import dask.array as da

FORMATS = (
    "a folder of TIFF slices, TIFF (.tif, .tiff), HDF5 and NeXus (.h5, .nxs), Zarr and OME-Zarr folders, and NumPy "
    "(.npy)"
)
"""What is read, in words."""

DAMAGED = "it is damaged or cut short; copy it again from where it came"

TIFF = (".tif", ".tiff", ".btf", ".tf2", ".tf8")
HDF5 = (".h5", ".hdf5", ".hdf", ".he5", ".nxs", ".nx", ".nexus")


@dataclass(frozen=True)
class Opened:
    """What a format's reader found: lazy (z, y, x) levels, the finest first, their geometry, other metadata,
    and the path inside the file, from ``/``, where it holds more than a volume.
    """

    levels: tuple[da.Array, ...]
    geometry: Geometry = field(default_factory=Geometry)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""


@contextmanager
def naming(what: object) -> Iterator[None]:
    """Put the name of a file in front of the sentence of any `UserError` from inside."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {str(error).rstrip('.')}.") from error


def inside_hdf5(path: Path) -> tuple[Path, str]:
    """Split the path of a dataset, as ``scan.h5/entry/data``, into that of its file and ``/entry/data``.

    Returns
    -------
    Path
        The file; `path` itself where no part of it is an HDF5 file.
    str
        What follows it, or "".
    """
    for file in (path, *path.parents):
        if file.suffix.lower() in HDF5 and os.path.isfile(file):  # also where nobody may look
            part = path.relative_to(file).as_posix()
            return file, "" if part == "." else f"/{part}"
    return path, ""


def on_disk(source: str | Path) -> Path:
    """The file or folder of a source, which may name a dataset inside that file."""
    return inside_hdf5(Path(source))[0]


def without_ending(name: str) -> str:
    """The name of a file without what says its format: ``scan`` of ``scan.ome.zarr``."""
    for ending in (".ome.zarr", ".zarr", ".ome.tiff", ".ome.tif", *TIFF, ".npy", *HDF5):
        if name.lower().endswith(ending):
            return name[: -len(ending)] or name
    return name
