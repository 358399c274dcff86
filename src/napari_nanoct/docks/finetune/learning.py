"""How a training goes: the curve, a held-out slice before and after, and the comparison with the parent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import (
    QCheckBox,
    QHeaderView,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_nanoct.docks.cracks.plots import PlotWindow
from napari_nanoct.docks.threads import Latest, Outcome
from napari_nanoct.docks.widgets import Sentence, fill, row
from napari_nanoct.finetune.measures import measured
from napari_nanoct.jobs import CancelToken, Loss, Preview

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Pictures = Mapping[str, "NDArray[np.float32]"]

HEIGHT = 190
"""Of the curve and of the picture, in pixels of the screen."""

NARROW = {"frc": "FRC / px"}
"""Headings that are shorter than in the shell."""


class Learning(QWidget):
    """The tab that shows a training while it goes on, and what came of it.

    Signals
    -------
    wanted
        The new model is to be used in the Enhance dock.
    """

    wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[Loss] = []
        self.pictures: Pictures = {}
        self.work = Latest()
        self._figure: Figure | None = None
        self._unit = ""
        self.picture = QLabel()
        self.picture.setFixedHeight(HEIGHT)
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.after = QCheckBox("Show after")
        self.after.setToolTip("The middle of a slice that is not trained on, before and after (Alt+T)")
        self.after.setShortcut("Alt+T")
        self.after.setChecked(True)
        self.larger = QPushButton("Larger…")
        self.larger.setToolTip("The whole slice before, after and as it should be, in a window of its own")
        self.table = QTableWidget(2, 0)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        header = self.table.horizontalHeader()
        assert header is not None
        header.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verdict = Sentence()
        self.use = QPushButton("Use in Enhance")
        self.use.setToolTip("Open the Enhance dock with the new model and the low layer")
        self._layout = QVBoxLayout(self)
        fill(self._layout, self.picture, row(self.after, self.larger, equal=True), self.table, margin=6)
        fill(self._layout, self.verdict, self.use, margin=6)
        self._layout.addStretch(1)
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(300)
        self._redraw.timeout.connect(self.draw)
        self.after.toggled.connect(self._show_picture)
        self.larger.clicked.connect(self.open_window)
        self.use.clicked.connect(self.wanted)
        self.begin()

    def begin(self, method: str = "pairs") -> None:
        """Forget the training before."""
        self.work.cancel()
        self._unit = "PSNR / dB" if method == "pairs" else "squared error"
        self.losses, self.pictures = [], {}
        self.picture.clear()
        self.picture.setText("No training yet.")
        for widget in (self.after, self.larger, self.use):
            widget.setEnabled(False)
        self.table.hide()
        self.verdict.setText("")
        if self._figure is not None:
            self.draw()

    def take(self, event: Loss | Preview) -> None:
        """Show what a training tells; the curve a moment later, a picture as soon as it is read."""
        if isinstance(event, Loss):
            self.losses.append(event)
            if not self._redraw.isActive():
                self._redraw.start()
        else:
            self.work.start(self._read, read_preview, event.path)

    def _read(self, outcome: Outcome) -> None:
        if outcome.value is not None:  # else it was replaced at this moment; the next one comes
            self.pictures = outcome.value
            self.after.setEnabled(True)
            self.larger.setEnabled(True)
            self._show_picture()

    def _show_picture(self) -> None:
        shown = self.pictures.get("after" if self.after.isChecked() else "before")
        if shown is not None:
            self.picture.setPixmap(pixmap(middle(shown, HEIGHT, max(self.picture.width(), HEIGHT))))

    def open_window(self) -> PlotWindow:
        """Open the whole slice in a window of its own."""
        window = PlotWindow(self, "Held-out slice", lambda figure: draw_pictures(figure, self.pictures))
        window.show()
        return window

    def draw(self) -> None:
        """Draw the curve."""
        if self._figure is None:
            self._figure = self._add_figure()
        self._figure.clear()
        draw_curve(self._figure, self.losses, self._unit)
        self._figure.canvas.draw_idle()

    def _add_figure(self) -> Figure:
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        figure = Figure(layout="constrained")
        canvas = FigureCanvasQTAgg(figure)
        canvas.setFixedHeight(HEIGHT)
        canvas.setMinimumWidth(100)
        self._layout.insertWidget(0, canvas)
        return figure

    def conclude(self, rows: Sequence[tuple[str, Mapping[str, Any]]], said: str) -> None:
        """Show the figures of parent and child, each with its name, and a sentence on them."""
        shown = measured(figures for _, figures in rows)
        self.table.setColumnCount(len(shown))
        self.table.setHorizontalHeaderLabels([NARROW.get(key, title) for key, (title, _) in shown.items()])
        for place, (name, figures) in enumerate(rows):
            self.table.setVerticalHeaderItem(place, QTableWidgetItem(name))
            for column, (key, (_, form)) in enumerate(shown.items()):
                value = figures.get(key)
                self.table.setItem(place, column, QTableWidgetItem("–" if value is None else format(value, form)))
        header = self.table.horizontalHeader()
        assert header is not None
        self.table.setFixedHeight(header.sizeHint().height() + 2 * self.table.rowHeight(0) + 4)
        self.table.show()
        self.verdict.setText(said)
        self.use.setEnabled(True)


def read_preview(path: str, cancel: CancelToken) -> Pictures:
    """Read the pictures of a preview."""
    with np.load(Path(path), allow_pickle=False) as stored:
        return {name: np.asarray(stored[name], np.float32) for name in ("before", "after", "target") if name in stored}


def draw_curve(figure: Figure, losses: Sequence[Loss], unit: str) -> None:
    """Draw the score on what is held out by step, the parent's as a line, and the loss of the training beside it."""
    axes = figure.add_subplot()
    beside = axes.twinx()
    beside.plot([event.step for event in losses], [event.loss for event in losses], color="0.7", lw=1)
    parent = next((event.parent for event in losses if event.parent is not None), None)
    if parent is not None:
        scored = [(event.step, event.score) for event in losses if event.score is not None]
        steps, scores = zip((0, parent), *scored, strict=True)
        axes.axhline(parent, color="tab:orange", ls="--", lw=1.5, label="parent")
        axes.plot(steps, scores, color="tab:green", lw=2, marker=".", label="new model")
        axes.legend(loc="best", fontsize=7, frameon=False)
    axes.set_zorder(beside.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.set_xlabel("step", fontsize=8)
    axes.set_ylabel(f"held out, {unit}", fontsize=8)
    beside.set_ylabel("training loss", color="0.5", fontsize=8)
    for one in (axes, beside):
        one.tick_params(labelsize=7)


def draw_pictures(figure: Figure, pictures: Pictures) -> None:
    """Draw a held-out slice before, after and as it should be, zoomed together."""
    first = None
    for place, (name, picture) in enumerate(pictures.items(), 1):
        first = axes = figure.add_subplot(1, len(pictures), place, sharex=first, sharey=first)
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title(name)
        axes.set_axis_off()


def middle(picture: NDArray[np.float32], height: int, width: int) -> NDArray[np.uint8]:
    """Return the middle of a picture of range 0 to 1, at most `height` x `width`, as 8-bit grey values."""
    tall, wide = picture.shape
    top, left = max(0, (tall - height) // 2), max(0, (wide - width) // 2)
    part = picture[top : top + height, left : left + width]
    return np.asarray(np.nan_to_num(part).clip(0, 1) * 255, dtype=np.uint8)


def pixmap(picture: NDArray[np.uint8]) -> QPixmap:
    """Return 8-bit grey values (y, x) or colours (y, x, 3) as a picture for Qt."""
    picture = np.ascontiguousarray(picture)
    kind = QImage.Format.Format_Grayscale8 if picture.ndim == 2 else QImage.Format.Format_RGB888
    height, width = picture.shape[:2]
    return QPixmap.fromImage(QImage(picture.tobytes(), width, height, picture.strides[0], kind))
