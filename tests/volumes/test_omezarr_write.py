"""Writing OME-Zarr: what is on disk, at which place, under which name, and when."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, OmeZarrWriter, open_volume
from napari_nanoct.volumes.pyramid import mean_by, pyramid_plan

GEOMETRY = Geometry((50.0, 25.0, 25.0), (100.0, -200.0, 12.5), "nanometer")


def random(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 200, shape).astype(dtype)


def write(path: Path, data: np.ndarray, geometry: Geometry = GEOMETRY, overwrite: bool = False, **more: Any) -> Path:
    writer = OmeZarrWriter(path, shape=data.shape, dtype=data.dtype, geometry=geometry, overwrite=overwrite)
    for z in range(0, len(data), 16):
        writer.write(z, data[z : z + 16])
    return writer.finish({"model": "utsr-light"}, **more)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "float16", "float32", "float64"])
def test_round_trip(tmp_path: Path, dtype: str) -> None:
    data = random((37, 61, 300), dtype)
    volume = open_volume(write(tmp_path / "v.ome.zarr", data))
    assert (volume.shape, volume.dtype, volume.geometry, volume.name) == (data.shape, data.dtype, GEOMETRY, "v")
    assert volume.metadata["nanoct"] == {"model": "utsr-light", "status": "complete"}
    np.testing.assert_array_equal(np.asarray(volume.data), data)


@pytest.mark.parametrize(("level", "place"), [("0", "c/1/0/0"), ("0", "c/2/0/0"), ("1", "c/0/0/0")])
def test_a_volume_copied_in_part_is_not_read_as_zeros(tmp_path: Path, level: str, place: str) -> None:
    path = write(tmp_path / "v.ome.zarr", random((37, 20, 300)))
    (path / level / place).unlink()
    with pytest.raises(UserError, match=rf"1 of the \d files of its level '{level}' are missing; copy"):
        open_volume(path)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 40), st.integers(1, 300), st.integers(1, 700))
def test_any_size(tmp_path_factory: pytest.TempPathFactory, depth: int, height: int, width: int) -> None:
    data = random((depth, height, width), "uint8")
    volume = open_volume(write(tmp_path_factory.mktemp("any") / "v.zarr", data))
    np.testing.assert_array_equal(np.asarray(volume.data), data)
    expected, geometry = data, GEOMETRY
    plan = pyramid_plan(data.shape, GEOMETRY)
    assert len(volume.levels) == len(plan) + 1
    for factors, level in zip(plan, volume.levels[1:], strict=True):
        expected, geometry = mean_by(expected, factors), geometry.coarsened(factors)
        np.testing.assert_array_equal(np.asarray(level), expected)


def test_layout_on_disk(tmp_path: Path) -> None:
    data = random((20, 300, 1100))
    root = zarr.open_group(write(tmp_path / "v.zarr", data), mode="r")
    array = root["0"]
    assert isinstance(array, zarr.Array)
    assert (array.chunks, array.shards) == ((8, 256, 256), (16, 512, 1024))
    stored = json.loads((tmp_path / "v.zarr" / "0" / "zarr.json").read_text())
    assert stored["dimension_names"] == ["z", "y", "x"]
    codecs = stored["codecs"][0]["configuration"]["codecs"]
    assert [codec["name"] for codec in codecs] == ["bytes", "blosc", "crc32c"]
    assert codecs[1]["configuration"] | {"cname": "zstd", "shuffle": "bitshuffle"} == codecs[1]["configuration"]
    # two shards in depth, one in y, two in x: also where a whole chunk holds zeros
    assert len([p for p in (tmp_path / "v.zarr" / "0" / "c").rglob("*") if p.is_file()]) == 4
    write(tmp_path / "zeros.zarr", np.zeros((20, 300, 1100), np.uint8))
    assert len([p for p in (tmp_path / "zeros.zarr" / "0" / "c").rglob("*") if p.is_file()]) == 4


def test_nothing_empties_the_coarser_levels_of_nan(tmp_path: Path) -> None:
    data = random((4, 300, 300), "float32")
    data[:, :100, :101] = np.nan
    level = np.asarray(open_volume(write(tmp_path / "v.zarr", data)).levels[1])
    assert np.isnan(level[:, :50, :50]).all()
    assert np.isfinite(level[:, 50:]).all()
    assert np.isfinite(level[:, :, 50:]).all()


def test_metadata_is_valid_ome_zarr(tmp_path: Path) -> None:
    """The rules of OME-Zarr 0.5 for a multiscale image, as its text states them."""
    path = write(tmp_path / "v.ome.zarr", random((20, 600, 600)), contrast=(10, 190))
    ome: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    assert multiscale["axes"] == [{"name": n, "type": "space", "unit": "nanometer"} for n in "zyx"]
    steps = [d["coordinateTransformations"] for d in multiscale["datasets"]] + [multiscale["coordinateTransformations"]]
    for scale, translation in steps:
        assert (scale["type"], translation["type"]) == ("scale", "translation")
        assert len(scale["scale"]) == len(translation["translation"]) == 3
    assert [d["path"] for d in multiscale["datasets"]] == ["0", "1", "2"]
    (channel,) = ome["omero"]["channels"]
    assert channel["window"] == {"start": 10.0, "end": 190.0, "min": 0.0, "max": 65535.0}
    assert open_volume(path).metadata["contrast"] == (10.0, 190.0)


def test_every_level_starts_at_the_same_outer_corner(tmp_path: Path) -> None:
    path = write(tmp_path / "v.ome.zarr", random((20, 600, 600)))
    (multiscale,) = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]["multiscales"]
    volume = open_volume(path)
    place = np.array(multiscale["coordinateTransformations"][1]["translation"])
    for dataset, level in zip(multiscale["datasets"], volume.levels, strict=True):
        scale, shift = dataset["coordinateTransformations"]
        geometry = Geometry(tuple(scale["scale"]), tuple(np.array(shift["translation"]) + place), "nanometer")
        assert geometry.corners(level.shape) == volume.geometry.corners(volume.shape)


@pytest.mark.parametrize("unit", ["nanometer", "pixel"])
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_napari_ome_zarr_shows_it_over_the_input(tmp_path: Path, factor: int, unit: str) -> None:
    """A crop of the input, enlarged: both layers, by two readers each, have their corners at the same places."""
    whole = Geometry((50.0, 25.0, 20.0), (100.0, -200.0, 12.5), unit)
    start, shape = (3, 40, 60), (18, 150, 170)
    crop = whole.cropped(*start)
    source = write(tmp_path / "in.ome.zarr", random(shape), crop)
    larger = (shape[0], factor * shape[1], factor * shape[2])
    enlarged = write(tmp_path / "out.ome.zarr", random(larger), crop.enlarged(factor), contrast=(0, 200))

    low = [t + s * (n - 0.5) for t, s, n in zip(whole.origin, whole.voxel_size, start, strict=True)]
    high = [a + s * n for a, s, n in zip(low, whole.voxel_size, shape, strict=True)]
    for path in (source, enlarged):
        volume = open_volume(path)
        np.testing.assert_allclose(volume.geometry.corners(volume.shape), (low, high))
        corners, units = napari_corners(path)
        np.testing.assert_allclose(corners, (low, high))
        assert set(units) == {unit}


def napari_corners(path: Path) -> tuple[list[np.ndarray], list[str]]:
    """Outer corners and units of the layer that napari makes of what napari-ome-zarr reads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(napari_ome_zarr|napari|npe2|pydantic)\b.*")
        from napari.layers import Layer
        from napari_ome_zarr import napari_get_reader

        reader = napari_get_reader(str(path))
        ((data, meta, kind),) = reader(str(path))
        layer = Layer.create(data, meta, kind)
        shape = np.array(data[0].shape)
        corners = [np.asarray(layer.data_to_world(place)) for place in (-0.5 * np.ones(3), shape - 0.5)]
        return corners, [str(unit) for unit in layer.units]


