"""What is drawn in the viewer, in pixels of the low-resolution scan: regions and the common point; no Qt here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.docks.layers import layer_geometry, placement, seen_in
from napari_nanoct.errors import UserError
from napari_nanoct.finetune.project import Region

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari.components import Dims
    from napari.layers import Image, Points, Shapes

Triple = tuple[float, float, float]


def drawn_regions(shapes: Shapes | None, low: Image, dims: Dims, use: bool) -> tuple[Region, ...]:
    """Return the closed shapes of a layer as regions of the low-resolution scan.

    A shape of a layer with slices counts in the slice that it is drawn on, one of a 2-D layer in all.

    Raises
    ------
    UserError
        If there is no shape to use, or one is a line, or goes through several slices.
    """
    if shapes is None:
        return ()
    if use and not len(shapes.data):
        raise UserError(f"“{shapes.name}” holds no shape; draw one around what is to be used, or choose no layer.")
    regions = []
    for kind, outline in zip(shapes.shape_type, shapes.data, strict=True):
        if kind in ("line", "path"):
            raise UserError(f"“{shapes.name}” holds a {kind}, which encloses nothing; draw closed shapes only.")
        corners = np.asarray(outline, np.float64)
        vertices = _ellipse(corners) if kind == "ellipse" else corners
        points = np.array([seen_in(vertex, shapes, low, dims) for vertex in vertices])
        z = None
        if shapes.ndim > 2 and low.ndim > 2:
            z = round(float(points[:, -3].mean()))
            if np.ptp(points[:, -3]) > 0.5:
                raise UserError(f"A shape in “{shapes.name}” goes through several slices; draw it within one.")
        regions.append(Region(tuple((float(y), float(x)) for y, x in points[:, -2:]), use, z))
    return tuple(regions)


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Return the outline of the ellipse in a rectangle given by its corners, in order."""
    centre, first, second = corners.mean(axis=0), corners[1] - corners[0], corners[3] - corners[0]
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    return np.asarray(centre + (np.cos(angle) * first + np.sin(angle) * second) / 2)


def shapes_of(regions: Sequence[Region], low: Image, slices: Sequence[int]) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Return the polygons of regions, and the options of the Shapes layer that lays them over the scan.

    It is 2-D where all regions count in all slices; else such a region is drawn on each of `slices`.
    """
    flat = low.ndim < 3 or all(region.low_slice is None for region in regions)
    polygons = []
    for region in regions:
        polygon = np.asarray(region.polygon, np.float64)
        if flat:
            polygons.append(polygon)
            continue
        for z in slices if region.low_slice is None else [region.low_slice]:
            polygons.append(np.column_stack([np.full(len(polygon), z), polygon]))
    return polygons, {"shape_type": "polygon", **placement(layer_geometry(low), 2 if flat else 3)}


def common_point(points: Points, low: Image, high: Image, dims: Dims) -> tuple[Triple, Triple]:
    """Return one place in voxels of either scan: the first point lies in the low-resolution one.

    Raises
    ------
    UserError
        If the layer does not hold two points.
    """
    if len(points.data) != 2:
        raise UserError(
            f"“{points.name}” holds {len(points.data)} points; it needs two: one place in “{low.name}”, then the same "
            f"in “{high.name}”."
        )
    first, second = points.data
    return _voxel(seen_in(first, points, low, dims)), _voxel(seen_in(second, points, high, dims))


def as_shown(low: Image, high: Image, dims: Dims) -> tuple[Triple, Triple]:
    """Return the middle of the low-resolution scan, and where the viewer shows it in the other."""
    shape = (low.data[0] if low.multiscale else low.data).shape
    middle = [(length - 1) / 2 for length in shape]
    return _voxel(np.asarray(middle)), _voxel(seen_in(middle, low, high, dims))


def _voxel(position: np.ndarray) -> Triple:
    z, y, x = [0.0, *position][-3:]
    return float(z), float(y), float(x)
