"""Pieces that the docks are made of."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLayout,
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


def combo(tip: str) -> QComboBox:
    """Return an empty combo box."""
    box = QComboBox()
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
