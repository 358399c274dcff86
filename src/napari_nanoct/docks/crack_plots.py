"""Figures in a window of their own: a dock is too narrow for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

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
    """

    def __init__(self, parent: QWidget, title: str, draw: Callable[[Figure], None]) -> None:
        super().__init__(parent)
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg, NavigationToolbar2QT
        from matplotlib.figure import Figure

        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.figure = Figure(layout="constrained")
        canvas = FigureCanvasQTAgg(self.figure)
        draw(self.figure)
        layout = QVBoxLayout(self)
        layout.addWidget(NavigationToolbar2QT(canvas, self))
        layout.addWidget(canvas, 1)
        self.resize(900, 760)
