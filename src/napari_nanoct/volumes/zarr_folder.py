"""What a folder is as a Zarr, told by its small JSON files alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def is_zarr_folder(path: Path) -> bool:
    """Whether `path` is a folder that holds a Zarr group or array, of format 2 or 3."""
    return any((path / mark).is_file() for mark in ("zarr.json", ".zgroup", ".zarray"))


def is_zarr_volume(path: Path) -> bool:
    """Whether the folder `path` is a Zarr array, or a group that OME metadata make one image."""
    if (path / ".zarray").is_file() or _json(path / "zarr.json").get("node_type") == "array":
        return True
    attributes = zarr_attributes(path)
    ome = attributes.get("ome")
    return "multiscales" in attributes or (isinstance(ome, Mapping) and "multiscales" in ome)


def zarr_attributes(path: Path) -> dict[str, Any]:
    """Attributes of the Zarr in the folder `path`; none where there is none, or where its metadata are damaged."""
    attributes = _json(path / "zarr.json").get("attributes")
    return attributes if isinstance(attributes, dict) else _json(path / ".zattrs")


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
