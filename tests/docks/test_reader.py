"""The reader, the sample data and the manifest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
from npe2 import PluginManager, PluginManifest

import napari_nanoct
from napari_nanoct.docks import reader
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, OmeZarrWriter, intensity_range, open_volume

MANIFEST = Path(napari_nanoct.__file__).with_name("napari.yaml")


def _write(kind: str, folder: Path, tomogram: np.ndarray) -> Path:
    path = (
        folder
        / {"folder": "slices", "tif": "a.tif", "TIFF": "a.TIFF", "npy": "a.npy", "h5": "a.h5", "zarr": "a.ome.zarr"}[
            kind
        ]
    )
    if kind == "folder":
        path.mkdir()
        for z, plane in enumerate(tomogram):
            tifffile.imwrite(path / f"slice_{z}.tif", plane)
    elif kind in ("tif", "TIFF"):
        tifffile.imwrite(path, tomogram)
    elif kind == "npy":
        np.save(path, tomogram)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["data"] = tomogram
    else:
        geometry = Geometry((50, 40, 40), (500, 0, -80), "nanometer")
        writer = OmeZarrWriter(path, shape=tomogram.shape, dtype=tomogram.dtype, geometry=geometry)
        writer.write(0, tomogram)
        writer.finish({})
    return path


@pytest.mark.parametrize("kind", ["folder", "tif", "TIFF", "npy", "h5", "zarr"])
def test_viewer_opens_every_kind(kind: str, make_napari_viewer: Callable, tomogram: np.ndarray, tmp_path: Path) -> None:
    tomogram = np.tile(tomogram, (1, 8, 8)) if kind == "zarr" else tomogram  # large enough for a pyramid
    path = _write(kind, tmp_path, tomogram)
    viewer = make_napari_viewer()
    (layer,) = viewer.open(path, plugin="napari-nanoct")
    finest = layer.data[0] if layer.multiscale else layer.data
    assert isinstance(finest, da.Array)
    np.testing.assert_array_equal(finest.compute(), tomogram)
    limits = intensity_range(open_volume(path))
    assert tuple(layer.contrast_limits) == (limits.low, limits.high)
    assert layer.axis_labels == ("z", "y", "x")
    assert layer.metadata["source"] == (f"{path}/data" if kind == "h5" else str(path))
    if kind == "zarr":
        assert layer.multiscale
        assert tuple(layer.scale) == (50, 40, 40)
        assert tuple(layer.translate) == (500, 0, -80)
        assert tuple(map(str, layer.units)) == ("nanometer",) * 3


def test_hdf5_that_does_not_say_what_to_show_is_a_layer_for_each_volume(tmp_path: Path, tomogram: np.ndarray) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["first"], file["second"] = tomogram, tomogram // 2
    assert [options["metadata"]["source"] for _, options, _ in reader.read(str(path))] == [
        f"{path}/first",
        f"{path}/second",
    ]
    assert [options["name"] for _, options, _ in reader.read(str(path))] == ["a first", "a second"]
    assert [options["metadata"]["source"] for _, options, _ in reader.read(f"{path}/first")] == [f"{path}/first"]


def test_of_several_volumes_those_that_can_be_read_are_opened(tmp_path: Path, tomogram: np.ndarray) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["first"] = tomogram
        for name in ("begun", "never"):
            file.create_dataset(name, tomogram.shape, "u2")
    assert [options["name"] for _, options, _ in reader.read(str(path))] == ["a first"]
    with h5py.File(path, "a") as file:
        del file["first"]
    with pytest.raises(UserError, match="nothing was ever written to its dataset /never"):
        reader.read(str(path))


def test_what_is_not_a_tomogram_is_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert reader.get_reader(str(tmp_path)) is None
    assert reader.get_reader(str(tmp_path / "notes.txt")) is None
    assert reader.get_reader([str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]) is None
    assert reader.get_reader(str(tmp_path / "a.tif")) is reader.read


@pytest.mark.parametrize("key", ["phantom-low", "phantom-high"])
def test_sample_data(key: str, make_napari_viewer: Callable) -> None:
    viewer = make_napari_viewer()
    (layer,) = viewer.open_sample("napari-nanoct", key)
    assert layer.data.shape == (48, 384, 384)
    assert layer.data.dtype == np.uint16
    assert layer.name == key.replace("-", " ")
    assert {str(unit) for unit in layer.units} == {"nanometer"}
    assert np.all(np.asarray(layer.scale) == 40)


def test_samples_are_one_sample_in_the_same_grey_values() -> None:
    from napari_nanoct.docks.samples import phantom_high, phantom_low

    ((low, low_options, _),), ((high, high_options, _),) = phantom_low(), phantom_high()
    assert np.corrcoef(low[::8].ravel(), high[::8].ravel())[0, 1] > 0.9
    assert abs(np.median(low[::8].astype(float)) - np.median(high[::8])) < 0.1 * np.ptp(high_options["contrast_limits"])
    assert low_options["scale"] == high_options["scale"]


def test_manifest_is_valid_and_every_command_exists() -> None:
    manifest = PluginManifest.from_file(MANIFEST)
    manifest.validate_imports()
    assert manifest.name == "napari-nanoct"
    manager = PluginManager()
    manager.register(manifest)
    (found,) = manager.iter_compatible_readers(["scan.tif"])
    assert found.command == "napari-nanoct.read"


def test_reading_the_manifest_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom npe2 import PluginManifest\nbefore = set(sys.modules)\n"
        f"PluginManifest.from_file({str(MANIFEST)!r})\nimport napari_nanoct.docks.reader\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "napari", "dask", "zarr", "qtpy", "PyQt6", "skimage"} & set(found.stdout.split())


def test_dock_opens_from_the_layers_menu(make_napari_viewer: Callable) -> None:
    from napari._app_model import get_app_model

    viewer = make_napari_viewer()
    entries = [item.command.id for item in get_app_model().menus.get_menu("napari/layers/filter")]
    assert "napari-nanoct.enhance" in entries
    get_app_model().commands.execute_command("napari-nanoct.enhance")
    assert [type(dock).__name__ for dock in viewer.window.dock_widgets.values()] == ["EnhanceDock"]
