"""Synthetic nano-CT with known truth, and what an instrument does to it."""

from napari_nanoct.phantoms.acquire import Acquisition, Instrument, acquire, to_grey
from napari_nanoct.phantoms.cathode import Cathode, Scene, draw_scene
from napari_nanoct.phantoms.cracks import Crack, CrackSettings
from napari_nanoct.phantoms.phantom import Phantom, phantom, slabs

__all__ = [
    "Acquisition",
    "Cathode",
    "Crack",
    "CrackSettings",
    "Instrument",
    "Phantom",
    "Scene",
    "acquire",
    "draw_scene",
    "phantom",
    "slabs",
    "to_grey",
]
