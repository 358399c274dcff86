"""What can be chosen in the enhance dock, following the viewer, and what the choices come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QFileDialog

from napari_nanoct.docks import layers
from napari_nanoct.docks.controls import SHAPE, SLICES, EnhanceControls
from napari_nanoct.docks.preview import Request
from napari_nanoct.docks.threads import attempt
from napari_nanoct.docks.widgets import fill_combo
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

WEIGHTS = ".safetensors"
FACTORS = {1: "×1, same grid", 2: "×2, 4 times the pixels", 4: "×4, 16 times the pixels"}
PREVIEW = "nanoct preview"
"""Key in the metadata of preview layers: they are not offered."""


class EnhanceChoices(EnhanceControls):
    """The controls with their choices filled in.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self._typed = False
        follow_layers(viewer, self._update_layers)
        self.layer.currentIndexChanged.connect(self._layer_chosen)
        self.model.currentIndexChanged.connect(self._model_chosen)
        self.factor.currentIndexChanged.connect(self._suggest_output)
        self.region.currentIndexChanged.connect(self.show_region_fields)
        self.output.textEdited.connect(self._output_typed)
        self.model.opening.connect(self._fill_models)
        self.open_model.clicked.connect(self._browse_model)
        self.choose_output.clicked.connect(self._browse_output)
        for box in (self.layer, self.model, self.factor, self.region, self.shapes, self.device):
            box.currentIndexChanged.connect(self.changed)
        for field in (self.first.valueChanged, self.last.valueChanged, self.output.textChanged):
            field.connect(self.changed)
        self._fill_models()
        self._update_layers()
        self._layer_chosen()

    @property
    def image(self) -> Image | None:
        """The chosen image layer."""
        return self.layer.currentData()

    def request(self) -> Request:
        """Return what the controls ask for.

        Raises
        ------
        UserError
            If they ask for something that cannot be done.
        """
        image: Any = self.image or plain(self.viewer.layers.selection.active)
        volume = layers.layer_volume(image)
        if self.model.currentData() is None:
            raise UserError("There is no model; open a model file (.safetensors) with “…”.")
        kind = self.region.currentIndex()
        if kind == SLICES and self.first.value() > self.last.value():
            raise UserError("The first slice comes after the last; give the smaller number first.")
        return Request(
            volume=volume,
            model=self.model.currentData()[0],
            scale=self.factor.currentData(),
            device=self.device.currentData(),
            slices=(self.first.value(), self.last.value() + 1) if kind == SLICES else None,
            crop=layers.shape_crop(self.shapes.currentData(), image, self.viewer.dims) if kind == SHAPE else None,
            output=self.output.text().strip(),
        )

    def choose(self, image: Image, model: str, scale: int) -> None:
        """Choose a layer and, by name and factor, a model that may be newer than the list."""
        self._fill_models()
        self.layer.setCurrentIndex(self.layer.findText(image.name))
        self.model.setCurrentIndex(self.model.findText(model))
        self.factor.setCurrentIndex(self.factor.findData(scale))

    def choose_model_file(self, path: str) -> None:
        """Offer a model file and choose it; what is wrong with it stands in the status line."""
        self.status.setText(attempt(self._fill_models, path).problem or "")

    def _update_layers(self, event: object = None) -> None:
        from napari.layers import Image, Shapes

        images = offered(self.viewer, Image)
        fill_combo(self.shapes, [(layer.name, layer) for layer in offered(self.viewer, Shapes)])
        active = plain(self.viewer.layers.selection.active)
        if fill_combo(self.layer, [(layer.name, layer) for layer in images], active):
            self._layer_chosen()
            self.changed.emit()

    def _layer_chosen(self) -> None:
        if self.image is None:
            self.status.setText("Open a tomogram, or File > Open Sample > nanoCT.")
            return
        found = attempt(layers.layer_volume, self.image)
        self.status.setText(found.problem or "")
        if found.value is not None:
            self.set_depth(found.value.shape[0])
        self._typed = False
        self._suggest_output()

    def _fill_models(self, file: str | None = None) -> None:
        """List the catalogue by name, then opened files; an entry holds (how ``--model`` names it, its factors)."""
        from napari_nanoct.utsr import list_models, read_card

        files = [entry for i in range(self.model.count()) if (entry := self.model.itemData(i))[0].endswith(WEIGHTS)]
        if file is not None:
            files = [(file, (read_card(file).scale,)), *(entry for entry in files if entry[0] != file)]
        named: dict[str, set[int]] = {}
        for _, card in list_models():
            named.setdefault(card.name, set()).add(card.scale)
        entries: list[tuple[str, Any]] = [(name, (name, tuple(sorted(found)))) for name, found in named.items()]
        chosen, _ = self.model.currentData() or ("", ())
        now = next((entry for _, entry in entries if entry[0] == chosen), None)  # it may have got another factor
        fill_combo(self.model, entries + [(Path(entry[0]).name, entry) for entry in files], now)
        if file is not None:
            self.model.setCurrentIndex(len(entries))
        self._model_chosen()

    def _model_chosen(self) -> None:
        _, factors = self.model.currentData() or ("", ())
        fill_combo(self.factor, [(FACTORS.get(factor, f"×{factor}"), factor) for factor in factors], 1)
        self._suggest_output()

    def _suggest_output(self) -> None:
        if self._typed or self.image is None or self.model.currentData() is None:
            return
        model = Path(self.model.currentData()[0]).stem
        self.output.setText(layers.suggested_output(self.image, f"{model}-x{self.factor.currentData()}"))

    def _output_typed(self) -> None:
        self._typed = True

    def _browse_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", f"Models (*{WEIGHTS})")
        if path:
            self.choose_model_file(path)

    def _browse_output(self) -> None:
        now = self.output.text()
        path, _ = QFileDialog.getSaveFileName(self, "Save the result as", now, "OME-Zarr (*.ome.zarr)")
        if path:
            self.output.setText(path)
            self._typed = True


def offered(viewer: napari.Viewer, kind: type[Any]) -> list[Any]:
    """Return the layers of a kind that are no previews, the topmost first."""
    there = (plain(layer) for layer in reversed(viewer.layers))
    return [layer for layer in there if isinstance(layer, kind) and PREVIEW not in layer.metadata]


def follow_layers(viewer: napari.Viewer, update: Callable[[object], None]) -> None:
    """Call a method whenever layers come, go, move or are renamed."""
    events = viewer.layers.events
    for event in (events.inserted, events.removed, events.reordered, events.renamed):
        event.connect(update)


def plain(layer: Any) -> Any:
    """Return the layer itself where napari hands a plugin a proxy of it."""
    return getattr(layer, "__wrapped__", layer)
