"""Slices in, slices out: tiling, device and precision, the volume job."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nanoct.enhance.enhancer import Enhancer
    from napari_nanoct.enhance.job import enhance_volume, run
    from napari_nanoct.enhance.settings import EnhanceSettings
    from napari_nanoct.enhance.target import Estimate, estimate

_PUBLIC = {
    "EnhanceSettings": "settings",
    "Enhancer": "enhancer",
    "Estimate": "target",
    "enhance_volume": "job",
    "estimate": "target",
    "run": "job",
}

__all__ = ["EnhanceSettings", "Enhancer", "Estimate", "enhance_volume", "estimate", "run"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'napari_nanoct.enhance' has no attribute {name!r}")
    return getattr(import_module(f"napari_nanoct.enhance.{_PUBLIC[name]}"), name)
