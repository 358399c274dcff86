"""The cracks dock: propose, scribble, preview live, segment the volume, measure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_nanoct.docks import layers
from napari_nanoct.docks.choices import plain
from napari_nanoct.docks.cracks.choices import CrackChoices
from napari_nanoct.docks.cracks.controls import CLASSIFIER, MEASURE
from napari_nanoct.docks.cracks.measures import Measures
from napari_nanoct.docks.cracks.overlay import view_window
from napari_nanoct.docks.cracks.preview import LivePreview, Look
from napari_nanoct.docks.cracks.proposal import PROPOSED, Proposed, is_proposal, mark, propose_near
from napari_nanoct.docks.cracks.run import SegmentRun
from napari_nanoct.docks.cracks.scribbling import Scribbling
from napari_nanoct.docks.cracks.teacher import Teacher
from napari_nanoct.docks.threads import Latest, Outcome, attempt
from napari_nanoct.docks.widgets import end_with
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels

    from napari_nanoct.cracks.classifier import CrackClassifier
    from napari_nanoct.cracks.scribbles import ScribbleStore
    from napari_nanoct.docks.cracks.choices import Request
    from napari_nanoct.jobs import CancelToken

FILES = "Crack classifiers (*.json)"


class CracksDock(QWidget):
    """Choose a layer, find cracks with or without scribbles, segment the volume, see what the cracks are.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose layers are offered and that gets the results.
    """

    def __init__(self, napari_viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.ui = CrackChoices(napari_viewer)
        QVBoxLayout(self).addWidget(self.ui)
        self.setSizePolicy(self.ui.sizePolicy())
        self.scribbling = Scribbling(napari_viewer, self.ui)
        self.live = LivePreview(napari_viewer, self._look)
        self.measures = Measures(napari_viewer, self.ui, self.scribbling)
        self.run = SegmentRun(napari_viewer, self.ui, self._current)
        self.loaded: CrackClassifier | None = None
        self._teacher: Teacher | None = None
        self._taught: object = None  # the layer's data that it learns from
        self._searching, self._proposing, self._saving = Latest(), Latest(), Latest()
        self._connect()
        self._layer_changed()

    def _connect(self) -> None:
        ui, live = self.ui, self.live
        ui.layer_changed.connect(self._layer_changed)
        ui.propose.clicked.connect(self.propose)
        ui.next.clicked.connect(self.next_slice)
        ui.save.clicked.connect(self._browse_save)
        ui.load.clicked.connect(self._browse_load)
        ui.live.toggled.connect(live.switch)
        ui.live.toggled.connect(self._by_classifier)
        ui.probability.toggled.connect(live.overlay.show_probability)
        for changed in (ui.high.valueChanged, ui.low.valueChanged, ui.inside.currentIndexChanged):
            changed.connect(live.touch)
        live.said.connect(ui.status.setText)
        live.learned.connect(self._learned)
        self.scribbling.stroked.connect(self._stroked)
        self.run.segmented.connect(self._segmented)
        self.viewer.dims.events.current_step.connect(live.touch)
        # Nothing outlives the dock or napari. The closure must not hold the dock itself: that would keep it alive.
        work = (self._searching, self._proposing, self._saving, self.measures.work)
        parts = (self.scribbling, self.live, self.run)

        def end() -> None:
            for piece in work:
                piece.cancel()
            for part in parts:
                part.end()

        self._end = end
        end_with(self, end)

    def event(self, event: QEvent | None) -> bool:
        """Stop what is going on when napari takes the dock out of its window: its × does not close the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.ui.live.setChecked(False)
            self._end()
            self.run.stopped("")
            self.scribbling.close()
        return super().event(event)

    def _layer_changed(self) -> None:
        """Let go of what belongs to the layer before, and turn to the new one."""
        self.ui.live.setChecked(False)
        for piece in (self._searching, self._proposing, self._saving):
            piece.cancel()
        self.ui.learned.setText("")
        attempt(self._teach)
        self.scribbling.follow()

    def _teach(self) -> Teacher:
        """Return what learns from the layer as it is now: its values or its voxel size may have changed."""
        volume, image = self.ui.volume(), self.ui.image
        data = image.data if image is not None else None
        if self._teacher is None or self._taught is not data or self._teacher.volume.geometry != volume.geometry:
            made_by = image.metadata.get("nanoct", {}).get("model", {}) if image is not None else {}
            self._teacher, self._taught = Teacher(volume, str(made_by.get("sha256", ""))), data
            if self.loaded is not None:
                fitted = attempt(self.loaded.applied_to, volume.geometry).value
                self.loaded = fitted[0] if fitted is not None else None
        return self._teacher

    # Without labels

    def propose(self) -> None:
        """Find clear cracks, in the whole volume or around the slice in view, and measure them."""
        try:
            request, image, z = self._here()
        except UserError as error:
            self.ui.status.setText(str(error))
            return
        self.ui.status.setText("Looking for cracks…")

        def then(outcome: Outcome) -> None:
            self.ui.status.setText(outcome.problem or "")
            if outcome.value is not None and image in self.viewer.layers:
                self._show_proposal(outcome.value, request, image)

        self._proposing.start(then, propose_near, request, z, view_window(image, request.volume.shape[1:]))

    def _show_proposal(self, found: Proposed, request: Request, image: Image) -> None:
        self.ui.status.setText(found.message)
        if not found.clear:
            return
        name = f"{image.name} proposed cracks"
        for layer in [layer for layer in self.viewer.layers if is_proposal(layer, name)]:
            self.viewer.layers.remove(layer)
        place = layers.placement(found.volume.geometry, 3)
        layer = self._add_labels(found.labels, image, name=name, metadata={PROPOSED: mark(found.labels)}, **place)
        self.measures.measure_layer(layer, replace(request, volume=found.volume), after=found.message)

    def _segmented(self, image: Image, request: Request, found: tuple[Any, dict[str, Any]]) -> None:
        """Show the cracks of a whole volume, and measure them."""
        data, options = found
        said = self.ui.status.text()
        layer = self._add_labels(data, image, **options)
        for aid in (self.live.overlay.probability, self.live.overlay.cracks):
            if aid is not None:
                aid.visible = False
        self.ui.tabs.setCurrentIndex(MEASURE)
        self.measures.measure_layer(layer, request, after=said)

    def _add_labels(self, data: Any, image: Image, **options: Any) -> Labels:
        """Add labels over the image; the same layer stays selected."""
        stack, active = self.viewer.layers, plain(self.viewer.layers.selection.active)
        layer = plain(self.viewer.add_labels(data, opacity=0.7, **options))
        stack.move(len(stack) - 1, stack.index(image) + 1)
        stack.selection.active = active if active in stack else layer
        return layer

    # With scribbles

    def _here(self) -> tuple[Request, Image, int]:
        """Return what is asked for, the layer and its slice in view."""
        request, image = self.ui.request(), self.ui.image
        assert image is not None
        return request, image, layers.current_slice(image, self.viewer.dims, request.volume.shape[0])

    def _look(self) -> Look:
        request, image, z = self._here()
        window = view_window(image, request.volume.shape[1:])
        teacher = self._teach()  # first: it may let go of what was loaded
        store = None if self.loaded is not None else self.scribbling.brushes.store
        mask = None if isinstance(request.mask, str) else request.mask
        return Look(teacher, image, store, self.loaded, z, window, mask, request.high, request.low)

    def _stroked(self) -> None:
        """Scribbles count from now on, not what was loaded."""
        self.loaded = None
        self._by_classifier()
        self.live.touch()

    def _by_classifier(self, wanted: bool = True) -> None:
        """Offer the classifier for the volume, on what the user does alone: a preview must not undo a choice."""
        if wanted:
            self.ui.method.setCurrentIndex(self.ui.method.findData(CLASSIFIER))

    def _learned(self, classifier: CrackClassifier) -> None:
        self.ui.learned.setText(describe(classifier, self.scribbling.store if self.loaded is None else None))

    def _current(self) -> tuple[Teacher, ScribbleStore | None, CrackClassifier | None]:
        """Return what a classifier can be had from: volume, scribbles, the loaded one."""
        return self._teach(), self.scribbling.store if self.loaded is None else None, self.loaded

    def next_slice(self) -> None:
        """Go to the slice where the classifier is least sure."""
        try:
            look = self._look()
        except UserError as error:
            self.ui.status.setText(str(error))
            return
        self.ui.status.setText("Looking for the slice to label next…")

        def then(outcome: Outcome) -> None:
            self.ui.status.setText(outcome.problem or "")
            if outcome.value is not None and look.image in self.viewer.layers:
                layers.show_slice(look.image, self.viewer.dims, outcome.value)
                self.ui.status.setText(f"Slice {outcome.value}: here the classifier is least sure.")

        store = self.scribbling.brushes.store  # its slices are labelled, also where a loaded classifier counts
        self._searching.start(then, look.teacher.least_sure, store, look.classifier, look.window, look.mask)

    def save_classifier(self, path: str) -> None:
        """Write what the scribbles make, or what was loaded."""
        source = attempt(self._current)
        if source.value is None:
            self.ui.status.setText(source.problem or "")
            return

        def then(outcome: Outcome) -> None:
            self.ui.status.setText(outcome.problem or f"Classifier saved: {path}")

        self._saving.start(then, _save, *source.value, Path(path))

    def load_classifier(self, path: str) -> None:
        """Use a classifier that was saved, until the next stroke."""
        from napari_nanoct.cracks.classifier import load_classifier

        def load() -> tuple[CrackClassifier, str]:
            found = load_classifier(Path(path))
            if self.ui.image is None:
                return found, ""
            teacher = self._teach()
            return found.applied_to(teacher.volume.geometry, teacher.model_sha256)

        loaded = attempt(load)
        if loaded.value is None:
            self.ui.status.setText(loaded.problem or "")
            return
        self.loaded, note = loaded.value
        self.ui.status.setText(f"Classifier loaded: {path}. {note}".strip())
        self._by_classifier()
        self._learned(self.loaded)
        self.live.touch()

    def _browse_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the classifier", "cracks.json", FILES)
        if path:
            self.save_classifier(path)

    def _browse_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Load a classifier", "", FILES)
        if path:
            self.load_classifier(path)


def _save(
    teacher: Teacher, store: ScribbleStore | None, loaded: CrackClassifier | None, path: Path, cancel: CancelToken
) -> None:
    teacher.classifier(store, loaded, cancel).save(path)


def describe(classifier: CrackClassifier, store: ScribbleStore | None) -> str:
    """Return in a line what the classifier in use was made from."""
    names = ", ".join(classifier.classes)
    if store is None:
        return f"Loaded: tells {names} apart."
    count = len(store.labelled_slices())
    return f"Learned from {count} slice{'s' if count > 1 else ''}: tells {names} apart."
