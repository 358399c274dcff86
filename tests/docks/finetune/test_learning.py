"""The tab that shows how a training goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtGui import QColor

from napari_nanoct.docks.finetune.learning import Learning, middle, pixmap, read_preview
from napari_nanoct.jobs import CancelToken, Loss, Preview


@pytest.fixture
def learning(qtbot: QtBot) -> Learning:
    """The tab, shown."""
    widget = Learning()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def test_curve(learning: Learning) -> None:
    for step in range(1, 7):
        scored = step % 3 == 0
        learning.take(Loss(step, 0.1 / step, 20.0 + step if scored else None, 20.5 if scored else None))
    learning.draw()
    axes, beside = learning._figure.axes
    parent, child = axes.lines
    np.testing.assert_array_equal(parent.get_ydata(), [20.5, 20.5])
    np.testing.assert_array_equal(child.get_xydata(), [[0, 20.5], [3, 23], [6, 26]])
    assert len(beside.lines[0].get_xdata()) == 6
    assert "dB" in axes.get_ylabel()
    learning.begin("neighbours")
    assert not learning.losses
    assert "squared error" in learning._figure.axes[0].get_ylabel()


def test_before_and_after(learning: Learning, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "preview.npz"
    np.savez(path, before=np.zeros((60, 80), np.float32), after=np.ones((60, 80), np.float32))
    assert not learning.after.isEnabled()
    learning.take(Preview(str(path), 5))
    qtbot.waitUntil(learning.after.isEnabled, timeout=20_000)

    def grey() -> int:
        return QColor(learning.picture.pixmap().toImage().pixel(10, 10)).red()

    assert grey() == 255
    learning.after.click()
    assert grey() == 0
    window = learning.open_window()
    assert [axes.get_title() for axes in window.figure.axes] == ["before", "after"]
    window.close()
    learning.take(Preview(str(tmp_path / "gone.npz"), 6))  # replaced at this moment: the one before stays
    qtbot.wait(200)
    assert set(learning.pictures) == {"before", "after"}


def test_comparison(learning: Learning) -> None:
    rows = [
        ("utsr-light", {"psnr": 21.5, "ssim": 0.7, "frc": 4.25}),
        ("mine", {"psnr": 23.125, "ssim": 0.75, "frc": None}),
    ]
    assert not learning.use.isEnabled()
    learning.conclude(rows, "mine ×2 is better.")
    cells = [[learning.table.item(row, column).text() for column in range(3)] for row in range(2)]
    assert cells == [["21.50", "0.7000", "4.25"], ["23.12", "0.7500", "–"]]
    assert [learning.table.verticalHeaderItem(row).text() for row in range(2)] == ["utsr-light", "mine"]
    assert learning.verdict.text() == "mine ×2 is better."
    assert learning.use.isEnabled()
    learning.conclude([("utsr-light", {"error": 0.0125}), ("mine", {"error": 0.01})], "mine ×1 is better.")
    assert learning.table.columnCount() == 1  # of a volume that taught itself no SSIM is shown
    assert "noisy" in learning.table.horizontalHeaderItem(0).text()
    assert [learning.table.item(row, 0).text() for row in range(2)] == ["0.01250", "0.01000"]


def test_pictures_for_qt(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(-0.5, 1.5, 201, dtype=np.float32), (101, 1))
    part = middle(ramp, 11, 101)
    assert part.shape == (11, 101)
    np.testing.assert_array_equal(part[0, [0, 50, 100]], [0, 127, 255])
    colours = np.zeros((3, 5, 3), np.uint8)
    colours[1, 2] = (10, 20, 30)
    assert QColor(pixmap(colours).toImage().pixel(2, 1)).getRgb()[:3] == (10, 20, 30)
    np.savez(tmp_path / "p.npz", before=ramp, after=ramp, other=ramp)
    assert set(read_preview(str(tmp_path / "p.npz"), CancelToken())) == {"before", "after"}
