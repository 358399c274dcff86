"""Zarr and OME-Zarr: formats, transformations, axes, and what is refused."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, OmeZarrWriter, Volume, open_volume
from napari_nanoct.volumes.omezarr_read import lazy_zarr

DATA = np.random.default_rng(0).integers(0, 60000, (20, 24, 30)).astype(np.uint16)
FORMATS = pytest.mark.parametrize("zarr_format", [2, 3])


def same(path: Path, data: np.ndarray = DATA) -> Volume:
    volume = open_volume(path)
    assert (volume.shape, volume.dtype) == (data.shape, data.dtype)
    np.testing.assert_array_equal(np.asarray(volume.data), data)
    return volume


def image(
    path: Path,
    zarr_format: int,
    names: str = "zyx",
    data: np.ndarray = DATA,
    units: str | None = "micrometer",
    **more: Any,
) -> zarr.Group:
    """An OME-Zarr of two levels; `more` goes into the multiscale."""
    group = zarr.create_group(path, zarr_format=zarr_format)
    group.create_array("0", data=data)
    group.create_array("1", data=np.ascontiguousarray(data[..., ::2, ::2]))
    kinds = {"t": "time", "c": "channel"}
    one = [1.0] * len(names)
    multiscale = {
        "axes": [
            {"name": a, "type": kinds.get(a, "space")} | ({"unit": units} if units and a in "zyx" else {})
            for a in names
        ],
        "datasets": [
            {"path": level, "coordinateTransformations": [{"type": "scale", "scale": one}]} for level in ("0", "1")
        ],
    } | more
    if zarr_format == 2:
        group.attrs["multiscales"] = [{"version": "0.4"} | multiscale]
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale]}
    return group


@FORMATS
def test_plain_array(tmp_path: Path, zarr_format: int) -> None:
    zarr.create_array(tmp_path / "v.zarr", data=DATA, chunks=(7, 10, 30), zarr_format=zarr_format)
    assert same(tmp_path / "v.zarr").geometry == Geometry()
    zarr.create_array(tmp_path / "w", data=DATA, zarr_format=zarr_format)
    same(tmp_path / "w")


@FORMATS
def test_leading_axes_of_length_one_are_dropped(tmp_path: Path, zarr_format: int) -> None:
    zarr.create_array(tmp_path / "v.zarr", data=DATA[None, None], zarr_format=zarr_format)
    same(tmp_path / "v.zarr")
    zarr.create_array(tmp_path / "w.zarr", data=np.stack([DATA, DATA]), zarr_format=zarr_format)
    with pytest.raises(UserError, match=r"w\.zarr: its shape .* has 4 dimensions"):
        open_volume(tmp_path / "w.zarr")


@FORMATS
def test_group_with_one_array_and_with_more(tmp_path: Path, zarr_format: int) -> None:
    group = zarr.create_group(tmp_path / "v.zarr", zarr_format=zarr_format)
    with pytest.raises(UserError, match=r"v\.zarr: the Zarr group holds no array"):
        open_volume(tmp_path / "v.zarr")
    group.create_array("tomo", data=DATA)
    same(tmp_path / "v.zarr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # consolidated metadata is not part of format 3
        zarr.consolidate_metadata(tmp_path / "v.zarr")
    # an array that was added after consolidation counts too
    zarr.open_group(tmp_path / "v.zarr", use_consolidated=False).create_array("mask", data=DATA)
    with pytest.raises(UserError, match=r"holds 2 parts \(mask, tomo\); open one of them, as .*mask"):
        open_volume(tmp_path / "v.zarr")
    same(tmp_path / "v.zarr" / "tomo")


@FORMATS
def test_transformations_of_every_level_are_composed(tmp_path: Path, zarr_format: int) -> None:
    scale, shift = {"type": "scale", "scale": [2.0, 0.5, 0.25]}, {"type": "translation", "translation": [1.0, 2.0, 3.0]}
    image(
        tmp_path / "v.zarr",
        zarr_format,
        datasets=[{"path": "0", "coordinateTransformations": [scale, shift]}, {"path": "1"}],
        coordinateTransformations=[
            {"type": "scale", "scale": [10.0, 10.0, 10.0]},
            {"type": "translation", "translation": [0.0, 5.0, 0.0]},
        ],
    )
    volume = same(tmp_path / "v.zarr")
    assert volume.geometry == Geometry((20, 5, 2.5), (10, 25, 30), "micrometer")
    assert [level.shape for level in volume.levels] == [(20, 24, 30), (20, 12, 15)]


@FORMATS
def test_units(tmp_path: Path, zarr_format: int) -> None:
    image(tmp_path / "none.zarr", zarr_format, units=None)
    assert same(tmp_path / "none.zarr").geometry == Geometry()
    axes = [
        {"name": n, "type": "space", "unit": u}
        for n, u in zip("zyx", ("micrometer", "nanometer", "nanometer"), strict=True)
    ]
    steps = [{"type": "scale", "scale": [0.1, 50, 50]}, {"type": "translation", "translation": [1, 50, 50]}]
    image(tmp_path / "two.zarr", zarr_format, axes=axes, datasets=[{"path": "0", "coordinateTransformations": steps}])
    assert same(tmp_path / "two.zarr").geometry == Geometry((100, 50, 50), (1000, 50, 50), "nanometer")


@FORMATS
def test_time_and_channel_axes(tmp_path: Path, zarr_format: int) -> None:
    image(tmp_path / "v.zarr", zarr_format, "tczyx", DATA[None, None])
    assert same(tmp_path / "v.zarr").geometry.unit == "micrometer"
    image(tmp_path / "c.zarr", zarr_format, "czyx", np.stack([DATA, DATA]))
    with pytest.raises(UserError, match=r"c\.zarr: it has 2 channels"):
        open_volume(tmp_path / "c.zarr")
    image(tmp_path / "t.zarr", zarr_format, "tyx", DATA)
    with pytest.raises(UserError, match=r"t\.zarr: it has 20 time points"):
        open_volume(tmp_path / "t.zarr")


@FORMATS
def test_one_slice(tmp_path: Path, zarr_format: int) -> None:
    step = {"type": "scale", "scale": [0.5, 0.5]}
    image(
        tmp_path / "v.zarr", zarr_format, "yx", DATA[0], datasets=[{"path": "0", "coordinateTransformations": [step]}]
    )
    volume = same(tmp_path / "v.zarr", DATA[:1])
    assert volume.geometry == Geometry((0.5, 0.5, 0.5), unit="micrometer")
    assert "taken to be that of y, 0.5 µm" in volume.metadata["assumed"][0]


def test_old_axes_and_display_window(tmp_path: Path) -> None:
    group = image(tmp_path / "v.zarr", 2)
    group.attrs["multiscales"] = [{"version": "0.3", "axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}]
    group.attrs["omero"] = {"channels": [{"window": {"start": 3, "end": 9}}]}
    assert same(tmp_path / "v.zarr").metadata["contrast"] == (3.0, 9.0)


def test_an_image_inside_a_group(tmp_path: Path) -> None:
    zarr.create_group(tmp_path / "v.zarr", attributes={"ome": {"version": "0.5", "bioformats2raw.layout": 3}})
    (zarr.open_group(tmp_path / "v.zarr")).create_group("OME")
    image(tmp_path / "v.zarr" / "0", 3)
    assert same(tmp_path / "v.zarr").geometry.unit == "micrometer"


@FORMATS
def test_what_is_refused(tmp_path: Path, zarr_format: int) -> None:
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "affine": ({"coordinateTransformations": [{"type": "affine", "affine": []}]}, "of type 'affine' is not read"),
        "path": ({"coordinateTransformations": [{"type": "scale", "path": "s"}]}, "of type 'scale' is not read"),
        "short": ({"coordinateTransformations": [{"type": "scale", "scale": [1, 1]}]}, "metadata is damaged"),
        "zero": ({"coordinateTransformations": [{"type": "scale", "scale": [1, 0, 1]}]}, "three positive numbers"),
        "level": ({"datasets": [{"path": "0"}, {"path": "7"}]}, "level '7' of the pyramid is missing"),
        "axes": ({"axes": [{"name": n} for n in "xyz"]}, r"its axes \(x, y, z\) do not end with z, y, x"),
        "none": ({"datasets": []}, "metadata is damaged"),
    }
    for name, (more, sentence) in cases.items():
        image(tmp_path / name, zarr_format, **more)
        with pytest.raises(UserError, match=f"{name}: .*{sentence}"):
            open_volume(tmp_path / name)


def test_damaged_metadata(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    image(tmp_path / "cut.zarr", 3)
    mark = tmp_path / "cut.zarr" / "zarr.json"
    mark.write_text(mark.read_text()[:-20])
    image(tmp_path / "odd.zarr", 3).attrs["ome"] = {"multiscales": 3}
    for name in ("empty", "cut", "odd"):
        with pytest.raises(UserError, match=rf"{name}\.zarr: its Zarr metadata is damaged or incomplete"):
            open_volume(tmp_path / f"{name}.zarr")


def test_a_flipped_bit_is_noticed_and_the_array_named(tmp_path: Path) -> None:
    writer = OmeZarrWriter(tmp_path / "v.zarr", shape=DATA.shape, dtype=DATA.dtype, geometry=Geometry())
    writer.write(0, DATA[:16])
    writer.write(16, DATA[16:])
    writer.finish({})
    shard = tmp_path / "v.zarr" / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 4] ^= 1
    shard.write_bytes(content)
    volume = open_volume(tmp_path / "v.zarr")
    np.testing.assert_array_equal(np.asarray(volume.data[16:]), DATA[16:])
    with pytest.raises(UserError, match=r"v\.zarr/0: a block is damaged or unreadable"):
        volume.data[:16].compute()


@pytest.mark.parametrize(
    ("shape", "chunks", "shards", "expected"),
    [
        ((100, 512, 512), (8, 256, 256), (16, 512, 512), (16, 512, 512)),
        ((100, 512, 512), (1, 512, 512), None, (16, 512, 512)),
        ((100, 512, 512), (7, 512, 512), None, (21, 512, 512)),
        ((300, 512, 512), (16, 256, 256), (128, 512, 512), (128, 512, 512)),
        # whole shards would be too large in memory: whole chunks, then parts of slices
        ((300, 2048, 2048), (16, 256, 256), (128, 1024, 1024), (16, 2048, 2048)),
        ((600, 2048, 2048), (512, 512, 512), None, (512, 512, 512)),
    ],
)
def test_blocks_are_made_of_whole_stored_ones(
    shape: tuple[int, ...], chunks: tuple[int, ...], shards: tuple[int, ...] | None, expected: tuple[int, ...]
) -> None:
    array = zarr.create_array({}, shape=shape, dtype=np.uint16, chunks=chunks, shards=shards)
    assert lazy_zarr(array).chunksize == expected
