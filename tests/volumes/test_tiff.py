"""TIFF files and folders: what is read, and what is refused in which words."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, open_volume

DATA = np.random.default_rng(0).integers(0, 60000, (37, 24, 30)).astype(np.uint16)


def same(path: Path, data: np.ndarray) -> None:
    volume = open_volume(path)
    assert volume.shape == data.shape
    assert volume.dtype == data.dtype
    np.testing.assert_array_equal(np.asarray(volume.data), data)
    np.testing.assert_array_equal(np.asarray(volume.data[-1]), data[-1])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float16", "float32", "float64"])
def test_types(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "v.tif", DATA.astype(dtype))
    same(tmp_path / "v.tif", DATA.astype(dtype))


@pytest.mark.parametrize(
    "how",
    [
        {"bigtiff": True},
        {"byteorder": ">"},
        {"byteorder": ">", "compression": "zlib"},
        {"compression": "lzw"},
        {"compression": "zstd", "predictor": True},
        {"tile": (16, 16)},
        {"rowsperstrip": 5},
        {"imagej": True},
        {"ome": True},
        {"metadata": None},
        {"photometric": "minisblack", "metadata": {"axes": "ZYX"}},
        {"imagej": True, "metadata": {"axes": "TYX"}},
    ],
    ids=str,
)
def test_ways_of_writing(tmp_path: Path, how: dict[str, Any]) -> None:
    tifffile.imwrite(tmp_path / "v.tif", DATA, **how)
    same(tmp_path / "v.tif", DATA)


def test_pages_written_one_by_one(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        for plane in DATA:
            tif.write(plane, compression="zlib", contiguous=False)
    same(tmp_path / "v.tif", DATA)


def test_one_page_is_one_slice(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", DATA[0])
    same(tmp_path / "v.tif", DATA[:1])


def test_reduced_copies_are_left_aside(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        tif.write(DATA[0])
        tif.write(DATA[0, ::2, ::2], subfiletype=1)
    same(tmp_path / "v.tif", DATA[:1])


def test_geometry_is_passed_on(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "v.tif",
        DATA,
        imagej=True,
        resolution=(20, 20),
        metadata={"spacing": 0.1, "unit": "um", "axes": "ZYX"},
    )
    volume = open_volume(tmp_path / "v.tif")
    assert volume.geometry == Geometry((0.1, 0.05, 0.05), unit="micrometer")
    assert "assumed" not in volume.metadata


@pytest.mark.parametrize(
    ("data", "how", "sentence"),
    [
        (np.zeros((8, 9, 3), np.uint8), {}, "it is a colour picture .3 values a pixel.; convert it to grey values"),
        (np.zeros((2, 8, 9, 3), np.uint8), {"photometric": "rgb"}, "colour picture"),
        (np.zeros((3, 8, 9), np.uint8), {"photometric": "rgb", "planarconfig": "separate"}, "colour picture"),
        (np.zeros((2, 3, 8, 9), np.uint8), {"photometric": "minisblack"}, r"it has 4 dimensions \(2, 3, 8, 9\)"),
        (np.zeros((2, 3, 8, 9), np.uint8), {"imagej": True, "metadata": {"axes": "ZCYX"}}, "4 dimensions"),
        (np.zeros((3, 8, 9), np.uint8), {"imagej": True, "metadata": {"axes": "CYX"}}, "it has 3 channels"),
        (np.zeros((8, 9), np.complex64), {}, "complex64 are not grey values"),
    ],
)
def test_what_is_no_grey_volume(tmp_path: Path, data: np.ndarray, how: dict[str, Any], sentence: str) -> None:
    tifffile.imwrite(tmp_path / "v.tif", data, **how)
    with pytest.raises(UserError, match=sentence) as caught:
        open_volume(tmp_path / "v.tif")
    assert str(caught.value).startswith(f"{tmp_path / 'v.tif'}: ")


def test_pages_of_which_some_are_compressed_stay_in_order(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        for number, plane in enumerate(DATA[:8]):
            tif.write(plane, contiguous=False, metadata=None, compression="zlib" if number % 2 else None)
    same(tmp_path / "v.tif", DATA[:8])


def test_pages_that_differ(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "v.tif") as tif:
        tif.write(DATA[0])
        tif.write(DATA[0, :7])
    with pytest.raises(UserError, match=r"v\.tif: its pages differ \(24 x 30 uint16 and 7 x 30 uint16\)"):
        open_volume(tmp_path / "v.tif")


@pytest.mark.parametrize(
    "how", [{}, {"bigtiff": True}, {"compression": "zlib"}, {"imagej": True}, {"ome": True}], ids=str
)
@pytest.mark.parametrize("kept", [0.005, 0.1, 0.5, 0.9])
def test_files_that_are_cut_short(tmp_path: Path, how: dict[str, Any], kept: float) -> None:
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, DATA, **how)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(UserError, match=r"v\.tif: it is damaged or cut short; copy it again from where it came\.$"):
        open_volume(path)


@pytest.mark.parametrize("content", [b"", b"II", b"nothing that anybody knows", b"\x89PNG\r\n\x1a\n" * 9])
def test_files_of_another_kind(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.tif").write_bytes(content)
    with pytest.raises(UserError, match=r"v\.tif: it is (no TIFF file|damaged)"):
        open_volume(tmp_path / "v.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_file_cut_short_after_it_was_opened(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, DATA, compression=compression)
    volume = open_volume(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"v\.tif: it is damaged or cut short"):
        volume.data[-1].compute()


def write_folder(folder: Path, numbers: range | list[int], data: np.ndarray = DATA, digits: int = 1) -> None:
    folder.mkdir()
    for n in numbers:
        tifffile.imwrite(folder / f"slice_{n:0{digits}}.tif", data[n % len(data)])


def test_folder_in_natural_order(tmp_path: Path) -> None:
    write_folder(tmp_path / "scan", range(37))
    (tmp_path / "scan" / "notes.txt").write_text("not a slice")
    (tmp_path / "scan" / "._slice_3.tif").write_bytes(b"left by another system")
    (tmp_path / "scan" / "old.tif").mkdir()
    same(tmp_path / "scan", DATA)
    assert open_volume(tmp_path / "scan").name == "scan"


def test_folder_of_compressed_big_endian_slices(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    for n, plane in enumerate(DATA):
        tifffile.imwrite(tmp_path / "scan" / f"{n:04}.TIFF", plane, byteorder=">", compression="zlib")
    same(tmp_path / "scan", DATA)


def test_folder_with_one_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    tifffile.imwrite(tmp_path / "scan" / "stack.tif", DATA)
    same(tmp_path / "scan", DATA)


def test_folder_takes_the_voxel_size_of_its_first_slice(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    for n in range(3):
        tifffile.imwrite(tmp_path / "scan" / f"{n}.tif", DATA[n], resolution=(2e5, 2e5), resolutionunit="CENTIMETER")
    volume = open_volume(tmp_path / "scan")
    assert volume.geometry == Geometry((0.05, 0.05, 0.05), unit="micrometer")
    assert volume.metadata["assumed"] == (
        "the file does not state the voxel size along z; taken to be that of y, 0.05 µm",
    )


def test_folders_that_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "gap", [0, 1, 2, 4])
    write_folder(tmp_path / "shape", range(3))
    tifffile.imwrite(tmp_path / "shape" / "slice_2.tif", DATA[0, :9])
    write_folder(tmp_path / "dtype", range(3))
    tifffile.imwrite(tmp_path / "dtype" / "slice_1.tif", DATA[0].astype(np.float32))
    write_folder(tmp_path / "stack", range(3))
    tifffile.imwrite(tmp_path / "stack" / "slice_1.tif", DATA)
    write_folder(tmp_path / "colour", range(3))
    tifffile.imwrite(tmp_path / "colour" / "slice_1.tif", np.zeros((24, 30, 3), np.uint8))
    write_folder(tmp_path / "short", range(3))
    (tmp_path / "short" / "slice_2.tif").write_bytes((tmp_path / "short" / "slice_2.tif").read_bytes()[:700])
    for name, sentence in {
        "gap": "gap: slice 3 is missing between slice_0 and slice_4; add what is missing",
        "shape": r"shape: its slices differ: slice_0\.tif is 24 x 30 uint16, slice_2\.tif is 9 x 30 uint16",
        "dtype": r"slice_0\.tif is 24 x 30 uint16, slice_1\.tif is 24 x 30 float32",
        "stack": r"stack: slice_1\.tif: it holds several slices among files of one slice",
        "colour": r"colour: slice_1\.tif: it is a colour picture",
        "short": r"short: slice_2\.tif: it is damaged or cut short",
    }.items():
        with pytest.raises(UserError, match=sentence) as caught:
            open_volume(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))


def test_a_note_of_imagej_that_outlived_its_stack(tmp_path: Path) -> None:
    (tmp_path / "scan").mkdir()
    for n, plane in enumerate(DATA[:5]):
        note = "ImageJ=1.53\nimages=37\nslices=37\n"
        tifffile.imwrite(tmp_path / "scan" / f"{n}.tif", plane, description=note, metadata=None)
    same(tmp_path / "scan", DATA[:5])
    same(tmp_path / "scan" / "3.tif", DATA[3:4])


def test_imagej_stack_in_one_page(tmp_path: Path) -> None:
    """As ImageJ writes what is larger than 4 GB: one page, and the other slices behind its pixels."""
    path = tmp_path / "v.tif"
    tifffile.imwrite(path, DATA, imagej=True, metadata={"axes": "ZYX"})
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        (tags,) = struct.unpack_from("<H", content, tif.pages.first.offset)
        struct.pack_into("<I", content, tif.pages.first.offset + 2 + 12 * tags, 0)
    path.write_bytes(content)
    same(path, DATA)
    path.rename(tmp_path / "slice_0.tif")
    tifffile.imwrite(tmp_path / "slice_1.tif", DATA[0])
    with pytest.raises(UserError, match=r"slice_0\.tif: it holds several slices among files of one slice"):
        open_volume(tmp_path)


def test_a_slice_that_vanishes_after_opening_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path / "scan", range(3))
    volume = open_volume(tmp_path / "scan")
    (tmp_path / "scan" / "slice_1.tif").unlink()
    np.testing.assert_array_equal(np.asarray(volume.data[2]), DATA[2])
    with pytest.raises(UserError, match=r"slice_1\.tif: it cannot be read .* check that it is there"):
        volume.data[1].compute()


def test_a_large_folder_opens_in_seconds(tmp_path: Path) -> None:
    tiny = np.zeros((1, 4, 4), np.uint8)
    write_folder(tmp_path / "scan", range(1000), tiny, digits=4)
    start = time.perf_counter()
    assert open_volume(tmp_path / "scan").shape == (1000, 4, 4)
    assert time.perf_counter() - start < 3


def test_real_pictures(shared_data: Path) -> None:
    paths = sorted((shared_data / "ct").glob("*/*.tif"))
    assert len(paths) > 50
    for path in paths:
        volume = open_volume(path)
        with tifffile.TiffFile(path) as tif:
            assert volume.shape[1:] == tif.pages.first.shape
        assert np.isfinite(np.asarray(volume.data[volume.shape[0] // 2], float)).all()
