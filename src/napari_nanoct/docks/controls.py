"""The controls of the enhance dock: what they look like; what they do is wired in `enhance`."""

from __future__ import annotations

from qtpy.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_nanoct.docks.widgets import RunControls, column, combo, dots, row

ALL, SLICES, SHAPE = range(3)
"""Positions in the region box."""


class EnhanceControls(RunControls):
    """Form, buttons, confirmation, progress and status line, from top to bottom."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, "Stop within a tile; a half-written output is marked as such")
        self.layer = combo("The tomogram to enhance: an image layer of one volume (z, y, x), or one slice")
        self.model = combo("The trained network")
        self.open_model = dots("Choose a model file (.safetensors)")
        self.factor = combo("How many times finer the pixels of a slice become; ×1 keeps the grid")
        self.device = combo("Where the network runs; automatic takes a graphics card where there is one")
        for name, device in (("automatic", "auto"), ("CPU", "cpu"), ("CUDA", "cuda"), ("Apple MPS", "mps")):
            self.device.addItem(name, device)
        self.region = combo("Which part is enhanced")
        self.region.addItems(["whole volume", "range of slices", "box around a shape"])
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setToolTip("First slice")
        self.last.setToolTip("Last slice, included")
        self.slices = row(self.first, QLabel("–"), self.last, spacing=4)
        self.shapes = combo("The Shapes layer; the box around its selected shape counts, else around its last one")
        self.output = QLineEdit()
        self.output.textChanged.connect(self._tell_output)
        self.choose_output = dots("Choose where to save the result")

        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Layer", self.layer)
        form.addRow("Model", row(self.model, self.open_model))
        form.addRow("Factor", self.factor)
        form.addRow("Region", column(self.region, self.slices, self.shapes))
        form.addRow("Device", self.device)
        form.addRow("Output", row(self.output, self.choose_output))

        self.preview = QPushButton("Preview slice")
        self.preview.setToolTip("Enhance the slice in view; the result is what the whole run gives there")
        self.after = QCheckBox("Show after")
        self.after.setToolTip("Before / after: hide or show the enhanced slice (Alt+B)")
        self.after.setShortcut("Alt+B")
        self.after.setEnabled(False)
        self.enhance = QPushButton("Enhance volume…")
        self.enhance.setToolTip("Show output, disk space and time, then enhance the region and save it")

        layout = QVBoxLayout(self)
        layout.addLayout(form)
        for widget in (
            row(self.preview, self.after, equal=True),
            row(self.enhance, self.copy, equal=True),
            self.confirmation,
            self.progress,
            self.status,
        ):
            layout.addWidget(widget)
        layout.addStretch(1)
        for widget in (self.slices, self.shapes):
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
