"""What can be chosen in the cracks dock, following the viewer, and what the choices come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog

from napari_nanoct.docks import layers
from napari_nanoct.docks.choices import follow_layers, offered, plain
from napari_nanoct.docks.cracks.brushes import check_volume
from napari_nanoct.docks.cracks.controls import AUTOMATIC, EVERYWHERE, CrackControls
from napari_nanoct.docks.threads import attempt
from napari_nanoct.docks.widgets import fill_combo
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels

    from napari_nanoct.volumes import Volume


@dataclass(frozen=True, eq=False)
class Request:
    """What the controls ask for, taken down at the moment of the click.

    Attributes
    ----------
    volume : Volume
        Of the layer.
    original : Volume or None
        Of the layer before its enhancement.
    mask : Volume or str
        Of a Labels layer, not 0 where cracks may be; or "automatic" or "everywhere".
    dark : bool
        Whether cracks are darker than what they run through.
    sensitivity : float
        Of the proposal, 0 to 1.
    high, low : float
        Probability that a crack must reach, and down to which it goes on.
    output : str
        Where a volume run writes.
    tabulate : bool
        Whether it measures the cracks and writes them as CSV.
    pores : Volume or None
        Of a Labels layer, not 0 in pores; for measuring.
    """

    volume: Volume
    original: Volume | None
    mask: Volume | str
    dark: bool
    sensitivity: float
    high: float
    low: float
    output: str
    tabulate: bool = False
    pores: Volume | None = None


class CrackChoices(CrackControls):
    """The controls with their choices filled in.

    Signals
    -------
    layer_changed
        Another layer was chosen.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered.
    """

    layer_changed = Signal()

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        follow_layers(viewer, self._update_layers)
        self.layer.currentIndexChanged.connect(self._layer_chosen)
        self.choose_output.clicked.connect(self._browse_output)
        for box in (self.layer, self.original, self.inside, self.tone, self.method, self.pores):
            box.currentIndexChanged.connect(self.changed)
        for field in (
            self.sensitivity.valueChanged,
            self.high.valueChanged,
            self.low.valueChanged,
            self.output.textChanged,
            self.tabulate.toggled,
        ):
            field.connect(self.changed)
        self._update_layers()
        if self.image is None:
            self._layer_chosen()

    @property
    def image(self) -> Image | None:
        """The chosen image layer."""
        return self.layer.currentData()

    def volume(self) -> Volume:
        """Return the chosen layer's volume, whatever the other controls ask for.

        Raises
        ------
        UserError
            If cracks cannot be looked for in it.
        """
        image: Any = self.image or plain(self.viewer.layers.selection.active)
        volume = layers.layer_volume(image)
        check_volume(image, volume.shape)
        return volume

    def request(self) -> Request:
        """Return what the controls ask for.

        Raises
        ------
        UserError
            If they ask for something that cannot be done.
        """
        volume = self.volume()
        original = self.original.currentData()
        if self.low.value() > self.high.value():
            raise UserError("A crack cannot go on above where it begins; make the second threshold the smaller one.")
        mask: Any = self.inside.currentData()
        pores = self.pores.currentData()
        return Request(
            volume=volume,
            original=layers.layer_volume(original) if original not in (None, self.image) else None,
            mask=mask if isinstance(mask, str) else _on_grid(mask, volume, "mask"),
            dark=self.tone.currentData(),
            sensitivity=self.sensitivity.value() / 100,
            high=self.high.value(),
            low=self.low.value(),
            output=self.output.text().strip(),
            tabulate=self.tabulate.isChecked(),
            pores=None if pores is None else _on_grid(pores, volume, "layer of pores"),
        )

    def labels_layers(self) -> list[Labels]:
        """Return the Labels layers that are neither scribbles nor previews, the topmost first."""
        from napari.layers import Labels

        return offered(self.viewer, Labels)

    def _update_layers(self, event: object = None) -> None:
        from napari.layers import Image

        images = offered(self.viewer, Image)
        named: list[tuple[str, object]] = [(layer.name, layer) for layer in images]
        masks: list[tuple[str, object]] = [("automatic mask", AUTOMATIC), ("everywhere", EVERYWHERE)]
        fill_combo(self.inside, masks + [(layer.name, layer) for layer in self.labels_layers()], AUTOMATIC)
        fill_combo(self.pores, [("none", None), *((layer.name, layer) for layer in self.labels_layers())])
        fill_combo(self.original, [("none", None), *named])
        active = plain(self.viewer.layers.selection.active)
        seen = next((layer for layer in images if layer.visible), None)
        if fill_combo(self.layer, named, active if active in images else seen):
            self._layer_chosen()
            self.changed.emit()

    def _layer_chosen(self) -> None:
        if self.image is None:
            self.status.setText("Open a tomogram, or File > Open Sample > nanoCT.")
        else:
            self.status.setText(attempt(self.request).problem or "")
            self.output.setText(layers.suggested_output(self.image, "cracks"))
        self.layer_changed.emit()

    def _browse_output(self) -> None:
        now = self.output.text()
        path, _ = QFileDialog.getSaveFileName(self, "Save the segmentation as", now, "OME-Zarr (*.ome.zarr)")
        if path:
            self.output.setText(path)
            self.output.editingFinished.emit()


def _on_grid(layer: Labels, volume: Volume, kind: str) -> Volume:
    """Return a Labels layer's volume, which must lie on the image's grid."""
    found = layers.labels_volume(layer)
    if found.shape != volume.shape:
        raise UserError(
            f"The {kind} “{found.name}” has the shape {found.shape}, the layer “{volume.name}” {volume.shape}; "
            "choose one on the layer's grid."
        )
    return found
