"""The list of pairs saved to a file and loaded again, with the layers that it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QFileDialog

from napari_nanoct.docks.choices import offered
from napari_nanoct.docks.finetune.controls import PAIRS
from napari_nanoct.docks.finetune.files import Loaded, keep, load
from napari_nanoct.docks.finetune.matching import Matcher
from napari_nanoct.docks.finetune.regions import shapes_of
from napari_nanoct.docks.threads import Outcome
from napari_nanoct.errors import UserError
from napari_nanoct.finetune.project import check_name

if TYPE_CHECKING:
    import napari

    from napari_nanoct.docks.finetune.choices import TuneChoices
    from napari_nanoct.docks.finetune.pairs import PairList
    from napari_nanoct.jobs import Progress

FILES = "Slice pairs (*.json)"


class PairFiles(QObject):
    """Wires the buttons that save and load.

    Parameters
    ----------
    viewer : napari.Viewer
        It gets the layers that a file names.
    ui : TuneChoices
        Buttons and status line.
    pairs : PairList
        What is saved; its thread does the work.
    """

    _copying = Signal(object)

    def __init__(self, viewer: napari.Viewer, ui: TuneChoices, pairs: PairList) -> None:
        super().__init__()
        self.viewer, self.ui, self.pairs = viewer, ui, pairs
        ui.save.clicked.connect(self._browse_save)
        ui.load.clicked.connect(self._browse_load)
        self._copying.connect(self._copied)

    def _copied(self, progress: Progress) -> None:
        if self.pairs.busy:
            self.ui.show_progress(progress.done, progress.total, progress.message)

    def save(self, path: str) -> None:
        """Write the project; a layer that is not on disk is copied beside it."""
        try:
            check_name(Path(path))
            scans, project = self.pairs.project()
        except UserError as error:
            self.ui.status.setText(str(error))
            return

        def then(outcome: Outcome) -> None:
            self.pairs.finish()
            self.ui.status.setText(outcome.problem if outcome.problem is not None else f"Pairs saved: {path}")

        self.pairs.begin("Saving…")
        self.pairs.work.start(then, keep, scans, project, Path(path), self._copying.emit)

    def open(self, path: str) -> None:
        """Read a project, add the layers that it names and are not there, and show its pairs."""

        def then(outcome: Outcome) -> None:
            self.pairs.finish()
            self.ui.status.setText(outcome.problem or "")
            if outcome.value is not None:
                self._show(outcome.value)

        self.pairs.begin("Reading the pairs…")
        self.pairs.work.start(then, load, Path(path))

    def _show(self, loaded: Loaded) -> None:
        low = self._layer(loaded.low)
        high = None if loaded.high is None else self._layer(loaded.high)
        project = loaded.project
        self.ui.choose_scans(low, high, project.method, project.factor)
        self.pairs.clear()
        for use, box in ((True, self.ui.use), (False, self.ui.leave)):
            regions = [region for region in project.regions if region.use == use]
            if regions:
                polygons, options = shapes_of(regions, low, [match.low_slice for match in project.matches])
                shapes = self.viewer.add_shapes(polygons, name="used" if use else "left out", **options)
                box.setCurrentIndex(box.findText(shapes.name))
            else:
                box.setCurrentIndex(0)
        self.pairs.start(Matcher(self.ui.scans(), replace(project, matches=(), regions=())))
        for entry in loaded.entries:
            self.pairs.insert(entry)
        self.ui.tabs.setCurrentIndex(PAIRS)
        self.ui.status.setText(self.pairs.summary())

    def _layer(self, found: tuple[Any, dict[str, Any], str]) -> Any:
        """Return the image layer that shows a file, or add one."""
        from napari.layers import Image

        data, options, _ = found
        source = options["metadata"]["source"]
        for layer in offered(self.viewer, Image):
            if str(layer.metadata.get("source") or layer.source.path) == source:
                return layer
        return self.viewer.add_image(data, **options)

    def _browse_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self.ui, "Save the pairs", "pairs.json", FILES)
        if path:
            self.save(path)

    def _browse_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.ui, "Load pairs", "", FILES)
        if path:
            self.open(path)
