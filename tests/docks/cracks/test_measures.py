"""The measuring tab in a real viewer: two plates of known place and width."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QFileDialog

from napari_nanoct.docks.cracks.plots import PlotWindow
from napari_nanoct.docks.cracks.results import CHOSEN, SOUND
from napari_nanoct.docks.cracks.table import FLAG

LONG = 120_000
SCALE = (50.0, 40.0, 40.0)


@pytest.fixture(scope="module")
def plates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a volume with two dark plates, its labels, and an original that shows the first plate alone."""
    random = np.random.default_rng(0)
    labels = np.zeros((20, 64, 80), np.int32)
    labels[3:9, 12:50, 20:22] = 1
    labels[12:17, 30:32, 40:70] = 2
    grey = random.normal(1000, 5, labels.shape)
    grey[labels > 0] -= 800
    original = random.normal(1000, 5, labels.shape)
    original[labels == 1] -= 800
    return grey.astype(np.float32), labels, original.astype(np.float32)


def _measured(qtbot: QtBot, dock) -> None:
    dock.ui.measure.click()
    qtbot.waitUntil(lambda: dock.measures.shown is not None, timeout=LONG)


def _colour(layer, number: int) -> str:
    return "#" + "".join(f"{round(float(v) * 255):02x}" for v in layer.get_color(number)[:3])


def _with_plates(open_cracks: Callable, plates: tuple, **options) -> tuple:
    viewer, dock = open_cracks()
    viewer.add_image(plates[0], name="enhanced", scale=SCALE, units="nm", **options)
    layer = viewer.add_labels(plates[1].copy(), name="cracks", scale=SCALE, units="nm", **options)
    return viewer, dock, layer


