"""From a napari layer to a volume and back to a place in the viewer; no Qt here."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, Volume, open_volume
from napari_nanoct.volumes.formats import on_disk, without_ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dask.array as da
    from napari.components import Dims
    from napari.layers import Image, Labels, Layer, Shapes
    from numpy.typing import NDArray

Crop = tuple[int, int, int, int]

AXES = ("z", "y", "x")


def layer_volume(layer: Layer | None) -> Volume:
    """Return the (z, y, x) volume that an image layer shows, lazily and where the layer lies in the world.

    Parameters
    ----------
    layer : napari.layers.Layer or None
        A 2-D or 3-D image layer of any backing; of a multiscale layer the full resolution counts. Leading axes of
        length one are dropped; a 2-D layer becomes one slice.

    Returns
    -------
    Volume
        Its source is the layer's file where one is known (not yet compared with the layer: see `layer_file`).

    Raises
    ------
    UserError
        If the layer is no grey-value image, has more than three axes, or does not lie straight along the axes.
    """
    return _volume(_image(layer))


def labels_volume(layer: Labels) -> Volume:
    """Return the (z, y, x) volume of labels that a Labels layer shows, as `layer_volume` does for images.

    Raises
    ------
    UserError
        If the layer has more than three axes.
    """
    return _volume(layer)


def _volume(layer: Image | Labels) -> Volume:
    levels = tuple(_stack(level, layer.name) for level in (layer.data if layer.multiscale else (layer.data,)))
    source = layer.metadata.get("source") or layer.source.path or "array"
    return Volume(levels[0], layer_geometry(layer), str(source), layer.name, levels)


def _image(layer: Layer | None) -> Image:
    """Return the layer if it is a grey-value image along the axes, or say what is wrong with it."""
    from napari.layers import Image

    if layer is None:
        raise UserError("There is no image layer; open a tomogram first (File > Open, or File > Open Sample > nanoCT).")
    if not isinstance(layer, Image):
        kind = type(getattr(layer, "__wrapped__", layer)).__name__
        raise UserError(f"The layer “{layer.name}” is a {kind} layer; choose an image layer.")
    if layer.rgb:
        raise UserError(f"The layer “{layer.name}” is RGB; convert it to grey values first (Layer > Split RGB).")
    linear = layer.affine.affine_matrix[:-1, :-1]
    straight = np.allclose(layer.rotate, np.eye(layer.ndim)) and np.allclose(layer.shear, 0)
    straight = straight and np.allclose(linear, np.diag(np.diag(linear)))  # some readers place a layer by its affine
    if not straight or np.any(np.diag(linear) * layer.scale <= 0):
        raise UserError(
            f"The layer “{layer.name}” is rotated, sheared or mirrored in the viewer; reset its transform "
            "(scale, rotate, shear, affine) first."
        )
    return layer


def _stack(level: Any, name: str) -> da.Array:
    """Return a level of a layer as a lazy (z, y, x) array, without reading it."""
    import dask.array as da

    from napari_nanoct.volumes.lazy import native

    shape = tuple(level.shape)
    if any(length != 1 for length in shape[:-3]):
        raise UserError(
            f"The layer “{name}” has {len(shape)} axes {shape}; choose a layer of one volume (z, y, x), "
            "for example after Layer > Split Stack."
        )
    if 0 in shape:
        raise UserError(f"The layer “{name}” is empty, of shape {shape}; choose another.")
    array = level if isinstance(level, da.Array) else da.from_array(level, **_reading(level))
    array = array[(0,) * (len(shape) - 3)] if len(shape) > 3 else array
    try:
        return native(array if array.ndim == 3 else array[np.newaxis])
    except UserError as error:
        raise UserError(f"The layer “{name}”: {error}.") from error


def _reading(level: Any) -> dict[str, Any]:
    """Return how dask should cut an array of another kind: along the shards or chunks of a file, else by slices."""
    chunks = getattr(level, "shards", None) or getattr(level, "chunks", None)
    if chunks is None:
        chunks = (1,) * (level.ndim - 2) + level.shape[-2:]
    return {"chunks": chunks, "name": False, "inline_array": True}


def layer_geometry(layer: Image | Labels) -> Geometry:
    """Return voxel size, origin and unit of the layer's last three axes, all in the unit of x.

    A 2-D layer gets its pixel's height as its thickness.
    """
    unit, factors = _unit_factors(layer)
    stretch, shift = np.diag(layer.affine.affine_matrix)[:-1], layer.affine.affine_matrix[:-1, -1]
    scale, translate = stretch * layer.scale, stretch * layer.translate + shift
    size = [float(s) * f for s, f in zip(scale[-3:], factors, strict=True)]
    origin = [float(t) * f for t, f in zip(translate[-3:], factors, strict=True)]
    if len(size) == 2:
        size, origin = [size[0], *size], [0.0, *origin]
    return Geometry((size[0], size[1], size[2]), (origin[0], origin[1], origin[2]), unit)


def _unit_factors(layer: Layer) -> tuple[str, list[float]]:
    """Return the name of x's unit and what turns the last axes' units into it; "pixel" if they are no lengths."""
    from napari_nanoct.volumes.units import unit_name

    units = list(layer.units[-3:])
    name = unit_name(str(units[-1]))
    try:
        factors = [unit_factor(unit, units[-1]) for unit in units]
    except UserError:
        return "pixel", [1.0] * len(units)
    return name, factors


def unit_factor(unit: Any, target: Any) -> float:
    """Return how many `target` one `unit` is; both are pint units."""
    import pint

    if unit == target:
        return 1.0
    try:
        return float((1.0 * unit).to(target).magnitude)
    except pint.DimensionalityError as error:
        raise UserError(f"The unit {unit} cannot be turned into {target}; give all axes a length unit.") from error


def layer_file(volume: Volume) -> str | None:
    """Return the path of the file that holds what the layer shows, or None if there is none.

    The file must have the layer's shape and dtype and the same values in its first, middle and last slice: a layer
    keeps its file's path also after its data was replaced. Reads those slices, so call it in a thread.
    """
    if volume.source == "array" or not on_disk(volume.source).exists():
        return None
    try:
        stored = open_volume(volume.source)
    except (UserError, OSError):
        return None
    if stored.shape != volume.shape or stored.dtype != volume.dtype:
        return None
    for z in {0, volume.shape[0] // 2, volume.shape[0] - 1}:
        here, there = np.asarray(volume.data[z]), np.asarray(stored.data[z])
        if not np.array_equal(here, there, equal_nan=here.dtype.kind == "f"):
            return None
    return os.path.abspath(volume.source)


def placement(geometry: Geometry, ndim: int) -> dict[str, Any]:
    """Return the options that put a layer of `ndim` axes (2 or 3) where `geometry` says."""
    return {
        "scale": geometry.voxel_size[-ndim:],
        "translate": geometry.origin[-ndim:],
        "units": (geometry.unit,) * ndim,
        "axis_labels": AXES[-ndim:],
    }


def current_slice(layer: Image, dims: Dims, depth: int) -> int:
    """Return the index of the layer's slice that the viewer shows.

    Raises
    ------
    UserError
        If the view does not show (y, x) or (x, y), or the slice lies outside the layer.
    """
    if dims.ndisplay != 2:
        raise UserError("No slice is in view in 3D: press the cube button below the layer list for the 2D view.")
    if set(dims.order[-2:]) != {dims.ndim - 2, dims.ndim - 1}:
        raise UserError(
            "The view shows no slice (y, x): press the roll button below the layers until z has the slider."
        )
    if layer.ndim == 2:
        return 0
    point = np.asarray(dims.point[-layer.ndim :]) * _world_factors(layer, dims)
    z = float(layer.world_to_data(point)[-3])
    index = math.floor(z + 0.5)
    if not 0 <= index < depth:
        raise UserError(f"The slice in view lies outside “{layer.name}”; move the z slider to a slice of it.")
    return index


def _world_factors(layer: Layer, dims: Dims) -> np.ndarray:
    """Return what turns the viewer's coordinates into the layer's units, axis by axis; 1 where they do not mix."""
    world: Sequence[Any] | None = getattr(dims, "units", None)
    if not world or len(world) < layer.ndim:
        return np.ones(layer.ndim)
    return np.array([unit_factor(w, u) for w, u in zip(world[-layer.ndim :], layer.units, strict=True)])


def world_point(layer: Image | Labels, dims: Dims, position: Sequence[float]) -> list[float]:
    """Return the viewer's coordinates of a position (z, y, x) in the unit and place of `layer_geometry`."""
    _, factors = _unit_factors(layer)
    to_world = _world_factors(layer, dims)[-3:]
    return [float(p) / f / w for p, f, w in zip(position, factors, to_world, strict=True)]


