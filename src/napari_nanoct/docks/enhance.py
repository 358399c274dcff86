"""The enhance dock: preview a slice, enhance a volume, get the result as a layer."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QFileDialog, QVBoxLayout, QWidget

from napari_nanoct.docks import layers
from napari_nanoct.docks.controls import SHAPE, SLICES, EnhanceControls, fill_combo
from napari_nanoct.docks.plan import Plan, make_plan, time_text
from napari_nanoct.docks.preview import Previewer, Request
from napari_nanoct.docks.reader import layer_data
from napari_nanoct.docks.threads import Outcome, attempt, in_thread
from napari_nanoct.docks.volume_run import VolumeRun
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken, Done

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_nanoct.docks.reader import LayerData


class EnhanceDock(QWidget):
    """Choose a layer and a model, preview the slice in view, enhance the volume.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered and that gets the results.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.ui = EnhanceControls()
        QVBoxLayout(self).addWidget(self.ui)
        self.run = VolumeRun()
        self._previewer = Previewer()
        self._preview_token = CancelToken()
        self._preview_layer: Image | None = None
        self._plan_token = CancelToken()
        self._plan: Plan | None = None
        self._started: tuple[Request, Image] | None = None
        self._typed = False
        self._connect()
        self._fill_models()
        self._update_layers()

    def _connect(self) -> None:
        ui, events = self.ui, self.viewer.layers.events
        for event in (events.inserted, events.removed, events.reordered, events.renamed):
            event.connect(self._update_layers)
        ui.layer.currentIndexChanged.connect(self._layer_chosen)
        ui.model.currentIndexChanged.connect(self._model_chosen)
        ui.factor.currentIndexChanged.connect(self._suggest_output)
        ui.region.currentIndexChanged.connect(ui.show_region_fields)
        ui.output.textEdited.connect(self._output_typed)
        for box in (ui.layer, ui.model, ui.factor, ui.region, ui.shapes, ui.device):
            box.currentIndexChanged.connect(self._withdraw)
        for field in (ui.first.valueChanged, ui.last.valueChanged, ui.output.textChanged):
            field.connect(self._withdraw)
        ui.open_model.clicked.connect(self._browse_model)
        ui.choose_output.clicked.connect(self._browse_output)
        ui.preview.clicked.connect(self.preview)
        ui.after.toggled.connect(self._show_after)
        ui.enhance.clicked.connect(self.propose)
        ui.copy.clicked.connect(self.copy_command)
        ui.start.clicked.connect(self.start)
        ui.back.clicked.connect(self._withdraw)
        ui.cancel.clicked.connect(self.run.cancel)
        self.run.progressed.connect(ui.show_progress)
        self.run.done.connect(self._finished)
        self.run.stopped.connect(self._stopped)
        # A run outlives neither the dock nor napari. A slot that held the dock itself would keep it alive.
        run = self.run
        self.destroyed.connect(lambda: run.end())
        application = QApplication.instance()
        assert application is not None
        application.aboutToQuit.connect(run.end)

    def event(self, event: QEvent | None) -> bool:
        """Stop what is going on when napari takes the dock out of its window (its × does not close the widget)."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._preview_token.cancel()
            self._plan_token.cancel()
            self.run.end()
        return super().event(event)

    # What there is to choose

    @property
    def layer(self) -> Image | None:
        """The chosen image layer."""
        return self.ui.layer.currentData()

    def _update_layers(self, event: object = None) -> None:
        from napari.layers import Image, Shapes

        plain = [_plain(layer) for layer in self.viewer.layers]
        images = [x for x in reversed(plain) if isinstance(x, Image) and "nanoct preview" not in x.metadata]
        shapes = [x for x in reversed(plain) if isinstance(x, Shapes)]
        active = _plain(self.viewer.layers.selection.active)
        fill_combo(self.ui.shapes, [(x.name, x) for x in shapes])
        if self._preview_layer is not None and self._preview_layer not in plain:
            self._preview_layer = None
            self.ui.after.setEnabled(False)
        if fill_combo(self.ui.layer, [(x.name, x) for x in images], active):
            self._layer_chosen()
            self._withdraw()

    def _layer_chosen(self) -> None:
        if self.layer is None:
            self.ui.status.setText("Open a tomogram, or File > Open Sample > nanoCT.")
            return
        found = attempt(layers.layer_volume, self.layer)
        self.ui.status.setText(found.problem or "")
        if found.value is not None:
            self.ui.set_depth(found.value.shape[0])
        self._typed = False
        self._suggest_output()

    def _fill_models(self, chosen: str | None = None) -> None:
        """List the catalogue, by name, and the opened files; each entry holds {scale: how ``--model`` names it}."""
        from napari_nanoct.utsr import list_models

        names: dict[str, tuple[int, ...]] = {}
        for _, card in list_models():
            names[card.name] = tuple(sorted({*names.get(card.name, ()), card.scale}))
        entries: list[tuple[str, object]] = [(name, (name, scales)) for name, scales in names.items()]
        held = [self.ui.model.itemData(i) for i in range(self.ui.model.count())]
        files = [entry for entry in held if entry[0].endswith(".safetensors")]
        if chosen is not None:
            from napari_nanoct.utsr import read_card

            files = [(chosen, (read_card(chosen).scale,)), *(entry for entry in files if entry[0] != chosen)]
        entries += [(Path(entry[0]).name, entry) for entry in files]
        fill_combo(self.ui.model, entries)
        if chosen is not None:
            self.ui.model.setCurrentIndex(next(i for i, (_, entry) in enumerate(entries) if entry == files[0]))
        self._model_chosen()

    def _model_chosen(self) -> None:
        _, scales = self.ui.model.currentData() or ("", ())
        what = {1: "×1, same grid", 2: "×2, 4 times the pixels", 4: "×4, 16 times the pixels"}
        fill_combo(self.ui.factor, [(what.get(scale, f"×{scale}"), scale) for scale in scales], 1)
        self._suggest_output()

    def open_model(self, path: str) -> None:
        """Offer a model file and choose it; what is wrong with it stands in the status line."""
        self._tell(attempt(self._fill_models, path).problem or "")

    def _browse_model(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a model", "", "Models (*.safetensors)")
        if path:
            self.open_model(path)

    def _browse_output(self) -> None:
        now = self.ui.output.text()
        path, _ = QFileDialog.getSaveFileName(self, "Save the result as", now, "OME-Zarr (*.ome.zarr)")
        if path:
            self.ui.output.setText(path)
            self._typed = True

    def _output_typed(self) -> None:
        self._typed = True

    def _suggest_output(self) -> None:
        if self._typed or self.layer is None or not self.ui.model.currentData():
            return
        model = Path(self.ui.model.currentData()[0]).stem
        self.ui.output.setText(layers.suggested_output(self.layer, f"{model}-x{self.ui.factor.currentData()}"))

    def request(self) -> Request:
        """Return what the controls ask for.

        Raises
        ------
        UserError
            If they ask for something that cannot be done.
        """
        ui = self.ui
        layer = self.layer or self.viewer.layers.selection.active
        volume = layers.layer_volume(layer)
        if ui.model.currentData() is None:
            raise UserError("There is no model; open a model file (.safetensors) with “…”.")
        kind = ui.region.currentIndex()
        if kind == SLICES and ui.first.value() > ui.last.value():
            raise UserError("The first slice comes after the last; give the smaller number first.")
        return Request(
            volume=volume,
            model=ui.model.currentData()[0],
            scale=ui.factor.currentData(),
            device=ui.device.currentData(),
            slices=(ui.first.value(), ui.last.value() + 1) if kind == SLICES else None,
            crop=layers.shape_crop(ui.shapes.currentData(), layer, self.viewer.dims) if kind == SHAPE else None,
            output=ui.output.text().strip(),
        )

    def _tell(self, text: str) -> None:
        """Write the status line, unless a run is using it."""
        if not self.run.running:
            self.ui.status.setText(text)

    # Preview

    def preview(self) -> None:
        """Enhance the slice in view, in a thread; a preview that is still at work is superseded."""
        try:
            request = self.request()
            layer: Any = self.layer
            z = layers.current_slice(layer, self.viewer.dims, request.volume.shape[0])
        except UserError as error:
            self._tell(str(error))
            return
        self._preview_token.cancel()
        token = self._preview_token = CancelToken()
        self._tell(f"Enhancing slice {z}…")
        data = layer.data[0] if layer.multiscale else layer.data

        def then(outcome: Outcome) -> None:
            if token is self._preview_token and not token.cancelled:
                self._previewed(request, layer, z, outcome)

        in_thread(then, self._previewer.compute, request, data, z, token)

    def _previewed(self, request: Request, layer: Image, z: int, outcome: Outcome) -> None:
        if outcome.problem is not None:
            self._tell(outcome.problem)
            return
        if layer not in self.viewer.layers:
            return
        picture = outcome.value if layer.ndim == 2 else outcome.value[None]
        options = {
            **layers.placement(request.placed(z), picture.ndim),
            **layers.look(layer),
            "name": f"{layer.name} preview",
            "metadata": {"nanoct preview": {"model": request.model, "scale": request.scale, "slice": z}},
        }
        old, self._preview_layer = self._preview_layer, None
        if old is not None and old in self.viewer.layers:
            self.viewer.layers.remove(old)
        selected = self.viewer.layers.selection.active
        added = self.viewer.add_image(picture, **options)
        self.viewer.layers.selection.active = selected
        self.viewer.layers.move(len(self.viewer.layers) - 1, self.viewer.layers.index(layer) + 1)
        self._preview_layer = _plain(added)
        self.ui.after.setEnabled(True)
        self.ui.after.setChecked(True)
        self._tell(f"Slice {z} enhanced with {Path(request.model).name} ×{request.scale}.")

    def _show_after(self, shown: bool) -> None:
        if self._preview_layer is not None:
            self._preview_layer.visible = shown

    # Volume run

    def propose(self) -> None:
        """Work out what a volume run takes, and ask whether to start it."""
        self._make_plan(self._ask)

    def copy_command(self) -> None:
        """Put the shell line of the volume run on the clipboard."""
        self._make_plan(self._copy)

    def _make_plan(self, then: Any) -> None:
        if self.run.running:
            return
        try:
            request = self.request()
        except UserError as error:
            self._tell(str(error))
            return
        self._withdraw()
        token = self._plan_token = CancelToken()
        self._tell("Looking at the layer…")

        def planned(outcome: Outcome) -> None:
            if token.cancelled or self.run.running:
                return
            self._tell(outcome.problem or "")
            if outcome.value is not None:
                then(outcome.value)

        in_thread(planned, make_plan, request)

    def _ask(self, plan: Plan) -> None:
        self._plan = plan
        self.ui.question.setText(plan.question())
        self.ui.start.setText("Replace and start" if plan.replaces else "Start")
        self.ui.confirmation.show()
        self.ui.start.setFocus()

    def _copy(self, plan: Plan) -> None:
        if not plan.settings.input:
            self._tell(
                f"“{plan.request.volume.name}” is not on disk, so a shell cannot read it; save the layer "
                "(File > Save Selected Layers) and open the file."
            )
            return
        words = ["nanoct", *plan.settings.arguments()]
        line = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
        clipboard = QApplication.clipboard()
        assert clipboard is not None
        clipboard.setText(line)
        self._tell("The command is on the clipboard.")

    def _withdraw(self, *_: object) -> None:
        """Take the question back: what was asked for has changed."""
        self._plan_token.cancel()
        self._plan = None
        self.ui.confirmation.hide()

    def start(self) -> None:
        """Start the run that was proposed."""
        plan = self._plan
        if plan is None or self.run.running:
            return
        self._withdraw()
        self.ui.set_busy(True)
        self._started = (plan.request, self.layer)
        self.run.start(plan)

    def _stopped(self, sentence: str) -> None:
        self.ui.set_busy(False)
        self.ui.status.setText(sentence)

    def _finished(self, done: Done) -> None:
        self.ui.set_busy(False)
        assert self._started is not None
        request, layer = self._started
        options = {"ndim": min(layer.ndim, 3), "name": f"{layer.name} enhanced", **layers.look(layer)}

        def opened(outcome: Outcome) -> None:
            if outcome.problem is not None:
                self._tell(outcome.problem)
                return
            data, layer_options, _ = outcome.value
            self.viewer.add_image(data, **layer_options)
            self._tell(f"Done in {time_text(done.seconds)}: {done.output}")

        in_thread(opened, _result_layer, done.output, request, options)


def _plain(layer: Any) -> Any:
    """Return the layer itself where napari hands a plugin a proxy of it."""
    return getattr(layer, "__wrapped__", layer)


def _result_layer(output: str, request: Request, options: dict[str, Any]) -> LayerData:
    """Open a result as layer data that lies over its layer."""
    from dataclasses import replace

    from napari_nanoct.volumes import open_volume

    first = request.slices[0] if request.slices else 0
    return layer_data(replace(open_volume(output), geometry=request.placed(first)), **options)