def test_a_click_goes_to_the_crack(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    viewer, dock, layer = _with_plates(open_cracks, plates, translate=(0, 400, 0))
    _measured(qtbot, dock)
    table = dock.ui.table
    assert [crack.id for crack in table.cracks.cracks] == [1, 2]
    assert table.cracks.cracks[0].aperture_mean == pytest.approx(80, rel=0.15)
    assert "2 cracks" in dock.ui.summary.text()
    assert _colour(layer, 1) == _colour(layer, 2) == SOUND
    for row, (z, y, x) in ((1, (14, 30.5, 54.5)), (0, (5.5, 30.5, 20.5))):
        table.selectRow(row)
        assert viewer.dims.current_step[0] in (int(z), int(np.ceil(z)))
        np.testing.assert_allclose(viewer.scene.camera.center[-2:], (y * 40 + 400, x * 40), atol=30)
        assert _colour(layer, 2 if row else 1) == CHOSEN
        assert _colour(layer, 1 if row else 2) == SOUND


def test_labels_in_another_unit_and_place(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(plates[0], name="enhanced", scale=np.array(SCALE) / 1000, units="um")
    viewer.add_labels(np.zeros((2, 3, 4, 5), np.uint8), name="a series")
    layer = viewer.add_labels(plates[1].copy(), name="cracks", scale=SCALE, units="nm", translate=(0, 400, 0))
    viewer.layers.move(viewer.layers.index(layer), 1)
    viewer.layers.selection.active = viewer.layers["enhanced"]
    _measured(qtbot, dock)
    assert dock.measures.shown.layer is layer
    dock.ui.table.selectRow(1)
    seen = layer.world_to_data(viewer.dims.point[-3:])
    np.testing.assert_allclose(seen, (14, 30.5, 54.5), atol=0.6)


def test_cracks_that_only_the_enhanced_layer_shows_are_flagged(
    open_cracks: Callable, plates: tuple, qtbot: QtBot
) -> None:
    viewer, dock, layer = _with_plates(open_cracks, plates)
    viewer.add_image(plates[2], name="original", scale=SCALE, units="nm")
    dock.ui.original.setCurrentIndex(dock.ui.original.findText("original"))
    _measured(qtbot, dock)
    assert [crack.only_enhanced for crack in dock.ui.table.cracks.cracks] == [False, True]
    assert _colour(layer, 1) == SOUND
    assert _colour(layer, 2) == FLAG
    assert "⚑ 1 of them the original does not prove" in dock.ui.summary.text()


def test_aperture_layer(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    viewer, dock, layer = _with_plates(open_cracks, plates)
    assert not dock.ui.aperture.isEnabled()
    _measured(qtbot, dock)
    dock.ui.aperture.click()
    shown = viewer.layers["cracks aperture"]
    values = np.asarray(shown.data)
    assert viewer.layers.index(shown) == viewer.layers.index(layer) + 1
    assert (values[plates[1] == 0] == 0).all()
    assert np.median(values[plates[1] == 1]) == pytest.approx(80, rel=0.15)
    assert shown.contrast_limits[0] == 0
    assert 60 < shown.contrast_limits[1] < 200
    np.testing.assert_allclose(shown.extent.world, layer.extent.world)
    assert shown.colormap.map(np.array([0.0]))[0, 3] == 0  # transparent where there is no crack


def test_the_table_as_a_file(open_cracks: Callable, plates: tuple, qtbot: QtBot, tmp_path: Path) -> None:
    _, dock, _ = _with_plates(open_cracks, plates)
    _measured(qtbot, dock)
    dock.measures.export(str(tmp_path / "cracks.csv"))
    assert str(tmp_path / "cracks.csv") in dock.ui.status.text()
    with (tmp_path / "cracks.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["1", "2"]
    dock.measures.export(str(tmp_path / "nowhere" / "cracks.csv"))
    assert "cannot be written" in dock.ui.status.text()


def test_a_table_replaces_what_was_asked_about_alone(
    open_cracks: Callable, plates: tuple, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dock, _ = _with_plates(open_cracks, plates)
    _measured(qtbot, dock)
    chosen = tmp_path / "cracks"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(chosen), ""))
    whole = tmp_path / "cracks_whole.csv"
    whole.write_text("mine")
    dock.ui.export.click()
    assert f"{whole} is there already" in dock.ui.status.text()
    assert list(tmp_path.glob("cracks*")) == [whole]
    assert whole.read_text() == "mine"
    whole.unlink()
    dock.ui.export.click()
    assert sorted(tmp_path.glob("cracks*")) == [tmp_path / "cracks.csv", whole]
    chosen = tmp_path / "cracks.csv"  # now the dialog has asked
    whole.write_text("mine")
    dock.ui.export.click()
    assert whole.read_text(encoding="utf-8-sig").startswith("quantity")
    chosen = f"{tmp_path}//cracks.csv"  # as Qt spells a path is not always as Python does
    whole.write_text("mine")
    dock.ui.export.click()
    assert whole.read_text(encoding="utf-8-sig").startswith("quantity")


def test_plots(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    _, dock, _ = _with_plates(open_cracks, plates)
    _measured(qtbot, dock)
    dock.ui.plots.click()
    (window,) = dock.ui.findChildren(PlotWindow)
    assert window.isVisible()
    assert len([axes for axes in window.figure.axes if axes.get_title()]) == 4
    window.figure.canvas.draw()
    window.close()


def test_cracks_at_pores_are_told(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    viewer, dock, cracks = _with_plates(open_cracks, plates)
    z, y, x = np.argwhere(plates[1] == 2)[0]
    pores = np.zeros_like(plates[1])
    pores[max(z - 1, 0) : z + 1, y - 2 : y, x : x + 2] = 1
    layer = viewer.add_labels(pores, name="pores", scale=SCALE, units="nm")
    dock.ui.pores.setCurrentIndex(dock.ui.pores.findData(layer))
    viewer.layers.selection.active = cracks
    _measured(qtbot, dock)
    assert {crack.id: crack.touches_pores for crack in dock.ui.table.cracks.cracks} == {1: False, 2: True}
    viewer.layers.remove(layer)
    viewer.add_labels(pores[:5], name="few")
    dock.ui.pores.setCurrentIndex(dock.ui.pores.findText("few"))
    dock.ui.measure.click()
    assert "The layer of pores “few” has the shape (5, 64, 80)" in dock.ui.status.text()


def test_removing_the_layer_empties_the_table(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    viewer, dock, layer = _with_plates(open_cracks, plates)
    _measured(qtbot, dock)
    viewer.layers.remove(layer)
    assert not dock.ui.table.cracks.cracks
    assert not dock.ui.plots.isEnabled()
    assert dock.ui.summary.text() == ""


def test_layers_of_different_shape(open_cracks: Callable, plates: tuple) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(plates[0], name="enhanced")
    dock.ui.measure.click()
    assert "no crack labels to measure" in dock.ui.status.text()
    viewer.add_labels(plates[1][:5], name="few")
    dock.ui.measure.click()
    assert "“few” (5, 64, 80) and “enhanced” (20, 64, 80) differ in shape" in dock.ui.status.text()
    dock.ui.inside.setCurrentIndex(dock.ui.inside.findText("few"))
    dock.propose()
    assert "The mask “few” has the shape (5, 64, 80)" in dock.ui.status.text()


def test_no_cracks(open_cracks: Callable, plates: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(plates[0], name="enhanced")
    viewer.add_labels(np.zeros_like(plates[1]), name="nothing")
    _measured(qtbot, dock)
    assert "No cracks" in dock.ui.summary.text()
    assert not dock.ui.export.isEnabled()
