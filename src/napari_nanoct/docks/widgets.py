"""Pieces that the docks are made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress

from qtpy.QtCore import Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)


class Sentence(QLabel):
    """Text that breaks at the end of every line, also within a path, and so never makes the dock wide."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def setText(self, text: str | None) -> None:
        """Show the text; zero-width spaces let its paths break."""
        super().setText(re.sub(r"([/\\_-]|\.(?=[a-z]))(?=\S)", "\\1\u200b", text or ""))

    def text(self) -> str:
        """Return the text as it was set."""
        return super().text().replace("\u200b", "")


def fill_combo(combo: QComboBox, entries: list[tuple[str, object]], preferred: object = None) -> bool:
    """Set the (text, data) entries; keep what was chosen if it is still there, else choose `preferred`.

    Returns
    -------
    bool
        Whether another entry is chosen than before. No signal is emitted.
    """
    before = combo.currentData()
    blocked = combo.blockSignals(True)
    combo.clear()
    for text, data in entries:
        combo.addItem(text, data)
        combo.setItemData(combo.count() - 1, text, Qt.ItemDataRole.ToolTipRole)
    position = next((i for wish in (before, preferred) for i, (_, data) in enumerate(entries) if data is wish), -1)
    position = position if position >= 0 else next((i for i, (_, data) in enumerate(entries) if data == before), 0)
    combo.setCurrentIndex(position if entries else -1)
    combo.blockSignals(blocked)
    return combo.currentData() is not before


class Combo(QComboBox):
    """A combo box that tells when its list is about to open: it can be brought up to date."""

    opening = Signal()

    def showPopup(self) -> None:
        """Tell, then show the list."""
        self.opening.emit()
        super().showPopup()


def combo(tip: str) -> Combo:
    """Return an empty combo box."""
    box = Combo()
    box.setToolTip(tip)
    # Long names are cut at the end instead of making the dock wide.
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(10)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def dots(tip: str) -> QPushButton:
    """Return a small button that opens a file dialog."""
    button = QPushButton("…")
    button.setMaximumWidth(32)
    button.setToolTip(tip)
    return button


def fill(layout: QLayout, *widgets: QWidget, margin: int = 0) -> None:
    """Put widgets into a layout with equal margins."""
    layout.setContentsMargins(margin, margin, margin, margin)
    for widget in widgets:
        layout.addWidget(widget)


def row(*widgets: QWidget, equal: bool = False, spacing: int = 6) -> QWidget:
    """Return a widget that shows others side by side, all as wide as each other if `equal`."""
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setSpacing(spacing)
    fill(layout, *widgets)
    if equal:
        for position in range(len(widgets)):
            layout.setStretch(position, 1)
    return box


def column(*widgets: QWidget) -> QWidget:
    """Return a widget that shows others one below another."""
    box = QWidget()
    fill(QVBoxLayout(box), *widgets)
    return box


class RunControls(QWidget):
    """Controls of a dock that starts volume runs: the question before one, its progress, and the status line.

    Signals
    -------
    changed
        Another choice was made: what was worked out from the former one is void.

    Parameters
    ----------
    stop_tip : str
        Of the button that cancels.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None, stop_tip: str) -> None:
        super().__init__(parent)
        self.copy = QPushButton("Copy as command")
        self.copy.setToolTip("Copy the line that does the same in a shell, for a script or a cluster")
        self.question = Sentence()
        self.start, self.back = QPushButton("Start"), QPushButton("Back")
        self.confirmation = QGroupBox("Start this?")
        fill(QVBoxLayout(self.confirmation), self.question, row(self.start, self.back), margin=6)
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip(stop_tip)
        self.pace = Sentence()
        self.progress = column(row(self.bar, self.cancel), self.pace)
        self.status = Sentence()
        self.confirmation.hide()
        self.progress.hide()

    def show_progress(self, done: int, total: int, text: str) -> None:
        """Show the bar at `done` of `total` (0: not known yet) and a line of text."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.pace.setText(text)


def end_with(dock: QWidget, end: Callable[[], None]) -> None:
    """Call `end` when napari quits and when the dock goes; it must not hold the dock, which that would keep alive."""
    application = QApplication.instance()
    assert application is not None
    application.aboutToQuit.connect(end)

    def end_for_good() -> None:
        end()
        with suppress(RuntimeError):  # the application may have gone before the dock
            application.aboutToQuit.disconnect(end)

    dock.destroyed.connect(end_for_good)
