"""Zarr 2 and 3 arrays, and OME-Zarr 0.4 and 0.5 images, read lazily."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import Opened
from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.lazy import BLOCK_BYTES, SLAB, as_stack, native
from napari_nanoct.volumes.units import SYMBOLS, convert, unit_name
from napari_nanoct.volumes.zarr_folder import is_zarr_folder

if TYPE_CHECKING:
    import dask.array as da
    import zarr
    from numpy.typing import NDArray

DAMAGED = "its Zarr metadata is damaged or incomplete; copy it again from where it came"
ASSUMED_Z = "the file holds one slice (y, x) and no voxel size along z; taken to be that of y, {:g} {}"


def is_zarr(path: Path) -> bool:
    """Whether the folder `path` is, or by its name means to be, a Zarr group or array."""
    return is_zarr_folder(path) or ".zarr" in path.suffixes


def open_zarr(path: Path) -> Opened:
    """Open a Zarr array, a group with one array, or an OME-Zarr image."""
    import zarr

    try:
        node: Any = _open_node(path)
        attributes: dict[str, Any] = dict(node.attrs)
        record = attributes.get("nanoct") or {}
        if record.get("status") == "incomplete":
            raise UserError("it is half-written by a run that stopped or is still going on; enhance the volume again")
        metadata = {"nanoct": dict(record)} if record else {}
        if isinstance(node, zarr.Array):
            return Opened((_volume(node),), metadata=metadata)
        ome = attributes.get("ome", attributes)
        if "multiscales" in ome:
            opened = _open_multiscale(node, ome)
            if record:
                _check_whole(path, node, ome["multiscales"][0])
            return Opened(opened.levels, opened.geometry, {**opened.metadata, **metadata})
        return _open_group(path, node, metadata)
    except UserError:
        raise
    except PermissionError as error:
        raise UserError("it cannot be read; check its permissions") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(DAMAGED) from error


def lazy_zarr(array: zarr.Array[Any]) -> da.Array:
    """Lazy array over a Zarr array, in blocks of whole slices, 16 or more, where they fit, made of whole shards."""
    import dask.array as da

    *_, height, width = array.shape
    stored = array.shards or array.chunks
    depth_stored = stored[-3] if array.ndim > 2 else 1
    slab = array.dtype.itemsize * height * width
    depth = -(-SLAB // depth_stored) * depth_stored
    if depth * slab > BLOCK_BYTES and array.ndim > 2:  # whole chunks do, where the shards are deep
        depth = array.chunks[-3]
    tall, wide = (height, width) if depth * slab <= BLOCK_BYTES else (stored[-2], stored[-1])
    chunks = (*(1,) * max(0, array.ndim - 3), depth, tall, wide)[-array.ndim :]
    empty = np.empty((0,) * array.ndim, array.dtype)
    return da.from_array(_Blocks(array), chunks=chunks, name=False, asarray=False, meta=empty)


class _Blocks:
    """A Zarr array that says in a sentence which file has a damaged block, found by its checksum or its compression."""

    def __init__(self, array: zarr.Array[Any]) -> None:
        self.array = array
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            return np.asarray(self.array[key])
        except (OSError, ValueError, RuntimeError, TypeError) as error:
            where = str(self.array.store_path).removeprefix("file://")
            raise UserError(f"{where}: a block is damaged or unreadable ({error}); copy it again.") from error


def _open_node(path: Path) -> zarr.Array[Any] | zarr.Group:
    import zarr

    mark = path / "zarr.json"
    node_type = json.loads(mark.read_text(encoding="utf-8")).get("node_type") if mark.is_file() else None
    if node_type == "array" or (path / ".zarray").is_file():
        return zarr.open_array(str(path), mode="r")
    # consolidated metadata hides arrays that were added later
    return zarr.open_group(str(path), mode="r", use_consolidated=False)


def _volume(array: zarr.Array[Any]) -> da.Array:
    """A Zarr array as (z, y, x); leading axes of length 1 are dropped."""
    shape = array.shape
    extra = max(0, len(shape) - 3)
    if any(n > 1 for n in shape[:extra]):
        raise UserError(f"its shape {shape} has {len(shape)} dimensions; save one (z, y, x) volume of it")
    stack = as_stack(shape[extra:])
    lazy = lazy_zarr(array)[(0,) * extra]
    return native(lazy if lazy.ndim == 3 else lazy.reshape(stack))


def _open_group(path: Path, group: zarr.Group, metadata: Mapping[str, Any]) -> Opened:
    """A group without image metadata: good if it holds one array, or one image."""
    arrays = dict(group.arrays())
    groups = [name for name, _ in group.groups() if name != "OME"]
    if len(arrays) == 1:
        return Opened((_volume(next(iter(arrays.values()))),), metadata=metadata)
    if not arrays and len(groups) == 1:
        return open_zarr(path / groups[0])
    names = sorted([*arrays, *groups])
    if not names:
        raise UserError("the Zarr group holds no array; check that it was copied whole")
    example = path / names[0]
    raise UserError(f"the Zarr group holds {len(names)} parts ({', '.join(names[:6])}); open one of them, as {example}")


def _open_multiscale(group: zarr.Group, ome: Mapping[str, Any]) -> Opened:
    """The first multiscale image of OME metadata: levels, geometry of the finest, display window."""
    multiscale = ome["multiscales"][0]
    axes = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in multiscale.get("axes", "tczyx")]
    names = [str(axis["name"]).lower() for axis in axes]
    if names[-3:] != ["z", "y", "x"] and (names[-2:] != ["y", "x"] or "z" in names):
        raise UserError(f"its axes ({', '.join(names)}) do not end with z, y, x; save one (z, y, x) volume of it")
    levels = []
    for dataset in multiscale["datasets"]:
        array = cast("Any", group.get(dataset["path"]))
        if array is None or not hasattr(array, "chunks") or array.ndim != len(names):
            raise UserError(f"level {dataset['path']!r} of the pyramid is missing or damaged; copy the volume again")
        _check_single(names, array.shape)
        levels.append(_volume(array))
    scale, offset = _compose(multiscale, len(names))
    spatial = [names.index(axis) for axis in "zyx" if axis in names]
    units = [unit_name(axes[k].get("unit")) for k in spatial]
    unit = units[-1]
    size = [convert(scale[k], own, unit) for k, own in zip(spatial, units, strict=True)]
    origin = [convert(offset[k], own, unit) for k, own in zip(spatial, units, strict=True)]
    metadata: dict[str, Any] = {}
    if "z" not in names:
        size, origin = [size[0], *size], [0.0, *origin]
        if unit != "pixel":
            metadata["assumed"] = (ASSUMED_Z.format(size[0], SYMBOLS[unit]),)
    window = _window(ome)
    if window is not None:
        metadata["contrast"] = window
    (sz, sy, sx), (oz, oy, ox) = size, origin
    return Opened(tuple(levels), Geometry((sz, sy, sx), (oz, oy, ox), unit), metadata)


def _check_whole(path: Path, group: zarr.Group, multiscale: Mapping[str, Any]) -> None:
    """Refuse a volume that a run wrote, every shard of it, and that was copied in part: Zarr reads zeros there."""
    for name in (str(dataset["path"]) for dataset in multiscale["datasets"]):
        array = cast("Any", group[name])
        if array.shards is None:  # written anew by another program, with the record
            continue
        shards = math.prod(-(-n // s) for n, s in zip(array.shape, array.shards, strict=True))
        lost = shards - sum(file.is_file() for file in (path / name / "c").rglob("*"))
        if lost > 0:
            raise UserError(f"{lost} of the {shards} files of its level {name!r} are missing; copy the volume again")


def _check_single(names: Sequence[str], shape: Sequence[int]) -> None:
    for name, length in zip(names, shape, strict=True):
        if name not in ("z", "y", "x") and length > 1:
            kind = {"c": "channels", "t": "time points"}.get(name, f"places along {name!r}")
            raise UserError(f"it has {length} {kind}; save one (z, y, x) volume of it")


def _compose(multiscale: Mapping[str, Any], ndim: int) -> tuple[list[float], list[float]]:
    """Scale and offset of the finest level: its own transformations, then those of the whole pyramid."""
    scale, offset = np.ones(ndim), np.zeros(ndim)
    own = multiscale["datasets"][0].get("coordinateTransformations", [])
    for step in [*own, *multiscale.get("coordinateTransformations", [])]:
        kind = step.get("type")
        if kind == "identity":
            continue
        if kind not in ("scale", "translation") or kind not in step:
            raise UserError(f"a transformation of type {kind!r} is not read; save it with a scale and a translation")
        values = np.asarray(step[kind], float)
        if values.shape != (ndim,):
            raise UserError(DAMAGED)
        if kind == "scale":
            scale, offset = scale * values, offset * values
        else:
            offset = offset + values
    return [float(s) for s in scale], [float(t) for t in offset]


def _window(ome: Mapping[str, Any]) -> tuple[float, float] | None:
    """Grey values to show as black and white, where the metadata name them."""
    channels = ome.get("omero", {}).get("channels") or [{}]
    window = channels[0].get("window", {})
    low, high = window.get("start"), window.get("end")
    return (float(low), float(high)) if low is not None and high is not None else None
