"""What a folder is as a Zarr."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import zarr

from napari_nanoct.volumes.zarr_folder import is_zarr_folder, is_zarr_volume, zarr_attributes


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_kinds(tmp_path: Path, zarr_format: Any) -> None:
    image = {"multiscales": []} if zarr_format == 2 else {"ome": {"multiscales": []}}
    zarr.create_array(str(tmp_path / "array"), shape=(2, 3), dtype="u1", zarr_format=zarr_format)
    zarr.create_group(str(tmp_path / "image"), zarr_format=zarr_format, attributes=image)
    zarr.create_group(str(tmp_path / "group"), zarr_format=zarr_format, attributes={"ome": "so named"})
    (tmp_path / "folder").mkdir()
    kinds = {path.name: (is_zarr_folder(path), is_zarr_volume(path)) for path in tmp_path.iterdir()}
    assert kinds == {
        "array": (True, True),
        "image": (True, True),
        "group": (True, False),
        "folder": (False, False),
    }
    assert zarr_attributes(tmp_path / "image") == image
    assert zarr_attributes(tmp_path / "array") == zarr_attributes(tmp_path / "folder") == {}


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"attributes": 3}', "\x00"])
def test_damaged_metadata_make_no_volume(tmp_path: Path, content: str) -> None:
    (tmp_path / "zarr.json").write_text(content)
    assert zarr_attributes(tmp_path) == {}
    assert is_zarr_folder(tmp_path)
    assert not is_zarr_volume(tmp_path)
