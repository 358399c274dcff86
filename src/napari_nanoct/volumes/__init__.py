"""Tomograms on disk: open, write as OME-Zarr, geometry, intensity range."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nanoct.volumes.digest import fingerprint
    from napari_nanoct.volumes.geometry import Geometry
    from napari_nanoct.volumes.intensity import IntensityRange, intensity_range
    from napari_nanoct.volumes.omezarr_write import OmeZarrWriter
    from napari_nanoct.volumes.opening import open_volume
    from napari_nanoct.volumes.volume import Volume

_HOME = {
    "Geometry": "geometry",
    "IntensityRange": "intensity",
    "OmeZarrWriter": "omezarr_write",
    "Volume": "volume",
    "fingerprint": "digest",
    "intensity_range": "intensity",
    "open_volume": "opening",
}

__all__ = [
    "Geometry",
    "IntensityRange",
    "OmeZarrWriter",
    "Volume",
    "fingerprint",
    "intensity_range",
    "open_volume",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'napari_nanoct.volumes' has no attribute {name!r}")
    return getattr(import_module(f"napari_nanoct.volumes.{_HOME[name]}"), name)
