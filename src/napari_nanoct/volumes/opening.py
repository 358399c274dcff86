"""Open a tomogram in any of the formats that are read."""

from __future__ import annotations

import os
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import FORMATS, HDF5, TIFF, Opened, inside_hdf5, naming, without_ending
from napari_nanoct.volumes.geometry import Geometry, Triple
from napari_nanoct.volumes.units import unit_name
from napari_nanoct.volumes.volume import Volume

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from numpy.typing import NDArray


def open_volume(
    source: str | os.PathLike[str] | NDArray[Any] | da.Array | zarr.Array[Any],
    *,
    voxel_size: float | Triple | None = None,
    unit: str | None = None,
) -> Volume:
    """Open a tomogram lazily: nothing but headers is read until voxels are asked for.

    Parameters
    ----------
    source
        A folder of TIFF slices, a TIFF, HDF5, NeXus, Zarr, OME-Zarr or .npy file, or an array of shape (z, y, x). One
        slice (y, x) becomes a volume of depth 1. A dataset of an HDF5 file is named as ``scan.h5/entry/data``; without
        a name it is what NeXus says to show, or the only volume that there is.
    voxel_size
        Overrides what the file says: one number, or (z, y, x). An offset that the file gives stays at the same voxel.
    unit
        Unit of `voxel_size`, in any usual spelling ("nm", "um", "micrometer"). Left out: the file's unit.

    Returns
    -------
    Volume
        Lazy voxels in their native dtype, with geometry, pyramid and metadata.

    Raises
    ------
    UserError
        If there is nothing there, or something that is not a volume: one sentence that names the file and the way out.
    """
    path = Path(source).expanduser() if isinstance(source, str | os.PathLike) else None
    file, part = inside_hdf5(path) if path else (Path(), "")
    with naming(path or "The array"):
        opened = _open_path(file, part) if path else _open_array(source)
        geometry = _overridden(opened.geometry, voxel_size, unit)
    name = without_ending(os.path.basename(os.path.abspath(file))) if path else "array"
    where = f"{file}{opened.part}" if path else "array"
    return Volume(opened.levels[0], geometry, where, name, opened.levels, opened.metadata)


def _open_path(file: Path, part: str) -> Opened:
    """A file or folder, or a part of an HDF5 file."""
    from napari_nanoct.volumes import lazy

    suffix = file.suffix.lower()
    if not os.path.exists(file):
        raise UserError("there is no such file or folder; check the path")
    if file.is_dir():
        from napari_nanoct.volumes import omezarr_read, tiff

        return omezarr_read.open_zarr(file) if omezarr_read.is_zarr(file) else tiff.open_folder(file)
    if suffix in HDF5:
        from napari_nanoct.volumes import hdf5

        return hdf5.open_hdf5(file, part)
    if suffix == ".npy":
        return Opened((lazy.open_npy(file),))
    if suffix in TIFF:
        from napari_nanoct.volumes import tiff

        return tiff.open_file(file)
    raise UserError(f"this format is not read; these are: {FORMATS}")


def _open_array(source: Any) -> Opened:
    import dask.array as da
    import numpy as np

    from napari_nanoct.volumes import lazy

    if not (hasattr(source, "shape") and hasattr(source, "dtype")):
        raise UserError(f"{type(source).__name__} is neither a path nor an array of shape (z, y, x)")
    shape = lazy.as_stack(tuple(source.shape))
    if isinstance(source, da.Array):
        array = source
    elif hasattr(source, "store_path"):  # a Zarr array
        from napari_nanoct.volumes import omezarr_read

        array = omezarr_read.lazy_zarr(source)
    else:
        array = da.from_array(np.asarray(source), chunks=(lazy.SLAB, -1, -1)[-source.ndim :], name=False)
    return Opened((lazy.native(array.reshape(shape) if array.ndim == 2 else array),))


def _overridden(geometry: Geometry, voxel_size: float | Triple | None, unit: str | None) -> Geometry:
    """`geometry` with what the user says instead of what the file says."""
    if unit is not None:
        name = unit_name(unit)
        if name == "pixel" and unit.strip().lower() not in ("pixel", "pixels"):
            raise UserError(f"{unit!r} is not a unit of length; write nm, um, mm or pixel")
        geometry = replace(geometry, unit=name)
    if voxel_size is None:
        return geometry
    size = (voxel_size, voxel_size, voxel_size) if isinstance(voxel_size, int | float | Real) else voxel_size
    resized = replace(geometry, voxel_size=size)
    z, y, x = (t * new / s for t, s, new in zip(geometry.origin, geometry.voxel_size, resized.voxel_size, strict=True))
    return replace(resized, origin=(z, y, x))
