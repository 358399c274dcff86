"""The fine-tune dock: pair slices, train, see what it brings, use the new model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_nanoct.docks.finetune.choices import TuneChoices
from napari_nanoct.docks.finetune.pairs import PairList
from napari_nanoct.docks.finetune.run import TuneRun
from napari_nanoct.docks.finetune.saved import PairFiles
from napari_nanoct.docks.threads import attempt
from napari_nanoct.docks.widgets import end_with

if TYPE_CHECKING:
    import napari

    from napari_nanoct.docks.enhance import EnhanceDock
    from napari_nanoct.jobs import Done

PLUGIN = "napari-nanoct"


class FinetuneDock(QWidget):
    """Pair slices of two layers, or of one with itself, and train a model on them.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.ui = TuneChoices(napari_viewer)
        QVBoxLayout(self).addWidget(self.ui)
        self.setSizePolicy(self.ui.sizePolicy())
        self.pairs = PairList(napari_viewer, self.ui)
        self.files = PairFiles(napari_viewer, self.ui, self.pairs)
        self.run = TuneRun(self.ui, self.pairs)
        self.trained: tuple[str, int] | None = None
        self._connect()

    def _connect(self) -> None:
        pairs, run, learning = self.pairs, self.run, self.ui.learning
        self.ui.cancel.clicked.connect(self.stop)
        run.trained.connect(self._trained)
        learning.wanted.connect(self.use_in_enhance)
        # Nothing outlives the dock or napari. The closure must not hold the dock itself: that would keep it alive.
        work = (pairs.work, learning.work)

        def end() -> None:
            for piece in work:
                piece.cancel()
            run.end()

        self._end = end
        end_with(self, end)

    def event(self, event: QEvent | None) -> bool:
        """Stop what is going on when napari takes the dock out of its window: its × does not close the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.pairs.stop()
            self._end()
            self.run.stopped("")
        return super().event(event)

    def stop(self) -> None:
        """Stop what is going on: the training, whose best so far is kept, or the search for pairs."""
        if self.run.running:
            self.run.process.cancel()
        else:
            self.pairs.stop()

    def _trained(self, done: Done) -> None:
        """Show how the new model compares with its parent."""
        record = done.record
        model, parent = record["model"], record["parent"]
        self.trained = (model["name"], model["scale"])
        figures: Mapping[str, Any] = record["quality"]["held_out"]
        rows = [(name, figures.get(name, {})) for name in (parent["name"], model["name"])]
        self.ui.learning.conclude(rows, record["message"])
        self.ui.tell_place()

    def use_in_enhance(self) -> EnhanceDock | None:
        """Open the Enhance dock, or bring it to the front, with the new model and the low-resolution layer."""
        if self.trained is None or self.ui.image is None:
            self.ui.status.setText("There is no layer to enhance; open the tomogram first.")
            return None
        area, dock = self.viewer.window.add_plugin_dock_widget(PLUGIN, "Enhance", tabify=True)
        area.show()
        area.raise_()
        said = attempt(dock.ui.choose, self.ui.image, *self.trained)
        self.ui.status.setText(said.problem or "The Enhance dock has the new model.")
        return dock
