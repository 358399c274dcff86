"""The list of slice pairs: adding, removing, looking."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QListWidgetItem

from napari_nanoct.docks import layers
from napari_nanoct.docks.cracks.plots import PlotWindow
from napari_nanoct.docks.finetune.controls import THUMBNAIL
from napari_nanoct.docks.finetune.learning import pixmap
from napari_nanoct.docks.finetune.matching import Entry, Matcher, thumbnail
from napari_nanoct.docks.threads import Latest, Outcome
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import napari

    from napari_nanoct.docks.finetune.choices import TuneChoices
    from napari_nanoct.docks.finetune.scans import Scans
    from napari_nanoct.finetune.project import Project

ENTRY = Qt.ItemDataRole.UserRole


class PairList(QObject):
    """Wires the list of pairs.

    Signals
    -------
    changed
        Pairs came or went.

    Parameters
    ----------
    viewer : napari.Viewer
        Its slice in view is added.
    ui : TuneChoices
        List, buttons and status line.
    """

    changed = Signal()
    _told = Signal(int, int, int, object)

    def __init__(self, viewer: napari.Viewer, ui: TuneChoices) -> None:
        super().__init__()
        self.viewer, self.ui = viewer, ui
        self.matcher: Matcher | None = None
        self.work = Latest()
        self.busy = False
        self._refused: list[Entry] = []
        self._data: tuple[Any, ...] = ()
        self._round = 0  # of adding: what a thread of an earlier one still tells does not count
        ui.add_current.clicked.connect(self.add_current)
        ui.add_every.clicked.connect(self.add_every)
        ui.remove.clicked.connect(self.remove)
        ui.scans_changed.connect(self.clear)
        ui.pairs.itemClicked.connect(self._show_slice)
        ui.pairs.itemDoubleClicked.connect(self.open_window)
        self._told.connect(self._take)

    @property
    def entries(self) -> list[Entry]:
        """What the list shows, by slice."""
        items = (self.ui.pairs.item(place) for place in range(self.ui.pairs.count()))
        return [item.data(ENTRY) for item in items if item is not None]

    def project(self) -> tuple[Scans, Project]:
        """Return what was paired, and the project as it stands; its volumes may have no file yet.

        Raises
        ------
        UserError
            If there is no pair, or a region cannot be used.
        """
        matches = tuple(entry.match for entry in self.entries if entry.match is not None)
        if self.matcher is None or self.matcher.project is None or not matches:
            raise UserError("There are no slices to learn from; add some on the Pairs tab first.")
        if not self._as_paired():
            raise UserError("The data of a layer was replaced after its slices were paired; add them again.")
        return self.matcher.scans, replace(self.matcher.project, matches=matches, regions=self.ui.regions())

    # Adding and removing

    def add_current(self) -> None:
        """Add the slice of the low-resolution layer that is in view."""

        def here(depth: int) -> Sequence[int]:
            layer: Any = self.ui.image
            return [layers.current_slice(layer, self.viewer.dims, depth)]

        self._add(here)

    def add_every(self) -> None:
        """Add every n-th slice, beginning half of that distance into the volume."""
        distance = self.ui.every.value()
        self._add(lambda depth: range(min(distance // 2, depth // 2), depth, distance))

    def _add(self, choose: Any) -> None:
        if self.busy:
            return
        try:
            if self.matcher is None or not self._as_paired():
                self.clear()
                self.start(Matcher(self.ui.scans()))
            assert self.matcher is not None
            slices = choose(self.matcher.scans.low.shape[0])
            common, regions = self.ui.common_point(), self.ui.regions()
        except UserError as error:
            self.ui.status.setText(str(error))
            return
        self._refused = []

        def then(outcome: Outcome) -> None:
            self.finish()
            self.ui.status.setText(outcome.problem if outcome.problem is not None else self.summary())

        self.begin("Looking for the common place…")
        self._round += 1
        self.work.start(then, self.matcher.match, slices, common, regions, partial(self._told.emit, self._round))

    def start(self, matcher: Matcher) -> None:
        """Let the list be of what this matcher pairs, as the layers are now."""
        self.matcher, self._data = matcher, self._layer_data()

    def _layer_data(self) -> tuple[Any, ...]:
        return tuple(layer.data for layer in (self.ui.image, self.ui.high_image) if layer is not None)

    def _as_paired(self) -> bool:
        """Tell whether the layers still have the data of which slices were paired."""
        now = self._layer_data()
        return len(now) == len(self._data) and all(one is other for one, other in zip(now, self._data, strict=True))

    def _take(self, number: int, done: int, total: int, entry: Entry) -> None:
        if not self.busy or number != self._round:  # it was stopped, or another layer was chosen
            return
        self.ui.show_progress(done, total, f"{done} of {total} slices")
        self.insert(entry)
        if entry.match is None:
            self._refused.append(entry)

    def summary(self) -> str:
        """Return in a sentence what came of adding."""
        if self._refused:
            last = self._refused[-1].said
            count = len(self._refused)
            return last if count == 1 else f"{count} slices were refused. {last}"
        good = sum(entry.match is not None for entry in self.entries)
        return f"{good} slice{'' if good == 1 else 's'} to learn from."

    def insert(self, entry: Entry) -> None:
        """Show an entry at its place, instead of an older one of the same slice."""
        numbers = [other.low_slice for other in self.entries]
        if entry.low_slice in numbers:
            self.ui.pairs.takeItem(numbers.index(entry.low_slice))
            numbers.remove(entry.low_slice)
        refused = entry.match is None
        item = QListWidgetItem(f"✗ slice {entry.low_slice}: refused" if refused else entry.said)
        item.setData(ENTRY, entry)
        item.setToolTip(entry.said)
        if entry.picture is not None:
            item.setIcon(QIcon(pixmap(thumbnail(entry.picture, THUMBNAIL))))
        self.ui.pairs.insertItem(sum(number < entry.low_slice for number in numbers), item)
        self.ui.pairs.scrollToItem(item)
        self.changed.emit()

    def remove(self) -> None:
        """Take the chosen entries out."""
        chosen = self.ui.pairs.selectedItems()
        for item in chosen:
            self.ui.pairs.takeItem(self.ui.pairs.row(item))
        self.ui.status.setText("" if chosen else "Choose the pairs to remove in the list.")
        self.changed.emit()

    def clear(self) -> None:
        """Forget all pairs: another layer, method or factor was chosen."""
        self.work.cancel()
        if self.busy:
            self.finish()
        self.matcher = None
        self.ui.pairs.clear()
        self.changed.emit()

    def stop(self) -> None:
        """End what is going on in a thread, unheard."""
        self.work.cancel()
        if self.busy:
            self.finish()
            self.ui.status.setText("Stopped; what was found so far is in the list.")

    def begin(self, text: str) -> None:
        """Show that something is going on in a thread."""
        self.busy = True
        self.ui.set_busy(True)
        self.ui.show_progress(0, 0, text)
        self.ui.status.setText("")

    def finish(self) -> None:
        """Show that it is over."""
        self.busy = False
        self.ui.set_busy(False)

    # Looking

    def _show_slice(self, item: QListWidgetItem) -> None:
        if self.ui.image is not None and self.ui.image.ndim > 2:
            layers.show_slice(self.ui.image, self.viewer.dims, item.data(ENTRY).low_slice)

    def open_window(self, item: QListWidgetItem) -> PlotWindow | None:
        """Show a pair in a window of its own."""
        entry: Entry = item.data(ENTRY)
        if entry.picture is None:
            return None
        picture = entry.picture

        def draw(figure: Any) -> None:
            axes = figure.add_subplot()
            axes.imshow(picture)
            axes.set_title(entry.said if entry.match is None else f"Slice {entry.low_slice}", wrap=True)
            axes.set_axis_off()

        window = PlotWindow(self.ui, f"Slice {entry.low_slice}", draw)
        window.show()
        return window
