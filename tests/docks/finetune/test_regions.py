"""Shapes and points of the viewer as regions and a common point of the scans."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nanoct.docks.finetune.regions import as_shown, common_point, drawn_regions, shapes_of
from napari_nanoct.errors import UserError
from napari_nanoct.finetune.matching import allowed
from napari_nanoct.finetune.project import Region

SQUARE = np.array([[4.0, 6], [4, 20], [16, 20], [16, 6]])


@pytest.fixture
def viewer() -> ViewerModel:
    """A viewer with a low scan (6, 40, 50) of 80 nm and a high one of 40 nm that lies elsewhere."""
    viewer = ViewerModel()
    place = {"scale": (80, 80, 80), "translate": (800, 0, -160), "units": "nm"}
    viewer.add_image(np.zeros((6, 40, 50)), name="low", **place)
    viewer.add_image(np.zeros((12, 80, 100)), name="high", scale=(40, 40, 40), translate=(0, 0, 0), units="nm")
    return viewer


def test_a_shape_in_three_dimensions_counts_in_its_slice(viewer: ViewerModel) -> None:
    low = viewer.layers["low"]
    drawn = np.column_stack([np.full(4, 3.0), SQUARE])
    shapes = viewer.add_shapes([drawn], scale=low.scale, translate=low.translate, units="nm")
    (region,) = drawn_regions(shapes, low, viewer.dims, True)
    assert (region.use, region.low_slice) == (True, 3)
    np.testing.assert_allclose(region.polygon, SQUARE)


def test_a_flat_shape_counts_in_all_slices_and_in_its_own_unit(viewer: ViewerModel) -> None:
    low = viewer.layers["low"]
    micrometres = (SQUARE * 80 + (0, -160)) / 1000
    shapes = viewer.add_shapes([micrometres], shape_type="polygon", units="um")
    (region,) = drawn_regions(shapes, low, viewer.dims, False)
    assert (region.use, region.low_slice) == (False, None)
    np.testing.assert_allclose(region.polygon, SQUARE, atol=1e-9)


def test_an_ellipse_has_its_area(viewer: ViewerModel) -> None:
    low = viewer.layers["low"]
    shapes = viewer.add_shapes([SQUARE * 80 + (0, -160)], shape_type="ellipse", units="nm")
    mask = allowed(drawn_regions(shapes, low, viewer.dims, True), 0, (40, 50))
    assert mask.sum() == pytest.approx(np.pi * 6 * 7, rel=0.06)
    assert mask[10, 13]
    assert not mask[5, 7]


def test_what_encloses_nothing_is_refused(viewer: ViewerModel) -> None:
    low = viewer.layers["low"]
    lines = viewer.add_shapes([SQUARE[:2]], shape_type="line", name="scratch", units="nm")
    with pytest.raises(UserError, match="“scratch” holds a line"):
        drawn_regions(lines, low, viewer.dims, True)
    slanted = np.column_stack([[800.0, 800, 960, 960], SQUARE])
    through = viewer.add_shapes([slanted], shape_type="polygon", name="wall", units="nm")
    with pytest.raises(UserError, match="several slices"):
        drawn_regions(through, low, viewer.dims, True)
    assert drawn_regions(None, low, viewer.dims, True) == ()
    with pytest.raises(UserError, match="“nothing yet” holds no shape"):
        drawn_regions(viewer.add_shapes(name="nothing yet"), low, viewer.dims, True)
    assert drawn_regions(viewer.layers["nothing yet"], low, viewer.dims, False) == ()


@pytest.mark.parametrize("slices", [(None, None), (2, 4), (2, None)])
def test_regions_come_back_from_the_shapes_that_show_them(viewer: ViewerModel, slices: tuple) -> None:
    low = viewer.layers["low"]
    regions = [Region(tuple(map(tuple, SQUARE + 5 * i)), True, z) for i, z in enumerate(slices)]
    polygons, options = shapes_of(regions, low, [1, 2, 4])
    back = drawn_regions(viewer.add_shapes(polygons, **options), low, viewer.dims, True)
    for z in (1, 2, 4):
        np.testing.assert_array_equal(allowed(tuple(regions), z, (40, 50)), allowed(back, z, (40, 50)), f"slice {z}")


def test_common_point(viewer: ViewerModel) -> None:
    low, high = viewer.layers["low"], viewer.layers["high"]
    points = viewer.add_points([[960, 400, 80], [120, 200, 320]], name="marks", units="nm")
    one, other = common_point(points, low, high, viewer.dims)
    np.testing.assert_allclose(one, (2, 5, 3))
    np.testing.assert_allclose(other, (3, 5, 8))
    points.data = points.data[:1]
    with pytest.raises(UserError, match="“marks” holds 1 points; it needs two"):
        common_point(points, low, high, viewer.dims)


def test_layers_as_they_lie(viewer: ViewerModel) -> None:
    one, other = as_shown(viewer.layers["low"], viewer.layers["high"], viewer.dims)
    np.testing.assert_allclose(one, (2.5, 19.5, 24.5))
    np.testing.assert_allclose(other, (25, 39, 45))  # world (1000, 1560, 1800) nm
