"""Layers over the slice in view: what the classifier thinks of it; no Qt here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.docks.choices import PREVIEW, plain
from napari_nanoct.docks.layers import layer_geometry, placement

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels
    from numpy.typing import NDArray

Window = tuple[int, int, int, int]

TILE = 256
"""Edge of the squares that are computed one by one, counted from the first pixel of the slice."""

CRACK = "#ffd60a"


class Overlay:
    """Probability and cracks of one slice, as two layers right above an image layer."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.probability: Image | None = None
        self.cracks: Labels | None = None

    def show(self, image: Image, z: int, probability: NDArray[np.float32], cracks: NDArray[np.bool_]) -> None:
        """Show slice `z` of the layer: probability and mask, both (y, x)."""
        place = placement(layer_geometry(image).cropped(z), 3)
        about = {PREVIEW: {"layer": image.name, "slice": z}}
        pictures = (probability[None], cracks[None].astype(np.uint8))
        for layer, picture in zip(self._layers(image, pictures, about, place), pictures, strict=True):
            layer.data = picture
            for name, value in {**place, "metadata": about}.items():
                setattr(layer, name, value)

    def show_probability(self, shown: bool) -> None:
        """Show or hide the probability."""
        if self.probability is not None:
            self.probability.visible = shown

    def remove(self) -> None:
        """Take both layers away."""
        for layer in (self.probability, self.cracks):
            if layer is not None and layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
        self.probability = self.cracks = None

    def _layers(self, image: Image, pictures: Any, about: Any, place: Any) -> tuple[Image, Labels]:
        """Return the two layers over `image`; those over another one give way."""
        from napari.utils.colormaps import DirectLabelColormap

        stack = self.viewer.layers
        there = self.probability in stack and self.cracks in stack
        if there and self.cracks is not None and self.cracks.metadata[PREVIEW]["layer"] == image.name:
            assert self.probability is not None
            return self.probability, self.cracks
        active, shown = plain(stack.selection.active), self.probability is None or self.probability.visible
        self.remove()
        colours = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", 1: CRACK})
        self.probability = plain(
            self.viewer.add_image(
                pictures[0],
                name=f"{image.name} crack probability",
                colormap="magma",
                blending="additive",
                contrast_limits=(0, 1),
                visible=shown,
                metadata=about,
                **place,
            )
        )
        self.cracks = plain(
            self.viewer.add_labels(
                pictures[1],
                name=f"{image.name} crack preview",
                colormap=colours,
                opacity=0.7,
                metadata=about,
                **place,
            )
        )
        for layer in (self.cracks, self.probability):
            stack.move(stack.index(layer), stack.index(image) + 1)
        stack.selection.active = active if active in stack else image
        return self.probability, self.cracks


def view_window(image: Image, shape: tuple[int, int]) -> Window:
    """Return ``(y0, y1, x0, x1)``: whole tiles of the slice that the canvas shows; all of it if that is not known."""
    factors = np.asarray(image.downsample_factors[image.data_level]) if image.multiscale else np.ones(image.ndim)
    low, high = (np.asarray(corner * factors)[-2:] for corner in image.corner_pixels)
    y0, x0 = (max(0, int(value) // TILE * TILE) for value in low)
    y1, x1 = (min(length, (int(value) // TILE + 1) * TILE) for value, length in zip(high, shape, strict=True))
    return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 and np.any(high > low) else (0, shape[0], 0, shape[1])


def tiles(window: Window, middle: tuple[float, float] | None = None) -> list[Window]:
    """Return the tiles of a window, those next to `middle` (y, x) first: by default its own."""
    y0, y1, x0, x1 = window
    y, x = middle or ((y0 + y1) / 2, (x0 + x1) / 2)
    rows = [(start, min(start + TILE, y1)) for start in range(y0, y1, TILE)]
    columns = [(start, min(start + TILE, x1)) for start in range(x0, x1, TILE)]
    found = [(*row, *column) for row in rows for column in columns]
    return sorted(found, key=lambda t: math.hypot((t[0] + t[1]) / 2 - y, (t[2] + t[3]) / 2 - x))
