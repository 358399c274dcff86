"""The tab that measures: table, plots, aperture, CSV; and original against enhanced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog

from napari_nanoct.docks.choices import plain
from napari_nanoct.docks.cracks.overlay import view_window
from napari_nanoct.docks.cracks.proposal import near
from napari_nanoct.docks.cracks.results import CrackLayer, Measured, measure, summary
from napari_nanoct.docks.layers import current_slice, labels_volume
from napari_nanoct.docks.threads import Latest, Outcome, attempt
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

    from napari_nanoct.cracks.measurement import Crack
    from napari_nanoct.docks.cracks.choices import CrackChoices, Request
    from napari_nanoct.docks.cracks.compare import Compared
    from napari_nanoct.docks.cracks.scribbling import Scribbling
    from napari_nanoct.volumes import Volume


class Measures(QObject):
    """Wires the measuring tab to the Labels layer whose cracks it shows.

    Parameters
    ----------
    viewer : napari.Viewer
        It gets the coloured layers.
    ui : CrackChoices
        Table, buttons and status line.
    scribbling : Scribbling
        Whose scribbles are compared by.
    """

    _said = Signal(str)

    def __init__(self, viewer: napari.Viewer, ui: CrackChoices, scribbling: Scribbling) -> None:
        super().__init__()
        self.viewer, self.ui, self.scribbling = viewer, ui, scribbling
        self.shown: CrackLayer | None = None
        self.work = Latest()
        ui.measure.clicked.connect(self.measure)
        ui.table.chosen.connect(self._chosen)
        ui.aperture.clicked.connect(self.add_aperture)
        ui.export.clicked.connect(self._browse_export)
        ui.plots.clicked.connect(self.show_plots)
        viewer.layers.events.removed.connect(self._removed)
        ui.compare.clicked.connect(self.compare)
        self._said.connect(ui.status.setText)

    def measure(self) -> None:
        """Measure the cracks of the selected Labels layer, else of the topmost that lies on the chosen image's grid."""
        try:
            request = self.ui.request()
            layer = self._labels(request)
        except UserError as error:
            self.ui.status.setText(str(error))
            return
        self.measure_layer(layer, request)

    def measure_layer(self, layer: Labels, request: Request, after: str = "") -> None:
        """Measure the cracks of a layer on the grid of the request's volume, in a thread, and then say `after`."""
        self.ui.status.setText(f"Measuring “{layer.name}”…")

        def then(outcome: Outcome) -> None:
            if outcome.value is None:
                self.ui.status.setText(outcome.problem or "")
            elif layer in self.viewer.layers:
                self.show(layer, outcome.value)
                self.ui.status.setText(after or f"Measured “{layer.name}”.")

        def say(done: int, total: int, said: Any = self._said) -> None:
            said.emit(f"Measuring: {done} of {total} blocks")

        labels = labels_volume(layer).data
        # Of a part of the volume, as a proposal looks at, they are not on the grid.
        mask, pores = (
            None if given is None or isinstance(given, str) or given.shape != request.volume.shape else given.data
            for given in (request.mask, request.pores)
        )
        self.work.start(then, measure, labels, request.volume, request.original, mask, pores, request.dark, say)

    def show(self, layer: Labels, measured: Measured) -> None:
        """Show measured cracks in the table and in the layer's colours."""
        self.shown = CrackLayer(self.viewer, layer, measured)
        measurement = measured.measurement
        self.ui.table.show_cracks(measurement.cracks, measurement.geometry.unit)
        self.ui.summary.setText(f"“{layer.name}”: {summary(measurement)}")
        self._enable(bool(measurement.cracks))

    def add_aperture(self) -> None:
        """Add the local opening as a coloured layer."""
        if self.shown is not None:
            self.shown.add_aperture()

    def export(self, path: str) -> None:
        """Write the table."""
        from napari_nanoct.cracks.table import write_csv

        if self.shown is not None:
            source = self.shown.layer.metadata.get("source", "")
            sources = {"layer": self.shown.layer.name, "file": str(source)}
            written = attempt(write_csv, Path(path), self.shown.measured.measurement, sources)
            files = " and ".join(map(str, written.value or ()))
            self.ui.status.setText(written.problem or f"Written: {files}")

    def show_plots(self) -> None:
        """Show the plots in a window of their own."""
        from napari_nanoct.cracks.plots import draw_measurement
        from napari_nanoct.docks.cracks.plots import PlotWindow

        if self.shown is not None:
            measurement = self.shown.measured.measurement
            window = PlotWindow(
                self.ui, f"Cracks of {self.shown.layer.name}", lambda f: draw_measurement(f, measurement)
            )
            window.show()

    def compare(self) -> None:
        """Let the same scribbles teach a classifier for each of the two layers, and show what these find.

        A selected Labels layer on the same grid counts as the truth.
        """
        from napari_nanoct.docks.cracks.compare import compare

        try:
            request, image = self.ui.request(), self.ui.image
            assert image is not None
            z = current_slice(image, self.viewer.dims, request.volume.shape[0])
        except UserError as error:
            self.ui.status.setText(str(error))
            return
        chosen = plain(self.viewer.layers.selection.active)
        truth = _fitting(chosen, request.volume) if chosen in self.ui.labels_layers() else None
        y0, y1, x0, x1 = view_window(image, request.volume.shape[1:])
        part = near(request.volume.shape, (z, (y0 + y1) // 2, (x0 + x1) // 2))
        self.ui.status.setText("Comparing…")

        def then(outcome: Outcome) -> None:
            self.ui.status.setText(outcome.problem or "")
            if outcome.value is not None:
                self._show_comparison(outcome.value)

        self.work.start(then, compare, request, self.scribbling.store, truth, part, z, self._said.emit)

    def _show_comparison(self, found: Compared) -> None:
        from napari_nanoct.cracks.comparison import write_comparison
        from napari_nanoct.docks.cracks.compare import draw_comparison, score_text
        from napari_nanoct.docks.cracks.plots import PlotWindow

        ui = self.ui

        def export(path: str) -> None:
            written = attempt(write_comparison, Path(path), found.comparison)
            ui.status.setText(written.problem or f"Written: {path}")

        ui.status.setText(score_text(found))
        PlotWindow(ui, "Original against enhanced", lambda figure: draw_comparison(figure, found), export).show()

    def _labels(self, request: Request) -> Labels:
        active = plain(self.viewer.layers.selection.active)
        there = self.ui.labels_layers()
        if active in there:
            there = [active]
        fitting = [layer for layer in there if _fitting(layer, request.volume) is not None]
        if fitting:
            return fitting[0]
        if there:
            raise UserError(
                f"The layers “{there[0].name}” {labels_volume(there[0]).shape} and “{request.volume.name}” "
                f"{request.volume.shape} differ in shape; choose the image that the labels were made over."
            )
        raise UserError("There are no crack labels to measure; propose cracks or segment the volume first.")

    def _chosen(self, crack: Crack) -> None:
        if self.shown is not None:
            self.shown.go_to(crack)

    def _removed(self, event: Any) -> None:
        if self.shown is not None and plain(event.value) is self.shown.layer:
            self.shown = None
            self.ui.table.show_cracks((), "pixel")
            self.ui.summary.setText("")
            self._enable(False)

    def _enable(self, on: bool) -> None:
        for button in (self.ui.plots, self.ui.aperture, self.ui.export):
            button.setEnabled(on)

    def _browse_export(self) -> None:
        from napari_nanoct.cracks.table import table_files

        name, _ = QFileDialog.getSaveFileName(self.ui, "Save the table", "cracks.csv", "Table (*.csv)")
        if not name:
            return
        path = Path(name if name.lower().endswith(".csv") else f"{name}.csv")
        # The dialog asks whether to replace the file that was named, not about the one beside it.
        asked = path == Path(name) and path.exists()
        there = [] if asked else [file for file in table_files(path) if file.exists()]
        if there:
            self.ui.status.setText(f"{there[0]} is there already and would be replaced: give the table another name.")
        else:
            self.export(str(path))


def _fitting(layer: Any, image: Volume) -> Volume | None:
    """Return the labels of a layer, None where they are not of one volume or have another shape than the image."""
    labels = attempt(labels_volume, layer).value
    return labels if labels is not None and labels.shape == image.shape else None
