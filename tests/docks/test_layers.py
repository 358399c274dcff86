"""Layers become volumes; what cannot become one is refused in a sentence."""

from __future__ import annotations

import dask.array as da
import h5py
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points, Shapes

from napari_nanoct.docks import layers
from napari_nanoct.errors import UserError

DATA = np.arange(4 * 6 * 8, dtype=np.uint16).reshape(4, 6, 8)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (None, "no image layer"),
        (Image(np.zeros((4, 6, 3), np.uint8), name="photo", rgb=True), "“photo” is RGB"),
        (Image(np.zeros((2, 4, 6, 8)), name="series"), "4 axes (2, 4, 6, 8)"),
        (Image(DATA, name="turned", rotate=(0, 0, 30)), "“turned” is rotated"),
        (Image(DATA, name="leaning", shear=[0.1, 0, 0]), "rotated, sheared or mirrored"),
        (Image(DATA, name="swapped", affine=np.eye(4)[[0, 2, 1, 3]]), "rotated, sheared or mirrored"),
        (Image(DATA, name="upside down", affine=np.diag([1, -1, 1, 1.0])), "rotated, sheared or mirrored"),
        (Image(DATA, name="mirrored", scale=(1, -1, 1)), "rotated, sheared or mirrored"),
        (Labels(DATA, name="grains"), "“grains” is a Labels layer"),
        (Points(np.zeros((1, 3)), name="spots"), "“spots” is a Points layer"),
    ],
)
def test_refused_layers(layer: object, words: str) -> None:
    with pytest.raises(UserError) as refusal:
        layers.layer_volume(layer)
    text = str(refusal.value)
    assert words in text
    assert "\n" not in text


def _zarr(tmp_path) -> zarr.Array:
    array = zarr.create_array(tmp_path / "a.zarr", shape=DATA.shape, dtype=DATA.dtype, chunks=(2, 6, 8))
    array[:] = DATA
    return array


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "multiscale", "2-D", "singleton", "big-endian", "bool"])
def test_kinds_of_data(kind: str, tmp_path) -> None:
    data, expected = {
        "numpy": lambda: (DATA, DATA),
        "dask": lambda: (da.from_array(DATA, chunks=(2, 3, 4)), DATA),
        "zarr": lambda: (_zarr(tmp_path), DATA),
        "multiscale": lambda: ([DATA, DATA[:, ::2, ::2]], DATA),
        "2-D": lambda: (DATA[1], DATA[1:2]),
        "singleton": lambda: (DATA[None, None], DATA),
        "big-endian": lambda: (DATA.astype(">u2"), DATA),
        "bool": lambda: (DATA > 90, (DATA > 90).astype(np.uint8)),
    }[kind]()
    volume = layers.layer_volume(Image(data, multiscale=kind == "multiscale"))
    assert volume.data.dtype == expected.dtype
    assert volume.data.dtype.isnative
    np.testing.assert_array_equal(volume.data.compute(), expected)
    assert len(volume.levels) == (2 if kind == "multiscale" else 1)


def test_geometry_is_the_layers() -> None:
    layer = Image(DATA, scale=(0.05, 40, 40), translate=(1, 100, 200), units=("um", "nm", "nm"))
    geometry = layers.layer_volume(layer).geometry
    assert geometry.unit == "nanometer"
    np.testing.assert_allclose(geometry.voxel_size, (50, 40, 40))
    np.testing.assert_allclose(geometry.origin, (1000, 100, 200))
    assert layers.layer_geometry(Image(DATA)).unit == "pixel"
    flat = layers.layer_geometry(Image(DATA[0], scale=(3, 2), translate=(5, 7)))
    assert flat.voxel_size == (3, 3, 2)
    assert flat.origin == (0, 5, 7)


def test_an_affine_that_only_moves_and_stretches_counts() -> None:
    """As napari-ome-zarr places its layers."""
    matrix = np.diag([1, 2, 3, 1.0])
    matrix[:3, 3] = 10, 20, 30
    layer = Image(DATA, scale=(5, 4, 4), translate=(1, 2, 3), affine=matrix)
    geometry = layers.layer_volume(layer).geometry
    assert geometry.voxel_size == (5, 8, 12)
    assert geometry.origin == tuple(layer.data_to_world((0, 0, 0))) == (11, 24, 39)


