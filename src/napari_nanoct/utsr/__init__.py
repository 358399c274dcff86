"""The network UTSR, its weights on disk and the catalogue of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nanoct.utsr.card import Card, read_card
    from napari_nanoct.utsr.catalogue import find_model, list_models
    from napari_nanoct.utsr.checkpoint import load_network, save_checkpoint
    from napari_nanoct.utsr.network import PRESETS, UTSR, NetworkSettings, build

_PUBLIC = {
    "Card": "card",
    "NetworkSettings": "network",
    "PRESETS": "network",
    "UTSR": "network",
    "build": "network",
    "find_model": "catalogue",
    "list_models": "catalogue",
    "load_network": "checkpoint",
    "read_card": "card",
    "save_checkpoint": "checkpoint",
}

__all__ = [
    "PRESETS",
    "UTSR",
    "Card",
    "NetworkSettings",
    "build",
    "find_model",
    "list_models",
    "load_network",
    "read_card",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    """Import on first use: reading a card needs no torch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'napari_nanoct.utsr' has no attribute {name!r}")
    return getattr(import_module(f"napari_nanoct.utsr.{_PUBLIC[name]}"), name)
