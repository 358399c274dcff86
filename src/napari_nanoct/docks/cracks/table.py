"""The table of measured cracks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal  # type: ignore[attr-defined]
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_nanoct.volumes.units import SYMBOLS

if TYPE_CHECKING:
    from napari_nanoct.cracks.measurement import Crack

FLAG = "#e6399b"
"""Colour of cracks that the original does not show, here and over the image."""


@dataclass(frozen=True)
class Column:
    """What a column shows; ``{unit}`` in the heading becomes the volume's unit."""

    heading: str
    tip: str
    value: Callable[[Crack], Any]


COLUMNS = (
    Column("id", "Label of the crack in the layer", lambda crack: crack.id),
    Column("flag", "⚑: the enhanced layer shows it, the original does not prove it", lambda crack: crack.only_enhanced),
    Column("length\n{unit}", "Longest extent in a straight line", lambda crack: crack.length),
    Column("aperture\nmean {unit}", "Mean opening across the mid-surface", lambda crack: crack.aperture_mean),
    Column("aperture\nP95 {unit}", "95th percentile of the opening", lambda crack: crack.aperture_p95),
    Column("aperture\nmax {unit}", "Largest opening", lambda crack: crack.aperture_max),
    Column("area\n{unit}²", "Area of the mid-surface, one side", lambda crack: crack.area),
    Column("volume\n{unit}³", "Volume of the label", lambda crack: crack.volume),
    Column("tilt\n°", "Angle between the crack's normal and the z axis", lambda crack: _tilt(crack.normal[0])),
    Column("planarity", "1 for a plane", lambda crack: crack.planarity),
    Column("border", "It reaches the border of the volume", lambda crack: crack.touches_border),
    Column("pores", "It has a pore next to it", lambda crack: crack.touches_pores),
    Column("contrast", "Contrast to noise at its place in the original", lambda crack: crack.cnr_original),
)


def _tilt(normal_z: float) -> float:
    return math.degrees(math.acos(min(1.0, abs(normal_z))))


class CrackModel(QAbstractTableModel):
    """Measured cracks as rows, in any order of a column."""

    def __init__(self) -> None:
        super().__init__()
        self.cracks: list[Crack] = []
        self.unit = "pixel"

    def show(self, cracks: Sequence[Crack], unit: str) -> None:
        """Show other cracks, longest first."""
        self.beginResetModel()
        self.cracks, self.unit = sorted(cracks, key=lambda crack: -crack.length), unit
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many cracks there are."""
        return len(self.cracks)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many columns there are."""
        return len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return text, colour or alignment of a cell."""
        crack = self.cracks[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            value = COLUMNS[index.column()].value(crack)
            return ("⚑" if value else "") if COLUMNS[index.column()].heading == "flag" else cell_text(value)
        if role == Qt.ItemDataRole.ForegroundRole and crack.only_enhanced:
            return QBrush(QColor(FLAG))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | None:
        """Return heading or tip of a column."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].heading.format(unit=SYMBOLS.get(self.unit, self.unit))
        return COLUMNS[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order the rows by a column; what is not known comes last."""
        sign = 1 if order == Qt.SortOrder.AscendingOrder else -1

        def key(crack: Crack) -> tuple[bool, float]:
            value = COLUMNS[column].value(crack)
            known = value is not None and not math.isnan(value)
            return (not known, sign * float(value) if known else 0.0)

        self.layoutAboutToBeChanged.emit()
        before = [self.cracks[index.row()].id for index in self.persistentIndexList()]
        self.cracks.sort(key=key)
        rows = {crack.id: row for row, crack in enumerate(self.cracks)}
        for index, crack_id in zip(self.persistentIndexList(), before, strict=True):
            self.changePersistentIndex(index, self.index(rows[crack_id], index.column()))
        self.layoutChanged.emit()


def cell_text(value: Any) -> str:
    """Return a value as it stands in a cell: three digits, yes, or nothing where it is not known."""
    if value is None or value is False or (isinstance(value, float) and math.isnan(value)):
        return ""
    if value is True:
        return "yes"
    return str(value) if isinstance(value, int) else f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


class CrackTable(QTableView):
    """The table; a click on a row tells which crack.

    Signals
    -------
    chosen : Crack
        A row was selected, by mouse or keyboard.
    """

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.cracks = CrackModel()
        self.setModel(self.cracks)
        self.setSortingEnabled(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setMinimumHeight(120)
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        assert rows is not None
        assert columns is not None
        rows.hide()
        rows.setDefaultSectionSize(22)
        columns.setSortIndicator(2, Qt.SortOrder.DescendingOrder)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        selection = self.selectionModel()
        assert selection is not None
        selection.currentRowChanged.connect(self._row_chosen)

    def show_cracks(self, cracks: Sequence[Crack], unit: str) -> None:
        """Show other cracks, longest first; lengths are in `unit`."""
        self.cracks.show(cracks, unit)
        header = self.horizontalHeader()
        assert header is not None
        header.setSortIndicator(2, Qt.SortOrder.DescendingOrder)
        self.resizeColumnsToContents()

    def _row_chosen(self, row: QModelIndex) -> None:
        if row.isValid():
            self.chosen.emit(self.cracks.cracks[row.row()])
