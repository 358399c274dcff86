"""The table of cracks, without a viewer."""

from __future__ import annotations

import math

from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_nanoct.cracks.measurement import Crack
from napari_nanoct.docks.cracks.table import COLUMNS, FLAG, CrackTable, cell_text


def crack(number: int, **changes) -> Crack:
    values = {
        "id": number, "voxels": 10 * number, "volume": 10.0 * number, "area": 5.0, "aperture_mean": 40.0,
        "aperture_p95": 60.0, "aperture_max": 70.0, "length": 100.0 * number, "normal": (1.0, 0.0, 0.0),
        "planarity": 0.9, "centre": (0.0, 0.0, 0.0), "box": ((0, 0, 0), (1, 1, 1)), "touches_border": False,
    }  # fmt: skip
    return Crack(**{**values, **changes})


def _ids(table: CrackTable) -> list[int]:
    return [c.id for c in table.cracks.cracks]


def _column(heading: str) -> int:
    return next(i for i, column in enumerate(COLUMNS) if column.heading.startswith(heading))


def test_longest_first_with_the_unit(qtbot: QtBot) -> None:
    table = CrackTable()
    qtbot.addWidget(table)
    table.show_cracks([crack(1), crack(3), crack(2)], "nanometer")
    assert _ids(table) == [3, 2, 1]
    assert table.cracks.headerData(2, Qt.Orientation.Horizontal) == "length\nnm"
    assert table.cracks.headerData(6, Qt.Orientation.Horizontal) == "area\nnm²"
    assert table.cracks.index(0, 2).data() == "300"


def test_sorting_keeps_the_chosen_crack_and_puts_the_unknown_last(qtbot: QtBot) -> None:
    table = CrackTable()
    qtbot.addWidget(table)
    table.show_cracks([crack(1, cnr_original=2.0), crack(2), crack(3, cnr_original=5.0)], "pixel")
    chosen = []
    table.chosen.connect(chosen.append)
    table.selectRow(1)
    assert [c.id for c in chosen] == [2]
    for order, expected in ((Qt.SortOrder.AscendingOrder, [1, 3, 2]), (Qt.SortOrder.DescendingOrder, [3, 1, 2])):
        table.sortByColumn(_column("contrast"), order)
        assert _ids(table) == expected
        assert table.cracks.cracks[table.currentIndex().row()].id == 2
    assert [c.id for c in chosen] == [2]  # sorting chooses nothing


def test_flagged_rows_stand_out(qtbot: QtBot) -> None:
    table = CrackTable()
    qtbot.addWidget(table)
    table.show_cracks([crack(1, only_enhanced=True), crack(2, only_enhanced=False), crack(3)], "pixel")
    flags = [table.cracks.index(row, 1).data() for row in range(3)]
    assert flags == ["", "", "⚑"]
    brush = table.cracks.index(2, 2).data(Qt.ItemDataRole.ForegroundRole)
    assert brush.color().name() == FLAG
    assert table.cracks.index(0, 2).data(Qt.ItemDataRole.ForegroundRole) is None


def test_cells() -> None:
    assert [cell_text(v) for v in (None, False, True, math.nan, 0.12345, 123.456, 123456.7, 7)] == [
        "", "", "yes", "", "0.123", "123", "123457", "7",
    ]  # fmt: skip


def test_tilt_is_the_angle_to_z() -> None:
    tilt = COLUMNS[_column("tilt")].value
    assert tilt(crack(1)) == 0
    assert abs(tilt(crack(1, normal=(math.sqrt(0.5), 0.0, math.sqrt(0.5)))) - 45) < 1e-9
