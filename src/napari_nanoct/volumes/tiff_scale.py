"""Voxel sizes that TIFF files state, in each of the ways that they do."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.units import METRES, SYMBOLS, convert, unit_name

if TYPE_CHECKING:
    import tifffile

PRINT_METRES = 20e-6
"""Pixels of a plain resolution tag that are larger than this are meant for print or screen (1200 dpi is 21 µm)."""

ASSUMED_Z = "the file does not state the voxel size along z; taken to be that of y, {:g} {}"


def read_geometry(tif: tifffile.TiffFile) -> tuple[Geometry, tuple[str, ...]]:
    """Geometry that an OME-TIFF, ImageJ TIFF or plain TIFF states, and a sentence for what had to be assumed."""
    found = _from_ome(tif) if tif.is_ome else _from_imagej(tif) if tif.is_imagej else _from_tags(tif)
    if found is None:
        return Geometry(), ()
    z, y, x, unit, voxels_before = found
    assumed = () if z else (ASSUMED_Z.format(y, SYMBOLS[unit]),)
    size = (z or y, y, x)
    oz, oy, ox = (-s * before for s, before in zip(size, voxels_before, strict=True))
    return Geometry(size, (oz, oy, ox), unit), assumed


_Found = tuple[float | None, float, float, str, tuple[float, float, float]]


def _from_ome(tif: tifffile.TiffFile) -> _Found | None:
    """PhysicalSizeX, Y, Z and their units; micrometers where no unit is written."""
    try:
        root = ElementTree.fromstring(tif.ome_metadata or "")
    except ElementTree.ParseError:
        return None
    pixels = next((node for node in root.iter() if node.tag.rpartition("}")[2] == "Pixels"), None)
    if pixels is None:
        return None
    unit = unit_name(pixels.get("PhysicalSizeXUnit", "µm"))
    sizes: list[float | None] = []
    for axis in "ZYX":
        size = _positive(pixels.get(f"PhysicalSize{axis}"))
        own = unit_name(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        # a length and "pixel" have nothing in common
        sizes.append(None if size is None or (own == "pixel") != (unit == "pixel") else convert(size, own, unit))
    z, y, x = sizes
    return None if y is None or x is None else (z, y, x, unit, (0.0, 0.0, 0.0))


def _from_imagej(tif: tifffile.TiffFile) -> _Found | None:
    """Resolution tags in the unit of ImageJ's description, its slice spacing and its origin in pixels."""
    said = tif.imagej_metadata or {}
    y, x = _resolution(tif)
    unit = unit_name(str(said.get("unit", "")))
    if unit == "pixel" or y is None or x is None:
        return _from_tags(tif)
    before = tuple(_number(said.get(f"{axis}origin")) or 0.0 for axis in "zyx")
    return (_positive(abs(_number(said.get("spacing")) or 0.0)), y, x, unit, (before[0], before[1], before[2]))


def _from_tags(tif: tifffile.TiffFile) -> _Found | None:
    """Plain resolution tags, unless they are the dots per inch of a screen or printer."""
    y, x = _resolution(tif)
    tag = tif.pages.first.tags.get("ResolutionUnit")
    # The last two are no part of TIFF 6.0; tifffile and programs that use it write them.
    known = {2: "inch", 3: "centimeter", 4: "millimeter", 5: "micrometer"}
    unit = known.get(int(tag.value) if tag else 1)
    if unit is None or y is None or x is None or max(y, x) * METRES[unit] > PRINT_METRES:
        return None
    y, x = convert(y, unit, "micrometer"), convert(x, unit, "micrometer")
    return (None, y, x, "micrometer", (0.0, 0.0, 0.0))


def _resolution(tif: tifffile.TiffFile) -> tuple[float | None, float | None]:
    """Pixel size (y, x) in the file's unit of length: one over pixels per unit."""
    sizes = []
    for name in ("YResolution", "XResolution"):
        tag = tif.pages.first.tags.get(name)
        pixels, units = tag.value if tag is not None else (0, 0)
        sizes.append(units / pixels if pixels and units else None)
    return (sizes[0], sizes[1])


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _positive(text: Any) -> float | None:
    value = _number(text)
    return value if value is not None and 0 < value < math.inf else None
