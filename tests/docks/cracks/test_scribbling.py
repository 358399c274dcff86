"""Scribbling in a real viewer: brushes, undo, and what comes back from disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_nanoct.docks.cracks import scribbling
from napari_nanoct.docks.cracks.brushes import COLOURS

SHAPE = (6, 70, 90)


def _ready(qtbot: QtBot, dock) -> None:
    qtbot.waitUntil(lambda: dock.scribbling.brushes.store is not None, timeout=10_000)


def _stroke(layer, z: int, y: int, number: int) -> None:
    layer.selected_label = number
    layer.paint((z, y, 40), number)


def test_the_brush_makes_a_layer_over_the_image(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_cracks()
    image = viewer.add_image(tomogram, name="scan", scale=(50, 40, 40), translate=(500, 0, -80), units="nm")
    _ready(qtbot, dock)
    assert [button.text() for button in dock.ui.classes.buttons()] == ["crack", "pore", "background"]
    added = []
    viewer.layers.events.inserted.connect(lambda event: added.append(event.value.units))
    dock.ui.classes.button(2).click()
    layer = dock.scribbling.brushes.layer
    assert added == [image.units]  # from the start: of layers in different units napari warns
    assert layer.mode == "paint"
    assert layer.selected_label == 2
    assert viewer.layers.selection.active == layer
    np.testing.assert_allclose(layer.extent.world, image.extent.world)
    assert layer.units == image.units
    np.testing.assert_allclose(layer.get_color(1), _rgba(COLOURS[0]), atol=0.01)
    assert dock.ui.image == image  # the layer is offered neither as image nor as mask
    assert dock.ui.inside.count() == 2
    assert not list(tmp_path.rglob("*.scribbles.zarr"))  # nothing was painted
    dock.ui.erase.click()
    assert layer.mode == "erase"


def _rgba(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] + [1]


def test_scribbles_go_to_disk_and_come_back(
    open_cracks: Callable, make_napari_viewer: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "scan.npy"
    np.save(path, tomogram)
    viewer, dock = open_cracks()
    viewer.open(path, plugin="napari-nanoct")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    dock.scribbling.add_class("binder")
    _stroke(dock.scribbling.brushes.layer, 5, 30, 4)
    stored = tmp_path / "scan-cracks.scribbles.zarr"
    qtbot.waitUntil(lambda: (stored / "c" / "5").exists(), timeout=5000)
    expected = np.asarray(dock.scribbling.brushes.store)
    assert set(np.unique(expected)) == {0, 1, 4}
    np.testing.assert_array_equal(zarr.open_array(stored, mode="r")[:], expected)

    again, second = open_cracks(make_napari_viewer())
    again.open(path, plugin="napari-nanoct")
    qtbot.waitUntil(lambda: "are back" in second.ui.status.text(), timeout=10_000)
    assert "on 2 slices" in second.ui.status.text()
    np.testing.assert_array_equal(np.asarray(second.scribbling.brushes.layer.data), expected)
    assert [b.text() for b in second.ui.classes.buttons()] == ["crack", "pore", "background", "binder"]


def test_scribbles_go_with_the_dock_and_come_back_with_another(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    np.save(tmp_path / "scan.npy", tomogram)
    viewer, dock = open_cracks()
    viewer.open(tmp_path / "scan.npy", plugin="napari-nanoct")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    expected = np.asarray(dock.scribbling.brushes.store)
    viewer.window.remove_dock_widget(dock)
    assert [layer.name for layer in viewer.layers] == ["scan"]  # what is painted on it now nobody would keep
    _, second = open_cracks(viewer)
    qtbot.waitUntil(lambda: "slice 3 are back" in second.ui.status.text(), timeout=10_000)
    assert [layer.name for layer in viewer.layers] == ["scan", "scan scribbles"]
    np.testing.assert_array_equal(np.asarray(second.scribbling.brushes.layer.data), expected)


def test_scribbles_that_cannot_be_written_stay_when_the_dock_goes(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    (tmp_path / "no folder").touch()
    dock.ui.output.setText(str(tmp_path / "no folder" / "cracks.ome.zarr"))
    dock.ui.output.editingFinished.emit()
    qtbot.waitUntil(
        lambda: (
            dock.scribbling.brushes.store is not None and dock.scribbling.brushes.store.path.parent.name == "no folder"
        ),
        timeout=10_000,
    )
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    viewer.window.remove_dock_widget(dock)
    assert [layer.name for layer in viewer.layers] == ["scan", "scan scribbles"]


def test_undo_survives_a_change_of_slice(open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    _ready(qtbot, dock)
    dock.ui.undo.click()
    assert "no stroke" in dock.ui.status.text()
    dock.scribbling.paint(1)
    layer, store = dock.scribbling.brushes.layer, dock.scribbling.brushes.store
    viewer.dims.set_current_step(0, 2)
    _stroke(layer, 2, 20, 1)
    viewer.dims.set_current_step(0, 4)
    _stroke(layer, 4, 30, 3)
    viewer.dims.set_current_step(0, 0)
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    dock.ui.undo.click()
    assert store.labelled_slices() == (2,)
    assert viewer.dims.current_step[0] == 4  # where the stroke was
    dock.ui.undo.click()
    assert store.labelled_slices() == ()
    assert viewer.dims.current_step[0] == 2
    layer.redo()
    assert store.labelled_slices() == (2,)


def test_shortcuts_hold_on_every_tab(
    open_cracks: Callable, make_napari_viewer: Callable, tomogram: np.ndarray, qtbot: QtBot
) -> None:
    viewer, dock = open_cracks(make_napari_viewer(show=True))
    viewer.add_image(tomogram, name="scan")
    qtbot.waitUntil(lambda: dock.scribbling.brushes.store is not None, timeout=10_000)
    window = viewer.window._qt_window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow, timeout=10_000)
    pressed: list[str] = []
    for name in ("propose", "undo", "next", "live", "probability", "erase"):
        button = getattr(dock.ui, name)
        if name in ("propose", "next"):  # what it does takes its time
            button.clicked.disconnect()
        button.clicked.connect(lambda *_, name=name: pressed.append(name))
    for tab in range(dock.ui.tabs.count()):
        dock.ui.tabs.setCurrentIndex(tab)
        pressed.clear()
        for key in "RZNIO0":
            qtbot.keyClick(dock, getattr(Qt.Key, f"Key_{key}"), Qt.KeyboardModifier.AltModifier)
        assert pressed == ["propose", "undo", "next", "live", "probability", "erase"]
        for number in (2, 3, 9):  # there is no ninth class
            qtbot.keyClick(dock, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.AltModifier)
            assert dock.scribbling.brushes.layer.selected_label == min(number, 3)


def test_strokes_and_undo_are_heard(open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    layer = dock.scribbling.brushes.layer
    heard = []
    dock.scribbling.stroked.connect(lambda: heard.append(1))
    _stroke(layer, 0, 20, 1)
    assert len(heard) == 1
    layer.undo()  # as Ctrl+Z does
    assert len(heard) == 2
    viewer.dims.set_current_step(0, 3)
    assert len(heard) == 2


def test_scribbles_outlive_their_layer(open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    viewer.layers.remove(dock.scribbling.brushes.layer)
    dock.scribbling.paint(2)
    assert np.asarray(dock.scribbling.brushes.layer.data).any()


def test_each_layer_has_its_own(open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="first")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    viewer.add_image(tomogram[:4] + 1, name="second")
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("second"))
    _ready(qtbot, dock)
    assert dock.scribbling.brushes.store.labelled_slices() == ()
    assert "first scribbles" not in viewer.layers
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("first"))
    qtbot.waitUntil(lambda: "first scribbles" in viewer.layers, timeout=10_000)
    assert dock.scribbling.brushes.store.labelled_slices() == (3,)
    assert "slice 3 are back" in dock.ui.status.text()


def test_scribbles_that_cannot_be_written_are_not_lost(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="first")
    viewer.add_image(tomogram[:4], name="second")
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("first"))
    place = tmp_path / "no folder"
    place.touch()  # nothing can be written below it
    dock.ui.output.setText(str(place / "cracks.ome.zarr"))
    dock.ui.output.editingFinished.emit()
    qtbot.waitUntil(lambda: getattr(dock.scribbling.brushes.store, "path", place).parent == place, timeout=10_000)
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("second"))
    assert "cannot be written" in dock.ui.status.text()
    _ready(qtbot, dock)
    assert dock.scribbling.store is None
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("first"))
    qtbot.waitUntil(lambda: "slice 3 are back" in dock.ui.status.text(), timeout=10_000)
    assert dock.scribbling.store.labelled_slices() == (3,)
    place.unlink()
    dock.scribbling.end()
    assert (place / "cracks.scribbles.zarr" / "c" / "3").exists()


def test_strokes_made_while_another_output_is_looked_at_stay(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    looked = []
    found = scribbling._open
    monkeypatch.setattr(scribbling, "_open", lambda *args: looked.append(found(*args)) or looked[-1])
    dock.ui.output.setText(str(tmp_path / "elsewhere.ome.zarr"))
    dock.ui.output.editingFinished.emit()
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    qtbot.waitUntil(lambda: bool(looked), timeout=10_000)
    qtbot.wait(200)
    assert dock.scribbling.brushes.layer in viewer.layers
    assert dock.scribbling.store.labelled_slices() == (3,)


def test_another_output_keeps_what_was_painted(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 3, 20, 1)
    store = dock.scribbling.brushes.store
    dock.ui.output.setText(str(tmp_path / "elsewhere.ome.zarr"))
    dock.ui.output.editingFinished.emit()
    qtbot.wait(300)
    assert dock.scribbling.brushes.store is store


def test_scribbles_of_another_volume_are_not_taken(
    open_cracks: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    zarr.create_array(tmp_path / "home" / "scan-cracks.scribbles.zarr", shape=SHAPE, dtype="u1")
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    qtbot.waitUntil(lambda: "holds no scribbles" in dock.ui.status.text(), timeout=10_000)
    dock.ui.status.setText("")
    dock.ui.classes.button(1).click()
    qtbot.waitUntil(lambda: "choose another output" in dock.ui.status.text(), timeout=10_000)
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("name", ["", "crack"])
def test_a_class_needs_a_name_of_its_own(open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot, name: str) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="scan")
    _ready(qtbot, dock)
    dock.scribbling.add_class(name)
    assert dock.ui.status.text()
    assert len(dock.ui.classes.buttons()) == 3


def test_a_slice_is_no_volume(open_cracks: Callable, tomogram: np.ndarray) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram[0], name="flat")
    assert "“flat” is one slice" in dock.ui.status.text()
    for act in (lambda: dock.scribbling.paint(1), dock.propose, dock.run.propose, dock.next_slice):
        dock.ui.status.setText("")
        act()
        assert "“flat” is one slice" in dock.ui.status.text()
    assert len(viewer.layers) == 1


@pytest.mark.parametrize("wrong", ["mask", "thresholds"])
def test_a_choice_that_was_refused_at_a_change_of_layer_can_be_mended(
    open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot, wrong: str
) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(tomogram, name="first")
    viewer.add_image(np.concatenate([tomogram, tomogram[:2]]), name="second")
    viewer.add_labels(np.ones(SHAPE, np.uint8), name="body")
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("first"))
    if wrong == "mask":
        dock.ui.inside.setCurrentIndex(dock.ui.inside.findText("body"))
    else:
        dock.ui.low.setValue(0.9)
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("second"))
    assert dock.ui.status.text()
    dock.ui.live.click()
    dock.next_slice()
    dock.ui.inside.setCurrentIndex(0)
    dock.ui.low.setValue(0.4)
    _ready(qtbot, dock)
    dock.scribbling.paint(1)
    _stroke(dock.scribbling.brushes.layer, 7, 20, 1)
    assert dock.scribbling.store.shape == (8, *SHAPE[1:])
    qtbot.waitUntil(lambda: "All scribbles are “crack”" in dock.ui.status.text(), timeout=60_000)  # the live preview
    dock.ui.method.setCurrentIndex(dock.ui.method.findData("classifier"))
    for act in (dock.next_slice, dock.run.propose):
        dock.ui.status.setText("")
        act()
        qtbot.waitUntil(lambda: "All scribbles are “crack”" in dock.ui.status.text(), timeout=60_000)


def test_a_layer_that_was_refused_can_be_mended(open_cracks: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    image = viewer.add_image(tomogram, name="scan", shear=[0.1, 0, 0])
    dock.next_slice()
    assert "reset its transform" in dock.ui.status.text()
    image.shear = [0, 0, 0]
    dock.scribbling.paint(1)
    qtbot.waitUntil(lambda: "scan scribbles" in viewer.layers, timeout=10_000)
    dock.next_slice()
    qtbot.waitUntil(lambda: "no scribbles yet" in dock.ui.status.text(), timeout=60_000)


def test_without_a_layer(open_cracks: Callable) -> None:
    _, dock = open_cracks()
    assert "Open a tomogram" in dock.ui.status.text()
    for act in (
        lambda: dock.scribbling.paint(1),
        dock.propose,
        dock.run.propose,
        dock.next_slice,
        dock.measures.measure,
    ):
        dock.ui.status.setText("")
        act()
        assert "no image layer" in dock.ui.status.text()
