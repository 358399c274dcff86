"""Axes, voxel size and origin of a dataset of an HDF5 or NeXus file."""

from __future__ import annotations

import h5py
import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.hdf5_node import COMPLAINTS, Found, attribute, axis_names, text
from napari_nanoct.volumes.units import SYMBOLS, convert, unit_name

Axes = tuple[int | None, int, int]
"""Which axes of a dataset are z, y and x; None for no z."""

IRREGULAR = 1e-2
"""How far the steps of an axis may differ, as a share of a step."""

SAVU = {"voxel_y": "z", "voxel_x": "y", "voxel_z": "x"}
"""Axes of Savu, which counts y from slice to slice."""

NABU = ("voxel_size_cm", "pixel_size_cm")
"""What tomoscan writes, which nabu and tomwer use, in ``configuration`` beside ``results/data``."""


def axes(one: Found) -> Axes:
    """Find z, y and x: by their names; as Savu and httomo lay them; else the last three that are longer than 1.

    Raises
    ------
    UserError
        If there are more axes than that.
    """
    shape = one.data.shape
    names = [SAVU.get(name, name) for name in axis_names(one)]
    if _is_of_httomo(one):
        return (1, 0, 2)
    if "y" in names and "x" in names:
        y, x = names.index("y"), names.index("x")
        if "c" in names and (channels := shape[names.index("c")]) > 1:
            raise UserError(f"its dataset {one.name} has {channels} channels; save one of them")
        others = [axis for axis in range(one.data.ndim) if axis not in (y, x)]
        more = [axis for axis in others if shape[axis] > 1]
        kept = [names.index("z")] if "z" in names else more[:1] or others[:1]
        if set(more) <= set(kept):
            return (kept[0] if kept else None, y, x)
    else:
        kept = list(range(one.data.ndim))
        for spare in (-1, 0):  # channels, then time points
            while len(kept) > (2 if spare else 3) and shape[kept[spare]] == 1:
                del kept[spare]
        if len(kept) in (2, 3):
            return (kept[0] if len(kept) == 3 else None, kept[-2], kept[-1])
    raise UserError(f"its dataset {one.name} has {one.data.ndim} dimensions {shape}; save one (z, y, x) volume of it")


def _is_of_httomo(one: Found) -> bool:
    """Whether it is a result of httomo, (x, slice, x); its projections are laid (angle, slice, x)."""
    angles, shape = one.group.get("angles"), one.data.shape
    known = one.data.ndim == 3 and isinstance(one.group.get("data_dims/detector_x_y"), h5py.Dataset)
    return known and shape[0] == shape[2] and getattr(angles, "size", None) != shape[0]


def geometry(one: Found, places: Axes) -> tuple[Geometry, tuple[str, ...]]:
    """Geometry that the file states for a dataset, and a sentence for what it leaves open.

    Returns
    -------
    Geometry
        From the coordinates of NeXus axes, or the attribute ``element_size_um`` (ilastik, Fiji), or what nabu writes
        beside its result; voxels of 1 pixel where there is none of these, or where it is no size.
    tuple of str
    """
    for read in (_coordinates, _element_size, _nabu):
        try:
            stated = read(one, places)
        except (UserError, LookupError, *COMPLAINTS):
            continue
        if stated is not None:
            return stated
    return Geometry(), ()


def _coordinates(one: Found, places: Axes) -> tuple[Geometry, tuple[str, ...]] | None:
    """From the coordinates that stand beside the dataset, one list for each axis, evenly spaced and with a unit."""
    names = axis_names(one)
    beside = {name.lower(): name for name in one.group}
    if not names:
        return None
    z, *plane = places
    (sy, oy, uy), (sx, ox, unit) = (_steps(one.group[beside[names[axis]]], one.data.shape[axis]) for axis in plane)
    note: tuple[str, ...] = ()
    if z is None or one.data.shape[z] == 1:
        sz, oz, uz = sy, 0.0, uy
        note = (
            f"the file holds one slice (y, x); its voxel size along z is taken to be that of y, {sy:g} {SYMBOLS[uy]}",
        )
    else:
        sz, oz, uz = _steps(one.group[beside[names[z]]], one.data.shape[z])
    size, origin = (
        [convert(value, own, unit) for value, own in zip(values, (uz, uy, unit), strict=True)]
        for values in ((sz, sy, sx), (oz, oy, ox))
    )
    return Geometry((size[0], size[1], size[2]), (origin[0], origin[1], origin[2]), unit), note


def _steps(place: h5py.Dataset, count: int) -> tuple[float, float, str]:
    """Step, first value and unit of an axis; a ValueError where it is not evenly spaced, or has no unit of length."""
    values, unit = np.asarray(place[()], float), unit_name(text(attribute(place, "units")))
    if values.shape != (count,) or unit == "pixel":
        raise ValueError(place.name)
    step = (values[-1] - values[0]) / (count - 1)
    kept = 4 * np.finfo(place.dtype).eps if place.dtype.kind == "f" else 0.0  # as exact as the numbers are kept
    if not np.abs(np.diff(values) - step).max() <= IRREGULAR * abs(step) + kept * np.abs(values).max():
        raise ValueError(place.name)
    return float(f"{step:.9g}"), float(values[0]), unit


def _element_size(one: Found, places: Axes) -> tuple[Geometry, tuple[str, ...]] | None:
    """From the attribute ``element_size_um``: micrometres, one number for each axis of the dataset, or (z, y, x)."""
    if "element_size_um" not in one.data.attrs:
        return None
    told = [float(value) for value in one.data.attrs["element_size_um"]]
    if len(told) == one.data.ndim:
        y, x = told[places[1]], told[places[2]]
        told = [y if places[0] is None else told[places[0]], y, x]
    z, y, x = told
    return Geometry((z, y, x), unit="micrometer"), ()


def _nabu(one: Found, places: Axes) -> tuple[Geometry, tuple[str, ...]] | None:
    """From the settings of the reconstruction, beside ``results/data``: centimetres, one number or (z, y, x)."""
    settings = one.group.parent.get("configuration/processing_options/reconstruction")
    for name in NABU:
        if settings is not None and name in settings:
            told = np.broadcast_to(np.asarray(settings[name][()], float), (3,))
            z, y, x = (convert(float(size), "centimeter", "micrometer") for size in told)
            return Geometry((z, y, x), unit="micrometer"), ()
    return None
