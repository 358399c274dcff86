"""napari-nanoct: enhance reconstructed nano-CT tomograms with UTSR.

The public functions are imported on first use, so that ``import napari_nanoct`` and the shell's ``--help`` stay fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nanoct.cracks.segment import segment_cracks
    from napari_nanoct.enhance import enhance_volume
    from napari_nanoct.errors import UserError
    from napari_nanoct.finetune.pairing import pair_slices
    from napari_nanoct.finetune.tuning import finetune_model
    from napari_nanoct.volumes import Volume, open_volume

__version__ = "0.1.0"

_PUBLIC = {
    "UserError": "errors",
    "Volume": "volumes",
    "enhance_volume": "enhance",
    "finetune_model": "finetune.tuning",
    "open_volume": "volumes",
    "pair_slices": "finetune.pairing",
    "segment_cracks": "cracks",
}

__all__ = [
    "UserError",
    "Volume",
    "__version__",
    "enhance_volume",
    "finetune_model",
    "open_volume",
    "pair_slices",
    "segment_cracks",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its room on first use."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'napari_nanoct' has no attribute {name!r}")
    return getattr(import_module(f"napari_nanoct.{_PUBLIC[name]}"), name)
