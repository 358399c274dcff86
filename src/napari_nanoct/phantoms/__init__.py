"""Synthetic nano-CT with known truth, and what an instrument does to it."""

from napari_nanoct.phantoms.acquire import Acquisition, Instrument, acquire, to_grey
from napari_nanoct.phantoms.cathode import Cathode, Scene, draw_scene
from napari_nanoct.phantoms.crack_draws import CrackSettings
from napari_nanoct.phantoms.cracks import Crack
from napari_nanoct.phantoms.matrix import Granular, Layered, Pores
from napari_nanoct.phantoms.phantom import Phantom, phantom, slabs

__all__ = [
    "Acquisition",
    "Cathode",
    "Crack",
    "CrackSettings",
    "Granular",
    "Instrument",
    "Layered",
    "Phantom",
    "Pores",
    "Scene",
    "acquire",
    "draw_scene",
    "phantom",
    "slabs",
    "to_grey",
]
