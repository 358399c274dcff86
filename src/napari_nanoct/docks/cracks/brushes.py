"""The layer on which cracks, pores and background are scribbled, over one image layer; no Qt here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_nanoct.cracks.scribbles import CLASSES
from napari_nanoct.docks.choices import PREVIEW, plain
from napari_nanoct.docks.layers import layer_geometry, placement
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels

    from napari_nanoct.cracks.scribbles import ScribbleStore

COLOURS = ("#e8472b", "#2f8fdd", "#4fb36a", "#f2b630", "#9b5de5", "#00b8a9", "#c77d4f", "#8d99ae", "#f15bb5")
"""Colours of the classes 1, 2, ...; after the last the first comes again."""

BRUSH = 5


class Brushes:
    """Paints classes into a store.

    Parameters
    ----------
    viewer : napari.Viewer
        It gets the layer.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self.viewer = viewer
        self.store: ScribbleStore | None = None
        self.layer: Labels | None = None
        self.unsaved: list[ScribbleStore] = []  # let go of, and could not be written

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes 1, 2, ..."""
        return self.store.classes if self.store is not None else CLASSES

    @property
    def colours(self) -> tuple[str, ...]:
        """One colour for each class."""
        return tuple(COLOURS[number % len(COLOURS)] for number in range(len(self.classes)))

    def show(self, image: Image) -> Labels:
        """Return the layer over `image`, added on top if it is not there."""
        assert self.store is not None
        if self.layer is None or self.layer not in self.viewer.layers:
            options = {"name": f"{image.name} scribbles", "opacity": 0.75, "metadata": {PREVIEW: {}}}
            options |= placement(layer_geometry(image), 3)  # at once: napari warns of a layer in another unit
            self.layer = plain(self.viewer.add_labels(self.store, **options))
            self.layer.brush_size = BRUSH
            self.colour()
        return self.layer

    def place(self, image: Image) -> None:
        """Put the layer where `image` lies."""
        for name, value in placement(layer_geometry(image), 3).items():
            setattr(self.layer, name, value)

    def colour(self) -> None:
        """Give every class its colour."""
        from napari.utils.colormaps import DirectLabelColormap

        if self.layer is not None:
            colours: dict[Any, Any] = {None: "transparent", 0: "transparent"}
            colours.update(enumerate(self.colours, 1))
            self.layer.colormap = DirectLabelColormap(color_dict=colours)

    def take(self, image: Image, number: int) -> Labels:
        """Paint class `number` from now on; 0 erases. Return the layer."""
        layer = self.show(image)
        if number:
            layer.selected_label = number
        layer.visible = True
        self.viewer.layers.selection.active = layer
        layer.mode = "paint" if number else "erase"
        return layer

    def undo(self) -> int | None:
        """Take the last stroke back and return its slice, or None where there is no stroke."""
        if self.layer is None or self.store is None:
            return None
        before = {z: self.store.version(z) for z in self.store.labelled_slices()}
        self.layer.undo()
        after = {*before, *self.store.labelled_slices()}
        return next((z for z in after if self.store.version(z) != before.get(z)), None)

    def let_go(self) -> None:
        """Forget store and layer; what was painted goes to disk, and the layer from the viewer.

        Raises
        ------
        UserError
            If it cannot be written; the store is then among the unsaved ones.
        """
        store, layer = self.store, self.layer
        self.store = self.layer = None
        if layer is not None and layer in self.viewer.layers:
            self.viewer.layers.remove(layer)
        if store is not None:
            self.unsaved.append(store)
            store.flush()
            self.unsaved.remove(store)


def check_volume(image: Image | None, shape: tuple[int, ...]) -> None:
    """Refuse what has no third dimension: a crack is a surface.

    Raises
    ------
    UserError
        If the layer is two-dimensional or has one slice.
    """
    if image is not None and (image.ndim == 2 or shape[0] == 1):
        raise UserError(
            f"The layer “{image.name}” is one slice; cracks are surfaces: choose a volume of several slices (z, y, x)."
        )