def test_half_written_volumes_are_marked_and_refused(tmp_path: Path) -> None:
    data = random((20, 30, 40))
    writer = OmeZarrWriter(tmp_path / "v.zarr", shape=data.shape, dtype=data.dtype, geometry=GEOMETRY)
    writer.write(0, data[:16])
    with pytest.raises(ValueError, match=r"slabs at slices \[16\] were not written"):
        writer.finish({})
    writer.abandon()
    assert not (tmp_path / "v.zarr").exists()
    with pytest.raises(UserError, match=r"v\.zarr\.partial: it is half-written"):
        open_volume(tmp_path / "v.zarr.partial")
    (tmp_path / "v.zarr.partial").rename(tmp_path / "renamed.zarr")
    with pytest.raises(UserError, match=r"renamed\.zarr: it is half-written"):
        open_volume(tmp_path / "renamed.zarr")


def test_a_failure_in_the_pyramid_leaves_the_marked_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import napari_nanoct.volumes.omezarr_write as module

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_coarsen", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "v.zarr", random((4, 300, 300)))
    assert not (tmp_path / "v.zarr").exists()
    with pytest.raises(UserError, match="half-written"):
        open_volume(tmp_path / "v.zarr.partial")


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert open_volume(write(tmp_path / "a" / "b" / "v.zarr", random((1, 3, 4)))).shape == (1, 3, 4)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        write(tmp_path / "file" / "v.zarr", random((1, 3, 4)))


def test_slabs_that_do_not_fit(tmp_path: Path) -> None:
    data = random((40, 30, 40))
    writer = OmeZarrWriter(tmp_path / "v.zarr", shape=data.shape, dtype=data.dtype, geometry=GEOMETRY)
    for z0, slab in [(8, data[8:24]), (0, data[:8]), (32, data[:16]), (48, data[:0]), (0, data[:16, :29])]:
        with pytest.raises(ValueError, match="a slab starts at a multiple of 16"):
            writer.write(z0, slab)
    with pytest.raises(ValueError, match="a slab starts at a multiple of 16"):
        writer.write(0, data[:16].astype(np.float32))
    writer.abandon()
    with pytest.raises(ValueError, match="already finished or abandoned"):
        writer.write(0, data[:16])
