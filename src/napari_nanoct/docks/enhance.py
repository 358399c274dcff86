"""The enhance dock: preview a slice, enhance a volume, get the result as a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nanoct.docks import layers
from napari_nanoct.docks.asking import Asking, copy_command
from napari_nanoct.docks.choices import PREVIEW, EnhanceChoices, plain
from napari_nanoct.docks.plan import Plan, launch, make_plan, time_text
from napari_nanoct.docks.preview import Previewer, Request
from napari_nanoct.docks.reader import LayerData, layer_data
from napari_nanoct.docks.threads import Latest, Outcome
from napari_nanoct.docks.volume_run import VolumeRun
from napari_nanoct.docks.widgets import end_with
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken, Done

if TYPE_CHECKING:
    import napari
    from napari.layers import Image


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
        self.ui = EnhanceChoices(napari_viewer)
        QVBoxLayout(self).addWidget(self.ui)
        self.run = VolumeRun()
        self.asking = Asking(self.ui, self.run)
        self.preview_layer: Image | None = None
        self._after: Image | None = None
        self._started: tuple[Request, Image] | None = None
        self._previewer = Previewer()
        self._preview, self._opening = Latest(), Latest()
        self._connect()

    def _connect(self) -> None:
        ui = self.ui
        self.viewer.layers.events.removed.connect(self._forget)
        ui.preview.clicked.connect(self.preview)
        ui.after.toggled.connect(self._show_after)
        ui.enhance.clicked.connect(self.propose)
        ui.copy.clicked.connect(self.copy_command)
        ui.start.clicked.connect(self.start)
        ui.cancel.clicked.connect(self.run.cancel)
        self.run.done.connect(self._finished)
        self.run.stopped.connect(self._stopped)
        # Nothing outlives the dock or napari. The closure must not hold the dock itself: that would keep it alive.
        run, work = self.run, (self._preview, self.asking, self._opening)

        def end() -> None:
            for piece in work:
                piece.cancel()
            run.end()

        self._end = end
        end_with(self, end)

    @property
    def plan(self) -> Plan | None:
        """The run that the dock asks about."""
        return self.asking.plan

    def event(self, event: QEvent | None) -> bool:
        """Stop what is going on when napari takes the dock out of its window: its × does not close the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._end()
            self._stopped("")
        return super().event(event)

    # Preview

    def preview(self) -> None:
        """Enhance the slice in view, in a thread; a preview that is still at work is superseded."""
        ui = self.ui
        try:
            request = ui.request()
            layer: Any = ui.image
            z = layers.current_slice(layer, self.viewer.dims, request.volume.shape[0])
        except UserError as error:
            ui.status.setText(str(error))
            return
        ui.status.setText(f"Enhancing slice {z}…")
        data = layer.data[0] if layer.multiscale else layer.data

        def then(outcome: Outcome) -> None:
            ui.status.setText(outcome.problem or "")
            if outcome.problem is None and layer in self.viewer.layers:
                self._show_preview(request, layer, z, outcome.value)

        self._preview.start(then, self._previewer.compute, request, data, z)

    def _show_preview(self, request: Request, layer: Image, z: int, picture: Any) -> None:
        picture = picture if layer.ndim == 2 else picture[None]
        place = layers.placement(request.placed(z), picture.ndim)
        about = {PREVIEW: {"layer": layer.name, "model": request.model, "scale": request.scale, "slice": z}}
        shown = self.preview_layer
        if shown is not None and shown.metadata[PREVIEW]["layer"] == layer.name and shown.ndim == picture.ndim:
            shown.data = picture  # much cheaper than another layer, and keeps the place in the list
            for name, value in {**place, "metadata": about}.items():
                setattr(shown, name, value)
        else:
            self._add_preview(picture, layer, name=f"{layer.name} preview", metadata=about, **place)
        self._raise(self.preview_layer)
        self._offer(self.preview_layer)
        self.ui.status.setText(f"Slice {z} enhanced with {Path(request.model).name} ×{request.scale}.")

    def _add_preview(self, picture: Any, layer: Image, **options: Any) -> None:
        """Add the preview in place of that of another layer; the same layers stay selected."""
        stack, active = self.viewer.layers, plain(self.viewer.layers.selection.active)
        if self.preview_layer is not None:
            stack.remove(self.preview_layer)
        self.preview_layer = plain(self.viewer.add_image(picture, **options, **layers.look(layer)))
        stack.selection.active = active if active in stack else layer

    def _raise(self, layer: Any) -> None:
        """Put the layer above all image layers, which would hide it, and below what is drawn over them."""
        from napari.layers import Image

        stack = self.viewer.layers
        place = stack.index(layer)
        under = [i for i, other in enumerate(stack) if isinstance(other, Image) and i != place]
        stack.move(place, max(under) + 1)

    def _offer(self, layer: Any) -> None:
        """Let the before/after box switch this layer, which is shown now."""
        self._after = plain(layer)
        self.ui.after.setEnabled(True)
        self.ui.after.setChecked(True)

    def _show_after(self, shown: bool) -> None:
        if self._after is not None:
            self._after.visible = shown

    def _forget(self, event: Any) -> None:
        """Let go of a layer that was removed."""
        removed = plain(event.value)
        if removed is self.preview_layer:
            self.preview_layer = None
        if removed is self._after:
            self._after = None
            self.ui.after.setEnabled(False)

    # Volume run

    def propose(self) -> None:
        """Work out what a volume run takes, and ask whether to start it."""
        self._make_plan(self.asking.ask)

    def copy_command(self) -> None:
        """Put the shell line of the volume run on the clipboard."""
        self._make_plan(self._copy)

    def _make_plan(self, then: Callable[[Plan], None]) -> None:
        self.asking.work_out(then, "Measuring the speed…", make_plan, lambda: (self.ui.request(),))

    def _copy(self, plan: Plan) -> None:
        self.ui.status.setText(copy_command(plan))

    def start(self) -> None:
        """Start the run that was proposed."""
        plan, layer = self.plan, self.ui.image
        if plan is None or layer is None or self.run.running:
            return
        self.asking.withdraw()
        self._started = (plan.request, layer)
        self.ui.status.setText("")
        self.ui.set_busy(True)
        self.run.start(*launch(plan))

    def _stopped(self, sentence: str) -> None:
        self.ui.set_busy(False)
        self.ui.status.setText(sentence)

    def _finished(self, done: Done) -> None:
        self._stopped(f"Done in {time_text(done.seconds)}: {done.output}")
        assert self._started is not None
        request, layer = self._started
        options = {"ndim": min(layer.ndim, 3), "name": f"{layer.name} enhanced", **layers.look(layer)}

        def opened(outcome: Outcome) -> None:
            if outcome.problem is not None:
                self.ui.status.setText(outcome.problem)
                return
            data, layer_options, _ = outcome.value
            if self.preview_layer is not None:
                self.preview_layer.visible = False
            self._offer(self.viewer.add_image(data, **layer_options))

        self._opening.start(opened, _result, done.output, request, options)


def _result(output: str, request: Request, options: dict[str, Any], cancel: CancelToken) -> LayerData:
    """Open a result as layer data that lies over its layer."""
    from napari_nanoct.volumes import open_volume

    first = request.slices[0] if request.slices else 0
    volume = replace(open_volume(output), geometry=request.placed(first))
    cancel.check()
    return layer_data(volume, **options)