def show_slice(layer: Image | Labels, dims: Dims, z: int) -> None:
    """Let the viewer show slice `z` of the layer."""
    place = layer_geometry(layer).cropped(z).origin
    dims.set_point(dims.ndim - 3, world_point(layer, dims, place)[0])


def seen_in(position: Sequence[float], drawn: Layer, layer: Image, dims: Dims) -> NDArray[np.float64]:
    """Return where a position in the data of one layer lies in the data of another; 0 along axes that it lacks."""
    ndim = min(drawn.ndim, layer.ndim)
    world = np.asarray(drawn.data_to_world(position)) / _world_factors(drawn, dims)
    point = np.zeros(layer.ndim)
    point[-ndim:] = world[-ndim:] * _world_factors(layer, dims)[-ndim:]
    return np.asarray(layer.world_to_data(point), np.float64)


def shape_crop(shapes: Shapes | None, layer: Image, dims: Dims) -> Crop:
    """Return ``(y0, y1, x0, x1)``, ends excluded: the layer's pixels that a shape's bounding box touches.

    The selected shape counts, else the last one.

    Raises
    ------
    UserError
        If there is no shape or it lies beside the layer.
    """
    if shapes is None or len(shapes.data) == 0:
        raise UserError("There is no rectangle; draw one in a Shapes layer, or choose another region.")
    index = max(shapes.selected_data, default=len(shapes.data) - 1)
    corners = [seen_in(vertex, shapes, layer, dims)[-2:] for vertex in np.asarray(shapes.data[index])]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    height, width = (layer.data[0] if layer.multiscale else layer.data).shape[-2:]
    y0, x0 = (max(0, math.floor(value + 0.5)) for value in low)
    y1, x1 = (min(end, math.ceil(value + 0.5)) for value, end in zip(high, (height, width), strict=True))
    if y0 >= y1 or x0 >= x1:
        raise UserError(f"The shape in “{shapes.name}” lies beside “{layer.name}”; draw it over the image.")
    return y0, y1, x0, x1


def look(layer: Image) -> dict[str, Any]:
    """Return how the layer shows its grey values, for a layer that is to look the same."""
    return {
        "contrast_limits": tuple(layer.contrast_limits),
        "gamma": layer.gamma,
        "colormap": layer.colormap,
    }


def suggested_output(layer: Image, ending: str) -> str:
    """Return a path for a result: beside the layer's file if that is possible, else in the home folder."""
    source = layer.metadata.get("source") or layer.source.path
    place = on_disk(source) if source else Path()
    known = source not in (None, "array") and place.exists() and os.access(place.parent, os.W_OK)
    name = without_ending(place.name if known else layer.name)
    name = "".join(c if c.isalnum() or c in "-_. " else "_" for c in name).strip(" .") or "layer"
    return str((place.parent if known else Path.home()) / f"{name}-{ending}.ome.zarr")
