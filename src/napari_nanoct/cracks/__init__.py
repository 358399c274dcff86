"""Cracks: features, proposal without labels, scribble classifier, segmentation of whole volumes, measurements."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nanoct.cracks.measure import measure_cracks
    from napari_nanoct.cracks.proposal import Proposal, ProposalSettings, propose, sample_mask
    from napari_nanoct.cracks.segment import segment_cracks, segment_volume
    from napari_nanoct.cracks.settings import SegmentSettings

_HOME = {
    "Proposal": "proposal",
    "ProposalSettings": "proposal",
    "SegmentSettings": "settings",
    "measure_cracks": "measure",
    "propose": "proposal",
    "sample_mask": "proposal",
    "segment_cracks": "segment",
    "segment_volume": "segment",
}

__all__ = [
    "Proposal",
    "ProposalSettings",
    "SegmentSettings",
    "measure_cracks",
    "propose",
    "sample_mask",
    "segment_cracks",
    "segment_volume",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'napari_nanoct.cracks' has no attribute {name!r}")
    return getattr(import_module(f"napari_nanoct.cracks.{_HOME[name]}"), name)