def test_file_counts_only_while_it_holds_what_the_layer_shows(tmp_path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, DATA)
    layer = Image(DATA.copy(), metadata={"source": str(path)})
    assert layers.layer_file(layers.layer_volume(layer)) == str(path)
    layer.data = DATA + 1
    assert layers.layer_file(layers.layer_volume(layer)) is None
    layer.data = DATA[:, :5]
    assert layers.layer_file(layers.layer_volume(layer)) is None
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/data"], file["entry/other"] = DATA, DATA + 1
    inside = Image(DATA, metadata={"source": f"{tmp_path}/a.h5/entry/data"})
    assert layers.layer_file(layers.layer_volume(inside)) == str(tmp_path / "a.h5" / "entry" / "data")
    gone = Image(DATA, metadata={"source": str(tmp_path / "gone.npy")})
    assert layers.layer_file(layers.layer_volume(gone)) is None
    assert layers.layer_file(layers.layer_volume(Image(DATA))) is None


@pytest.mark.parametrize("scale", [(1, 1, 1), (50, 40, 40)])
@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_current_slice(scale: tuple, order: tuple) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(DATA, scale=scale, translate=(100, 0, 0), units="nm")
    viewer.dims.order = order
    for z in range(4):
        viewer.dims.set_current_step(0, z)
        assert layers.current_slice(layer, viewer.dims, 4) == z


def test_current_slice_where_units_mix() -> None:
    viewer = ViewerModel()
    coarse = viewer.add_image(DATA, scale=(0.05, 0.04, 0.04), units="um")
    viewer.add_image(DATA, scale=(50, 40, 40), units="nm")
    viewer.dims.set_current_step(0, 2)
    assert layers.current_slice(coarse, viewer.dims, 4) == 2


def test_views_without_a_slice_say_what_to_do() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(DATA)
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(UserError, match="roll button"):
        layers.current_slice(layer, viewer.dims, 4)
    viewer.dims.order = (0, 1, 2)
    viewer.dims.ndisplay = 3
    with pytest.raises(UserError, match="2D view"):
        layers.current_slice(layer, viewer.dims, 4)
    viewer.dims.ndisplay = 2
    viewer.add_image(np.zeros((40, 6, 8)))
    viewer.dims.set_current_step(0, 30)
    with pytest.raises(UserError, match="outside"):
        layers.current_slice(layer, viewer.dims, 4)


@pytest.mark.parametrize("units", ["nm", "um"])
def test_crop_is_the_box_around_the_shape(units: str) -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(DATA, scale=(2, 2, 2), translate=(0, 10, 20), units="nm")
    factor = 1 if units == "nm" else 1e-3
    # pixels are 2 nm wide, centred at 10, 12, ...: from 13.2 to 17.5 lie parts of the rows 2 (13..15), 3 and 4 (17..19)
    corners = np.array([[0, 13.2, 23.5], [0, 13.2, 27], [0, 17.5, 27], [0, 17.5, 23.5]])
    shapes = viewer.add_shapes([corners], scale=[factor] * 3, units=units)
    assert isinstance(shapes, Shapes)
    assert layers.shape_crop(shapes, layer, viewer.dims) == (2, 5, 2, 4)


def test_crop_ends_at_the_image_and_needs_a_shape_over_it() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(DATA)
    shapes = viewer.add_shapes([[[-9, -9], [-9, 99], [99, 99], [99, -9]], [[50, 50], [50, 60], [60, 60], [60, 50]]])
    with pytest.raises(UserError, match="beside"):
        layers.shape_crop(shapes, layer, viewer.dims)
    shapes.selected_data = {0}
    assert layers.shape_crop(shapes, layer, viewer.dims) == (0, 6, 0, 8)
    for nothing in (None, viewer.add_shapes()):
        with pytest.raises(UserError, match="no rectangle"):
            layers.shape_crop(nothing, layer, viewer.dims)


def test_output_is_beside_the_file_or_in_the_home(tmp_path) -> None:
    path = tmp_path / "NMC 811.ome.tif"
    path.touch()
    near = layers.suggested_output(Image(DATA, metadata={"source": str(path)}), "utsr-light-x1")
    assert near == str(tmp_path / "NMC 811-utsr-light-x1.ome.zarr")
    (tmp_path / "scan.nxs").touch()
    dataset = layers.suggested_output(Image(DATA, metadata={"source": f"{tmp_path}/scan.nxs/entry/data"}), "x")
    assert dataset == str(tmp_path / "scan-x.ome.zarr")
    home = layers.suggested_output(Image(DATA, name="a/b: c"), "x")
    assert home == str(layers.Path.home() / "a_b_ c-x.ome.zarr")
