"""Scribbling over a layer: brushes, undo, and a store on disk that comes back with the volume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import QInputDialog

from napari_nanoct.cracks.scribbles import ScribbleStore, open_scribbles, scribbles_path
from napari_nanoct.docks.choices import plain
from napari_nanoct.docks.cracks.brushes import Brushes
from napari_nanoct.docks.layers import show_slice
from napari_nanoct.docks.threads import Latest, Outcome, attempt, in_thread

if TYPE_CHECKING:
    from pathlib import Path

    import napari
    from napari.layers import Image

    from napari_nanoct.docks.cracks.choices import CrackChoices
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Volume

SAVE_MS = 300
"""Quiet after a stroke before it goes to disk."""


class Scribbling(QObject):
    """Wires the brush buttons to a layer and its store.

    Signals
    -------
    stroked
        Scribbles have changed.

    Parameters
    ----------
    viewer : napari.Viewer
        It gets the layer.
    ui : CrackChoices
        Brush buttons, output and status line.
    """

    stroked = Signal()

    def __init__(self, viewer: napari.Viewer, ui: CrackChoices) -> None:
        super().__init__()
        self.viewer, self.ui = viewer, ui
        self.brushes = Brushes(viewer)
        self._wanted: int | None = None
        self._edits = 0
        self._opening = Latest()
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(SAVE_MS)
        self._saving.timeout.connect(self._save)
        ui.output.editingFinished.connect(self.open)
        ui.classes.idClicked.connect(self.paint)
        ui.erase.clicked.connect(self.erase)
        ui.undo.clicked.connect(self.undo)
        ui.add_class.clicked.connect(self._ask_class)
        viewer.layers.events.removed.connect(self._removed)
        ui.show_brushes(self.brushes.classes, self.brushes.colours)

    @property
    def store(self) -> ScribbleStore | None:
        """The scribbles, if any were made."""
        store = self.brushes.store
        return store if store is not None and store.labelled_slices() else None

    def follow(self) -> None:
        """Turn to another layer: its scribbles come back if there are any."""
        self._forget()
        self._wanted = None
        self.ui.show_brushes(self.brushes.classes, self.brushes.colours)
        self.open()

    def open(self) -> None:
        """Look for scribbles beside the output, in a thread; those at hand stay while there are none."""
        volume, image, output = attempt(self.ui.volume).value, self.ui.image, self.ui.output.text().strip()
        if volume is None or image is None or not output:
            return
        path = scribbles_path(output)
        if self._stays(path):
            return

        def then(outcome: Outcome) -> None:
            if outcome.value is None:
                self.ui.status.setText(outcome.problem or "")
            elif image in self.viewer.layers and not self._stays(path):  # what was painted meanwhile counts
                self._take(outcome.value, image)

        self._opening.start(then, _open, path, volume, tuple(self.brushes.unsaved))

    def _stays(self, path: Path) -> bool:
        """Whether the scribbles at hand are those of a path, or the only ones there are."""
        store = self.brushes.store
        return store is not None and (path == store.path or bool(store.labelled_slices() and not path.exists()))

    def paint(self, number: int) -> None:
        """Take the brush of a class; 0 erases."""
        image, problem = self.ui.image, attempt(self.ui.volume).problem
        if problem is not None or image is None:
            self.ui.status.setText(problem or "")
        elif self.brushes.store is None:
            self._wanted = number  # the store is being looked for; a problem with it is said once more
            self.open()
        else:
            layer = self.brushes.take(image, number)
            for event in (layer.events.paint, layer.events.set_data):  # an undo by Ctrl+Z only tells the second
                event.connect(self._look_for_strokes)
            for event in (image.events.scale, image.events.translate, image.events.affine, image.events.units):
                event.connect(self._moved)
            button = self.ui.classes.button(number)
            if button is not None:
                button.setChecked(True)

    def erase(self) -> None:
        """Erase scribbles."""
        self.paint(0)

    def undo(self) -> None:
        """Take the last stroke back and go to its slice."""
        z, image = self.brushes.undo(), self.ui.image
        if z is None or image is None:
            self.ui.status.setText("There is no stroke to take back.")
            return
        show_slice(image, self.viewer.dims, z)
        self._look_for_strokes()

    def add_class(self, name: str) -> None:
        """Add a class of this name, and take its brush."""
        store = self.brushes.store
        if store is None:
            self.ui.status.setText("There is nothing to scribble on yet; choose a layer first.")
            return
        added = attempt(store.add_class, name)
        self.ui.status.setText(added.problem or "")
        if added.value is not None:
            self.ui.show_brushes(self.brushes.classes, self.brushes.colours)
            self.brushes.colour()
            self.paint(added.value)

    def end(self) -> None:
        """Stop, with all that was painted on disk."""
        self._opening.cancel()
        for store in (self.brushes.store, *self.brushes.unsaved):
            if store is not None:
                attempt(store.flush)

    def close(self) -> None:
        """Take the layer away, for nobody keeps what is painted on it from now on; it stays if it cannot be written."""
        store = self.brushes.store
        if store is not None and attempt(store.flush).problem is None:
            self._forget()

    def _ask_class(self) -> None:
        name, given = QInputDialog.getText(self.ui, "Another class", "Its name, for example binder:")
        if given:
            self.add_class(name)

    def _take(self, store: ScribbleStore, image: Image) -> None:
        self._forget()
        if store in self.brushes.unsaved:
            self.brushes.unsaved.remove(store)
        self.brushes.store, self._edits = store, store.edits
        self.ui.show_brushes(self.brushes.classes, self.brushes.colours)
        slices = store.labelled_slices()
        if slices:
            active = plain(self.viewer.layers.selection.active)
            self.paint(1)
            self.viewer.layers.selection.active = active
            what = f"{len(slices)} slices" if len(slices) > 1 else f"slice {slices[0]}"
            self.ui.status.setText(f"The scribbles on {what} are back, from {store.path}.")
            self.stroked.emit()
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self.paint(wanted)

    def _forget(self) -> None:
        problem = attempt(self.brushes.let_go).problem
        if problem:
            self.ui.status.setText(problem)

    def _look_for_strokes(self, event: object = None) -> None:
        store = self.brushes.store
        if store is not None and store.edits != self._edits:
            self._edits = store.edits
            self._saving.start()
            self.stroked.emit()

    def _save(self) -> None:
        if self.brushes.store is not None:
            in_thread(self._saved, self.brushes.store.flush)

    def _saved(self, outcome: Outcome) -> None:
        if outcome.problem:
            self.ui.status.setText(outcome.problem)

    def _moved(self, event: object = None) -> None:
        """Keep the scribbles over their image, as when it gets its voxel size after the first strokes."""
        if self.brushes.layer is not None and self.ui.image is not None:
            self.brushes.place(self.ui.image)

    def _removed(self, event: Any) -> None:
        if plain(event.value) is self.brushes.layer:
            self.brushes.layer = None  # the store keeps what was painted; the next brush shows it again


def _open(path: Path, volume: Volume, unsaved: tuple[ScribbleStore, ...], cancel: CancelToken) -> ScribbleStore:
    from napari_nanoct.volumes import fingerprint

    mark = fingerprint(volume) if unsaved else ""
    mine = (store for store in unsaved if store.fingerprint == mark and (store.path == path or not path.exists()))
    found = next(mine, None) or open_scribbles(path, volume)
    cancel.check()
    return found
