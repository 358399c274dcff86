"""The controls of the cracks dock: what they look like; what they do is wired in `cracks`."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QKeySequence, QPixmap, QShortcut  # type: ignore[attr-defined]
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QGridLayout,
    QGroupBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSlider,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_nanoct.cracks.settings import HIGH, LOW
from napari_nanoct.docks.cracks.table import CrackTable
from napari_nanoct.docks.widgets import RunControls, Sentence, column, combo, dots, fill, row

SEGMENT, MEASURE = range(2)
"""Positions of the tabs."""

PROPOSAL, CLASSIFIER = "proposal", "classifier"
"""By what a volume is segmented."""

AUTOMATIC, EVERYWHERE = "automatic", "everywhere"
"""Masks that are no layer."""


class CrackControls(RunControls):
    """Form, tabs to segment and to measure, what starts a run, its progress and the status line."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, "Stop soon; a half-written output is marked as such")
        self.layer = combo(
            "Where the cracks are segmented: an image layer of one volume (z, y, x), best an enhanced one"
        )
        self.original = combo("The layer before its enhancement: cracks that it does not show are flagged")
        self.inside = combo("Where cracks may be; automatic: inside particles, if any (a classifier: everywhere)")
        self.tone = combo("Whether cracks are darker or brighter than what they run through")
        self.tone.setMinimumContentsLength(6)
        self.tone.addItem("dark", True)
        self.tone.addItem("bright", False)
        self.output = QLineEdit()
        self.output.textChanged.connect(self._tell_output)
        self.choose_output = dots("Choose where to save the segmentation")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Layer", self.layer)
        form.addRow("Original", self.original)
        form.addRow("Inside", row(self.inside, QLabel("cracks are"), self.tone))
        form.addRow("Output", row(self.output, self.choose_output))

        self.tabs = QTabWidget()
        self.tabs.addTab(self._segment(), "Segment")
        self.tabs.addTab(self._measures(), "Measure")
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self._run())
        layout.addWidget(self.status)
        self._listen()
        self.setMinimumWidth(320)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)  # the table takes what there is

    def _listen(self) -> None:
        """Let the keys work whichever tab is shown: on a hidden page a button does not hear a shortcut of its own."""
        buttons = {
            "Alt+R": self.propose,
            "Alt+0": self.erase,
            "Alt+Z": self.undo,
            "Alt+N": self.next,
            "Alt+I": self.live,
            "Alt+O": self.probability,
        }
        for keys, button in buttons.items():
            QShortcut(QKeySequence(keys), self).activated.connect(button.click)
        for number in range(1, 10):
            QShortcut(QKeySequence(f"Alt+{number}"), self).activated.connect(partial(self._click_brush, number))

    def _click_brush(self, number: int) -> None:
        button = self.classes.button(number)
        if button is not None:
            button.click()

    def _segment(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        fill(layout, self._proposal(), self._scribbles(), margin=6)
        layout.addStretch(1)
        return page

    def _proposal(self) -> QWidget:
        self.propose = QPushButton("Propose")
        self.propose.setToolTip(
            "Find clear cracks without a label, around the slice in view if the volume is large (Alt+R)"
        )
        self.sensitivity = QSlider(Qt.Orientation.Horizontal)
        self.sensitivity.setRange(0, 100)
        self.sensitivity.setValue(50)
        self.sensitivity.setToolTip("How faint a crack the proposal takes; the middle fits most volumes")
        self._sensitivity = QLabel("0.50")
        self.sensitivity.valueChanged.connect(lambda value: self._sensitivity.setText(f"{value / 100:.2f}"))
        box = QGroupBox("Without labels")
        fill(QVBoxLayout(box), row(self.propose, QLabel("sensitivity"), self.sensitivity, self._sensitivity), margin=6)
        return box

    def _scribbles(self) -> QWidget:
        self.brushes = QWidget()
        self._brush_grid = QGridLayout(self.brushes)
        self._brush_grid.setContentsMargins(0, 0, 0, 0)
        self.add_class = QPushButton("+")
        self.add_class.setMaximumWidth(32)
        self.add_class.setToolTip("Add a class by its name, for example binder")
        self.classes = QButtonGroup()
        self.erase = _button("Erase", "Erase scribbles (Alt+0)")
        self.undo = _button("Undo", "Take the last stroke back, on whichever slice it is (Alt+Z)")
        self.next = _button("Next slice", "Go to the slice where the classifier is least sure (Alt+N)")
        self.live = QCheckBox("Live preview")
        self.live.setToolTip("After every stroke learn from all scribbles and show the slice in view (Alt+I)")
        self.probability = QCheckBox("Probability")
        self.probability.setToolTip("Show the probability of a crack in colours over the slice (Alt+O)")
        self.probability.setChecked(True)
        self.high, self.low = _share(HIGH), _share(LOW)
        self.high.setToolTip("A crack must reach this probability somewhere")
        self.low.setToolTip("and goes on as far as this one")
        self.save, self.load = QPushButton("Save…"), QPushButton("Load…")
        self.save.setToolTip("Save the classifier to use it for another volume, or with nanoct segment")
        self.load.setToolTip("Load a classifier that was saved")
        self.learned = Sentence()
        box = QGroupBox("With scribbles")
        fill(
            QVBoxLayout(box),
            self.brushes,
            row(self.erase, self.undo, self.next, equal=True),
            row(self.live, self.probability, equal=True),
            row(QLabel("crack from"), self.high, QLabel("down to"), self.low),
            row(QLabel("Classifier"), self.load, self.save),
            self.learned,
            margin=6,
        )
        return box

    def _measures(self) -> QWidget:
        self.summary = Sentence()
        self.table = CrackTable()
        self.measure = QPushButton("Measure")
        self.measure.setToolTip("Measure the cracks of a Labels layer: that which is selected, else the newest")
        self.pores = combo("Labels of pores: the table says which cracks touch one, and openings end there")
        self.plots = QPushButton("Plots…")
        self.plots.setToolTip("Apertures, orientations and sizes in a window of their own")
        self.aperture = QPushButton("Aperture")
        self.aperture.setToolTip("Add a layer that shows the opening of every crack in colours")
        self.export = QPushButton("Export CSV…")
        self.export.setToolTip("Save the table, one crack a line")
        self.compare = QPushButton("Compare…")
        self.compare.setToolTip(
            "The same scribbles, one classifier for the original and one for this layer: what differs"
        )
        for button in (self.plots, self.aperture, self.export):
            button.setEnabled(False)
        page = QWidget()
        layout = QVBoxLayout(page)
        fill(layout, self.summary, self.table, margin=6)
        layout.setStretch(1, 1)
        layout.addWidget(row(QLabel("Pores"), self.pores))
        layout.addWidget(row(self.measure, self.plots, self.aperture, equal=True))
        layout.addWidget(row(self.export, self.compare, equal=True))
        return page

    def _run(self) -> QWidget:
        self.method = combo("By what the volume is segmented")
        self.method.addItem("by the proposal", PROPOSAL)
        self.method.addItem("by the classifier", CLASSIFIER)
        self.segment = QPushButton("Segment volume…")
        self.segment.setToolTip("Show output, disk space and settings, then segment and measure the whole volume")
        self.tabulate = QCheckBox("and write the table")
        self.tabulate.setToolTip("The run measures the cracks, too, and writes them beside the output, as NAME.csv")
        return column(
            row(self.segment, self.method, equal=True),
            row(self.copy, self.tabulate, equal=True),
            self.confirmation,
            self.progress,
        )

    def _tell_output(self, path: str) -> None:
        self.output.setToolTip(f"The OME-Zarr of crack labels that “Segment volume” writes: {path}")

    def show_brushes(self, names: tuple[str, ...], colours: tuple[str, ...]) -> None:
        """Show one button a class, in its colour; its number is its id in `classes`."""
        for button in self.classes.buttons():
            self.classes.removeButton(button)
            self._brush_grid.removeWidget(button)
            button.deleteLater()
        for number, (name, colour) in enumerate(zip(names, colours, strict=True), 1):
            button = _button(name, f"Paint voxels that are {name}" + (f" (Alt+{number})" if number < 10 else ""))
            button.setCheckable(True)
            button.setIcon(_patch(colour))
            self._brush_grid.addWidget(button, (number - 1) // 3, (number - 1) % 3)
            self.classes.addButton(button, number)
        self._brush_grid.addWidget(self.add_class, (len(names) - 1) // 3, 3)

    def set_busy(self, busy: bool) -> None:
        """Show the progress bar during a run, and what starts one otherwise."""
        self.progress.setVisible(busy)
        self.segment.setEnabled(not busy)
        self.copy.setEnabled(not busy)


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _patch(colour: str) -> QIcon:
    picture = QPixmap(16, 16)
    picture.fill(QColor(colour))
    return QIcon(picture)


def _share(value: float) -> QDoubleSpinBox:
    field = QDoubleSpinBox()
    field.setRange(0.01, 0.99)
    field.setSingleStep(0.05)
    field.setValue(value)
    field.setMaximumWidth(90)
    return field
