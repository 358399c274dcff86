"""The controls of the fine-tune dock: what they look like; what they do is wired in `finetune`."""

from __future__ import annotations

from qtpy.QtCore import QSize
from qtpy.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_nanoct.docks.finetune.learning import Learning
from napari_nanoct.docks.widgets import RunControls, Sentence, combo, fill, row
from napari_nanoct.finetune.settings import PRESETS

PAIRS, TRAIN, PROGRESS = range(3)
"""Positions of the tabs."""

SEARCH, AS_SHOWN = "search", "as shown"
"""Common points that are no layer."""

THUMBNAIL = 96
"""Edge of a picture in the list of pairs, in pixels of the screen."""


class TuneControls(RunControls):
    """Form, tabs for the pairs, the training and its progress, what starts a run, and the status line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, "Stop now; of a training the best so far is kept")
        self.cancel.setText("Stop")
        self.low = combo("What is to become better: an image layer of one volume (z, y, x)")
        self.high = combo("A better scan of the same place, or the other half-scan; without one, the volume alone")
        self.method = combo("What the network learns from")
        self.assumes = Sentence()
        self.factor = combo("How many times finer the pixels become; by default as the voxel sizes say")
        form = _form()
        form.addRow("Low", self.low)
        form.addRow("High", self.high)
        form.addRow("Learn from", self.method)
        form.addRow(self.assumes)
        form.addRow("Factor", self.factor)

        self.learning = Learning()
        self.tabs = QTabWidget()
        self.tabs.addTab(self._pairs(), "Pairs")
        self.tabs.addTab(self._training(), "Train")
        self.tabs.addTab(self.learning, "Progress")
        self.train = QPushButton("Train…")
        self.train.setToolTip("Show what will be written, time and memory, then train on the pairs")
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.tabs, 1)
        for widget in (row(self.train, self.copy, equal=True), self.confirmation, self.progress, self.status):
            layout.addWidget(widget)
        self.setMinimumWidth(320)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)  # the list takes what there is

    def _pairs(self) -> QWidget:
        self.pairs = QListWidget()
        self.pairs.setIconSize(QSize(THUMBNAIL, THUMBNAIL))
        self.pairs.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.pairs.setWordWrap(True)
        self.pairs.setMinimumHeight(THUMBNAIL + 20)
        self.pairs.setToolTip("Low in magenta, high in green, white where they agree; dim where nothing is learnt")
        self.add_current = QPushButton("Add current slice")
        self.add_current.setToolTip("Find the slice in view in the other layer (Alt+A)")
        self.add_current.setShortcut("Alt+A")
        self.add_every = QPushButton("Add every")
        self.add_every.setToolTip("Add slices at equal distances, over the whole depth")
        self.every = QSpinBox()
        self.every.setRange(1, 1000)
        self.every.setValue(10)
        self.every.setSuffix(" slices")
        self.remove = QPushButton("Remove")
        self.remove.setToolTip("Take the chosen pairs out of the list")
        self.load, self.save = QPushButton("Load…"), QPushButton("Save…")
        self.load.setToolTip("Load a file of pairs that was saved, and the layers that it names")
        self.save.setToolTip("Save the list as a file of pairs; a layer that is not on disk is copied beside it")
        self.common = combo("How the two layers are brought together before the search begins")
        self.use = combo(
            "Learn only inside the shapes of this Shapes layer: a 2-D shape counts in all slices, one drawn in 3-D in "
            "its own; slices without a shape are used whole"
        )
        self.leave = combo("Learn nothing from inside the shapes of this Shapes layer")
        form = _form()
        form.addRow("Common point", self.common)
        form.addRow("Use only", self.use)
        form.addRow("Leave out", self.leave)
        page = QWidget()
        layout = QVBoxLayout(page)
        fill(layout, self.pairs, row(self.add_current, self.add_every, self.every), margin=6)
        layout.addWidget(row(self.remove, self.load, self.save, equal=True))
        layout.addLayout(form)
        layout.setStretch(0, 1)
        return page

    def _training(self) -> QWidget:
        self.parent_model = combo("The weights that the training starts from")
        self.preset = combo("How long is trained; the training ends earlier where it gains nothing more")
        for name, preset in PRESETS.items():
            self.preset.addItem(name, preset.minutes)
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.1, 10_000)
        self.minutes.setDecimals(1)
        self.minutes.setToolTip("How long it may take, the comparison at the end included")
        self.device = combo("Where it is trained; automatic takes a graphics card where there is one")
        for name, device in (("automatic", "auto"), ("CPU", "cpu"), ("CUDA", "cuda"), ("Apple MPS", "mps")):
            self.device.addItem(name, device)
        self.name, self.notes = QLineEdit(), QLineEdit()
        self.name.setToolTip("What the model will be called, in the Enhance dock and by nanoct models")
        self.notes.setToolTip("A remark that is kept in the model's file")
        self.place = Sentence()
        self.resume = QCheckBox("Go on with the run that was cut off")
        self.resume.setToolTip("Else it is thrown away, and the training begins anew")
        form = _form()
        form.addRow("Start from", self.parent_model)
        form.addRow("Training", row(self.preset, QLabel("at most"), self.minutes, QLabel("min")))
        form.addRow("Device", self.device)
        form.addRow("Name", self.name)
        form.addRow("Notes", self.notes)
        form.addRow(self.place)
        form.addRow(self.resume)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(form)
        layout.addStretch(1)
        return page

    def set_busy(self, busy: bool) -> None:
        """Show the progress bar while something is going on, and allow what starts it otherwise."""
        self.progress.setVisible(busy)
        for button in (self.train, self.copy, self.add_current, self.add_every, self.load, self.save):
            button.setEnabled(not busy)


def _form() -> QFormLayout:
    form = QFormLayout()
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
    form.setContentsMargins(0, 0, 0, 0)
    return form
