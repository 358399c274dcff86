"""Voxel size and origin of a dataset of an HDF5 or NeXus file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.units import convert, unit_name

if TYPE_CHECKING:
    import h5py

IRREGULAR = 1e-2
"""How far the steps of an axis may differ, as a share of a step: coordinates are often kept in single precision."""

NABU = ("voxel_size_cm", "pixel_size_cm")
"""What tomoscan writes, which nabu and tomwer use, in ``configuration`` beside ``results/data``."""


def text(value: Any) -> str:
    """An attribute as text, in any of the ways that programs write one."""
    value = value.flat[0] if isinstance(value, np.ndarray) and value.size else value
    return value.decode(errors="replace") if isinstance(value, bytes) else value if isinstance(value, str) else ""


def axis_names(dataset: h5py.Dataset) -> list[str]:
    """Names of a dataset's axes by NeXus, in lower case; none where they are not told, or not for each axis."""
    found = dataset.parent.attrs.get("axes", dataset.attrs.get("axes", ""))
    if isinstance(found, np.ndarray) and found.ndim:
        names = [text(name) for name in found]
    else:  # as NeXus wrote them at first
        names = text(found).replace(",", ":").split(":")
    return [name.strip().lower() for name in names] if len(names) == dataset.ndim else []


def read_geometry(dataset: h5py.Dataset, axes: tuple[int | None, int, int]) -> Geometry:
    """Geometry that the file states for a dataset.

    Parameters
    ----------
    dataset : h5py.Dataset
    axes : tuple
        Which of its axes are z, y and x; None for no z.

    Returns
    -------
    Geometry
        From the coordinates of NeXus axes, or the attribute ``element_size_um`` (ilastik, Fiji), or what nabu writes
        beside its result; voxels of 1 pixel where there is none of these, or where it is no size.
    """
    for read in (_coordinates, _element_size, _nabu):
        try:
            geometry = read(dataset, axes)
        except (UserError, ValueError, TypeError, LookupError):
            continue
        if geometry is not None:
            return geometry
    return Geometry()


def _coordinates(dataset: h5py.Dataset, axes: tuple[int | None, int, int]) -> Geometry | None:
    """From the coordinates that stand beside the dataset, one list for each axis, evenly spaced and with a unit."""
    names = axis_names(dataset)
    places = {name.lower(): dataset.parent[name] for name in dataset.parent}
    sizes, origins, units = [], [], []
    for axis in axes:
        if axis is None or not names or names[axis] not in places:
            return None
        place = places[names[axis]]
        values = np.asarray(place[()], float)
        if values.shape != (dataset.shape[axis],) or len(values) < 2:
            return None
        step = (values[-1] - values[0]) / (len(values) - 1)
        if not np.abs(np.diff(values) - step).max() <= IRREGULAR * abs(step):  # nor where it is NaN
            return None
        sizes.append(float(f"{step:.9g}"))
        origins.append(float(values[0]))
        units.append(unit_name(text(place.attrs.get("units", ""))))
    unit = units[-1]
    if "pixel" in units:
        return None
    (sz, sy, sx), (oz, oy, ox) = (
        [convert(value, own, unit) for value, own in zip(values, units, strict=True)] for values in (sizes, origins)
    )
    return Geometry((sz, sy, sx), (oz, oy, ox), unit)


def _element_size(dataset: h5py.Dataset, axes: Sequence[int | None]) -> Geometry | None:
    """From the attribute ``element_size_um``: z, y and x in micrometres."""
    if "element_size_um" not in dataset.attrs:
        return None
    z, y, x = (float(value) for value in dataset.attrs["element_size_um"])
    return Geometry((z, y, x), unit="micrometer")


def _nabu(dataset: h5py.Dataset, axes: Sequence[int | None]) -> Geometry | None:
    """From the settings of the reconstruction, beside ``results/data``: centimetres, one number or (z, y, x)."""
    settings = dataset.parent.parent.get("configuration/processing_options/reconstruction")
    for name in NABU:
        if settings is not None and name in settings:
            z, y, x = (float(value) for value in np.broadcast_to(np.asarray(settings[name][()], float), (3,)))
            z, y, x = (convert(size, "centimeter", "micrometer") for size in (z, y, x))
            return Geometry((z, y, x), unit="micrometer")
    return None
