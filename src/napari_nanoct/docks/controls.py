"""The controls of the enhance dock: what they look like; what they do is wired in `enhance`."""

from __future__ import annotations

import re

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

ALL, SLICES, SHAPE = range(3)
"""Positions in the region box."""


class EnhanceControls(QWidget):
    """Form, buttons, confirmation, progress and status line, from top to bottom."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer = _combo("The tomogram to enhance: an image layer of one volume (z, y, x), or one slice")
        self.model = _combo("The trained network")
        self.open_model = _dots("Choose a model file (.safetensors)")
        self.factor = _combo("How many times finer the pixels of a slice become; ×1 keeps the grid")
        self.device = _combo("Where the network runs; automatic takes a graphics card where there is one")
        for name, device in (("automatic", "auto"), ("CPU", "cpu"), ("CUDA", "cuda"), ("Apple MPS", "mps")):
            self.device.addItem(name, device)
        self.region = _combo("Which part is enhanced")
        self.region.addItems(["whole volume", "range of slices", "box around a shape"])
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setToolTip("First slice")
        self.last.setToolTip("Last slice, included")
        self.slices = _row(self.first, QLabel("–"), self.last, spacing=4)
        self.shapes = _combo("The Shapes layer; the box around its selected shape counts, else around its last one")
        self.output = QLineEdit()
        self.output.textChanged.connect(self._tell_output)
        self.choose_output = _dots("Choose where to save the result")

        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Layer", self.layer)
        form.addRow("Model", _row(self.model, self.open_model))
        form.addRow("Factor", self.factor)
        form.addRow("Region", _column(self.region, self.slices, self.shapes))
        form.addRow("Device", self.device)
        form.addRow("Output", _row(self.output, self.choose_output))

        self.preview = QPushButton("Preview slice")
        self.preview.setToolTip("Enhance the slice in view; the result is what the whole run gives there")
        self.after = QCheckBox("Show after")
        self.after.setToolTip("Before / after: hide or show the enhanced slice (Alt+B)")
        self.after.setShortcut("Alt+B")
        self.after.setEnabled(False)
        self.enhance = QPushButton("Enhance volume…")
        self.enhance.setToolTip("Show output, disk space and time, then enhance the region and save it")
        self.copy = QPushButton("Copy as command")
        self.copy.setToolTip("Copy the line that does the same in a shell, for a script or a cluster")

        self.question = Sentence()
        self.start = QPushButton("Start")
        self.back = QPushButton("Back")
        self.confirmation = QGroupBox("Start this?")
        _fill(QVBoxLayout(self.confirmation), self.question, _row(self.start, self.back), margin=6)
        self.bar = QProgressBar()
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop within a tile; a half-written output is marked as such")
        self.pace = Sentence()
        self.progress = _column(_row(self.bar, self.cancel), self.pace)
        self.status = Sentence()

        layout = QVBoxLayout(self)
        layout.addLayout(form)
        for widget in (
            _row(self.preview, self.after, equal=True),
            _row(self.enhance, self.copy, equal=True),
            self.confirmation,
            self.progress,
            self.status,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        for widget in (self.slices, self.shapes, self.confirmation, self.progress):
            widget.hide()
        self.setMinimumWidth(280)

    def _tell_output(self, path: str) -> None:
        self.output.setToolTip(f"The OME-Zarr that “Enhance volume” writes: {path}")

    def show_region_fields(self) -> None:
        """Show the fields that the chosen kind of region needs, and no others."""
        self.slices.setVisible(self.region.currentIndex() == SLICES)
        self.shapes.setVisible(self.region.currentIndex() == SHAPE)

    def set_depth(self, depth: int) -> None:
        """Let the slice fields range over a volume of `depth` slices, all of them at first."""
        for field, value in ((self.first, 0), (self.last, depth - 1)):
            field.setRange(0, depth - 1)
            field.setValue(value)

    def set_busy(self, busy: bool) -> None:
        """Show the progress bar during a run, and what starts one otherwise."""
        self.progress.setVisible(busy)
        self.enhance.setEnabled(not busy)
        self.copy.setEnabled(not busy)

    def show_progress(self, done: int, total: int, text: str) -> None:
        """Show the bar at `done` of `total` (0: not known yet) and a line of text."""
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.pace.setText(text)


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


def _combo(tip: str) -> QComboBox:
    combo = QComboBox()
    combo.setToolTip(tip)
    # Long names are cut at the end instead of making the dock wide.
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    combo.setMinimumContentsLength(10)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return combo


def _dots(tip: str) -> QPushButton:
    button = QPushButton("…")
    button.setMaximumWidth(32)
    button.setToolTip(tip)
    return button


def _fill(layout: QLayout, *widgets: QWidget, margin: int = 0) -> None:
    layout.setContentsMargins(margin, margin, margin, margin)
    for widget in widgets:
        layout.addWidget(widget)


def _row(*widgets: QWidget, equal: bool = False, spacing: int = 6) -> QWidget:
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setSpacing(spacing)
    _fill(layout, *widgets)
    if equal:
        for position in range(len(widgets)):
            layout.setStretch(position, 1)
    return box


def _column(*widgets: QWidget) -> QWidget:
    box = QWidget()
    _fill(QVBoxLayout(box), *widgets)
    return box
