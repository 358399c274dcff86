"""What open_volume takes, refuses and lets be overridden."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr

import napari_nanoct
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, open_volume
from napari_nanoct.volumes.formats import without_ending

DATA = np.random.default_rng(0).integers(0, 60000, (20, 12, 14)).astype(np.uint16)


@pytest.mark.parametrize("kind", ["numpy", "list of slices", "dask", "zarr", "zarr 2"])
def test_arrays(kind: str) -> None:
    source = {
        "numpy": lambda: DATA,
        "list of slices": lambda: np.stack(list(DATA)),
        "dask": lambda: da.from_array(DATA, chunks=(3, 5, 14)),
        "zarr": lambda: zarr.create_array({}, data=DATA, chunks=(8, 6, 7), shards=(16, 12, 14)),
        "zarr 2": lambda: zarr.create_array({}, data=DATA, zarr_format=2),
    }[kind]()
    volume = napari_nanoct.open_volume(source)
    assert (volume.source, volume.name, volume.geometry) == ("array", "array", Geometry())
    assert volume.levels == (volume.data,)
    assert volume.nbytes == DATA.nbytes
    np.testing.assert_array_equal(np.asarray(volume.data), DATA)


def test_flat_arrays_are_one_slice() -> None:
    for source in (DATA[0], da.from_array(DATA[0]), zarr.create_array({}, data=DATA[0], chunks=(5, 5))):
        volume = open_volume(source)
        assert volume.shape == (1, 12, 14)
        np.testing.assert_array_equal(np.asarray(volume.data[0]), DATA[0])


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scan.h5").write_bytes(b"\x89HDF")
    (tmp_path / "scan.raw").write_bytes(b"0")
    (tmp_path / "empty").mkdir()
    for source, sentence in [
        (tmp_path / "none.tif", f"{tmp_path / 'none.tif'}: there is no such file or folder; check the path."),
        (tmp_path / "scan.h5", "scan.h5: it is no HDF5 file; check what it is"),
        (tmp_path / "scan.raw", "scan.raw: this format is not read; these are: .*TIFF.*NeXus.*OME-Zarr.*NumPy"),
        (str(tmp_path / "empty"), "empty: the folder holds no TIFF files"),
        (DATA[None], "The array: its shape .* has 4 dimensions"),
        (DATA.astype(complex), "The array: values of type complex128 are not grey values"),
        (3, "The array: int is neither a path nor an array"),
        (np.zeros((0, 3, 3)), "The array: it is empty"),
    ]:
        with pytest.raises(UserError, match=sentence):
            open_volume(source)  # type: ignore[arg-type]


def test_voxel_size_and_unit_override() -> None:
    for size in (50, np.float32(50), np.int64(50)):
        assert open_volume(DATA, voxel_size=size, unit="nm").geometry == Geometry((50, 50, 50), unit="nanometer")
    assert open_volume(DATA, voxel_size=(0.1, 0.05, 0.05), unit="µm").geometry.unit == "micrometer"
    with pytest.raises(UserError, match="'parsec' is not a unit of length"):
        open_volume(DATA, unit="parsec")
    with pytest.raises(UserError, match="The array: A voxel size is three positive numbers"):
        open_volume(DATA, voxel_size=0)


def test_an_offset_stays_at_its_voxel_when_the_voxel_size_is_overridden(tmp_path: Path) -> None:
    from napari_nanoct.volumes import OmeZarrWriter

    writer = OmeZarrWriter(
        tmp_path / "v.zarr", shape=(1, 4, 5), dtype=np.uint8, geometry=Geometry((2, 2, 2), (4, 6, 8), "micrometer")
    )
    writer.write(0, np.zeros((1, 4, 5), np.uint8))
    writer.finish({})
    volume = open_volume(tmp_path / "v.zarr", voxel_size=(4, 1, 1), unit="nm")
    assert volume.geometry == Geometry((4, 1, 1), (8, 3, 4), "nanometer")


def test_names() -> None:
    names = ["b.ome.zarr", "b.ome.tif", "b.TIFF", "b", "b.c", "b.npy", "b.nxs", ".tif"]
    assert [without_ending(name) for name in names] == ["b", "b", "b", "b", "b.c", "b", "b", ".tif"]
