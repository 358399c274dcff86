"""Figures in a window of their own: a dock is too narrow for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QFileDialog, QPushButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class PlotWindow(QDialog):
    """A window with one figure, its zoom and its Save button; it closes with its parent.

    Parameters
    ----------
    parent : QWidget
        Over which it opens.
    title : str
        Of the window.
    draw : callable
        Fills an empty figure.
    export : callable, optional
        Writes the figures behind the picture to a CSV file of this path; there is a button for it.
    """

    def __init__(
        self, parent: QWidget, title: str, draw: Callable[[Figure], None], export: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(parent)
        from matplotlib.backends.backend_qt import NavigationToolbar2QT
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.figure = Figure(layout="constrained")
        canvas = FigureCanvasQTAgg(self.figure)
        draw(self.figure)
        layout = QVBoxLayout(self)
        layout.addWidget(NavigationToolbar2QT(canvas, self))
        layout.addWidget(canvas, 1)
        self._export = export
        if export is not None:
            button = QPushButton("Export CSV…")
            button.clicked.connect(self._browse)
            layout.addWidget(button)
        self.resize(900, 760)

    def _browse(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self, "Save the figures", "comparison.csv", "Table (*.csv)")
        if path and self._export is not None:
            self._export(path)
