"""The enhance dock in a real viewer, with a small random network and the real process."""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_nanoct.docks import enhance as dock_module
from napari_nanoct.docks.controls import SHAPE, SLICES
from napari_nanoct.docks.process import JobProcess
from napari_nanoct.enhance import enhance_volume
from napari_nanoct.utsr import load_network, read_card, save_checkpoint
from napari_nanoct.volumes import open_volume

LONG = 200_000
SCALE, PLACE = (50.0, 40.0, 40.0), (500.0, 0.0, -80.0)


def _saved(folder: Path, tomogram: np.ndarray) -> Path:
    path = folder / "scan.npy"
    np.save(path, tomogram)
    return path


def _write_to(dock, path: Path) -> None:
    dock.ui.output.setText(str(path))
    dock.ui.output.textEdited.emit(str(path))  # as if typed


def _preview(qtbot: QtBot, dock) -> object:
    dock.ui.preview.click()
    qtbot.waitUntil(lambda: " enhanced with " in dock.ui.status.text(), timeout=LONG)
    return dock.preview_layer


def _propose(qtbot: QtBot, dock) -> None:
    dock.ui.enhance.click()
    qtbot.waitUntil(lambda: dock.plan is not None, timeout=LONG)


def _run(qtbot: QtBot, viewer, dock) -> object:
    count = len(viewer.layers)
    _propose(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    qtbot.waitUntil(lambda: len(viewer.layers) > count, timeout=LONG)
    return viewer.layers[-1]


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("region", ["all", "box"])
@pytest.mark.parametrize("transposed", [False, True])
def test_preview_is_what_the_volume_run_gives(
    open_dock: Callable, tiny_models: dict, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot,
    factor: int, region: str, transposed: bool,
) -> None:  # fmt: skip
    viewer, dock = open_dock()
    layer = viewer.add_image(tomogram, scale=SCALE, translate=PLACE, units="nm", contrast_limits=(100, 60_000))
    crop = None
    if region == "box":
        box = [[0, 4, 6], [0, 4, 70], [0, 50, 70], [0, 50, 6]]
        viewer.add_shapes([np.array(box) * SCALE + PLACE], units="nm")
        dock.ui.region.setCurrentIndex(SHAPE)
        crop = (4, 51, 6, 71)
    if transposed:
        viewer.dims.order = (0, 2, 1)
    viewer.dims.set_point(0, 500 + 3 * 50)
    dock.ui.factor.setCurrentIndex(dock.ui.factor.findData(factor))
    preview = _preview(qtbot, dock)
    expected = enhance_volume(tomogram, tmp_path / "a.zarr", model=tiny_models[factor], crop=crop)
    assert preview.data.dtype == tomogram.dtype
    np.testing.assert_array_equal(preview.data[0], expected.data[3].compute())
    y0, y1, x0, x1 = crop or (0, 70, 0, 90)
    assert np.any(preview.data[0, ::factor, ::factor] != tomogram[3, y0:y1, x0:x1])
    # the outer corners of the preview lie on those of what was enhanced
    low, high = preview.extent.world[:, -2:] + np.outer((-0.5, 0.5), preview.scale[-2:])
    np.testing.assert_allclose(low, np.array([y0 - 0.5, x0 - 0.5]) * 40 + PLACE[1:], atol=1e-6)
    np.testing.assert_allclose(high, np.array([y1 - 0.5, x1 - 0.5]) * 40 + PLACE[1:], atol=1e-6)
    assert preview.translate[0] == 500 + 3 * 50
    assert tuple(map(str, preview.units)) == ("nanometer",) * 3
    assert tuple(preview.contrast_limits) == tuple(layer.contrast_limits)
    assert viewer.dims.point[0] == 500 + 3 * 50


def test_before_and_after(open_dock: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    layer = viewer.add_image(tomogram, name="scan")
    labels = viewer.add_labels(np.zeros(tomogram.shape, int))
    assert not dock.ui.after.isEnabled()
    preview = _preview(qtbot, dock)
    assert [x.name for x in viewer.layers] == ["scan", "scan preview", labels.name]
    assert viewer.layers.selection.active == labels
    assert dock.ui.after.isChecked()
    dock.ui.after.click()
    assert not preview.visible
    viewer.dims.set_current_step(0, 4)
    old = preview.data
    newer = _preview(qtbot, dock)
    assert newer.visible
    assert newer.translate[0] == 4
    assert not np.array_equal(newer.data, old)
    assert [x.name for x in viewer.layers] == ["scan", "scan preview", labels.name]
    viewer.add_image(tomogram, name="truth")  # would cover a preview that stays where it is
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("scan"))
    _preview(qtbot, dock)
    assert [x.name for x in viewer.layers] == ["scan", labels.name, "truth", "scan preview"]
    assert dock.ui.image == layer
    viewer.layers.remove("scan preview")
    assert not dock.ui.after.isEnabled()


def test_a_newer_preview_wins(open_dock: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    viewer.add_image(tomogram)
    viewer.dims.set_current_step(0, 1)
    dock.preview()
    viewer.dims.set_current_step(0, 5)
    preview = _preview(qtbot, dock)
    assert preview.translate[0] == 5
    qtbot.wait(300)
    assert preview.translate[0] == 5


def test_two_dimensional_layer(open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    viewer.add_image(tomogram[2], scale=(3, 3), translate=(5, 7))
    _write_to(dock, tmp_path / "flat.ome.zarr")
    dock.ui.factor.setCurrentIndex(dock.ui.factor.findData(2))
    preview = _preview(qtbot, dock)
    result = _run(qtbot, viewer, dock)
    for layer in (preview, result):
        assert layer.ndim == 2
        np.testing.assert_allclose(layer.scale, (1.5, 1.5))
        np.testing.assert_allclose(layer.translate, (4.25, 6.25))
    np.testing.assert_array_equal(preview.data, np.asarray(result.data))


@pytest.mark.parametrize("kind", ["file", "numpy", "dask"])
def test_volume_run_adds_the_right_layer(
    open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot, tiny_models: dict, kind: str
) -> None:
    viewer, dock = open_dock()
    path = _saved(tmp_path, tomogram)
    options = {
        "scale": SCALE,
        "translate": PLACE,
        "units": "nm",
        "contrast_limits": (100, 60_000),
        "colormap": "viridis",
    }
    if kind == "file":
        (layer,) = viewer.open(path, plugin="napari-nanoct", **options)
    else:
        data = tomogram if kind == "numpy" else da.from_array(tomogram, chunks=(2, 40, 40))
        layer = viewer.add_image(data, name="scan", **options)
    output = tmp_path / "out" / "result.ome.zarr"
    _write_to(dock, output)
    dock.ui.region.setCurrentIndex(SLICES)
    dock.ui.first.setValue(2)
    dock.ui.last.setValue(4)
    dock.ui.factor.setCurrentIndex(dock.ui.factor.findData(2))
    result = _run(qtbot, viewer, dock)
    expected = enhance_volume(tomogram, tmp_path / "b.zarr", model=tiny_models[2], slices=(2, 5))
    finest = result.data[0] if result.multiscale else result.data
    assert isinstance(finest, da.Array)
    np.testing.assert_array_equal(np.asarray(finest), expected.data.compute())
    assert result.name == f"{layer.name} enhanced"
    np.testing.assert_allclose(result.scale, (50, 20, 20))
    np.testing.assert_allclose(result.translate, (500 + 2 * 50, -10, -90))
    assert tuple(map(str, result.units)) == ("nanometer",) * 3
    assert result.axis_labels == ("z", "y", "x")
    assert tuple(result.contrast_limits) == (100, 60_000)
    assert result.colormap.name == "viridis"
    record = result.metadata["nanoct"]
    assert record["status"] == "complete"
    assert record["model"]["name"] == "tiny"
    assert result.metadata["source"] == str(output)
    assert [entry.name for entry in output.parent.iterdir()] == ["result.ome.zarr"]  # the copy is gone
    if kind != "file":
        written = open_volume(output).geometry
        np.testing.assert_allclose(written.voxel_size, result.scale)
        np.testing.assert_allclose(written.origin, result.translate)
    assert dock.ui.status.text().startswith("Done in")
    assert not dock.ui.progress.isVisibleTo(dock)


def test_question_tells_what_will_happen(
    open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_dock()
    viewer.add_image(tomogram)
    output = tmp_path / "result.ome.zarr"
    (tmp_path / "result.ome.zarr.partial").mkdir()
    _write_to(dock, output)
    _propose(qtbot, dock)
    text = dock.ui.question.text()
    for words in (str(output), "6 × 70 × 90", "Disk:", "free", "Time: about", "copied", "half-written"):
        assert words in text
    assert dock.ui.start.text() == "Replace and start"
    assert dock.ui.confirmation.isVisibleTo(dock)
    dock.ui.region.setCurrentIndex(SLICES)  # another choice takes the question back
    assert not dock.ui.confirmation.isVisibleTo(dock)
    dock.start()
    assert not dock.run.running
    assert not output.exists()


def _deep(tomogram: np.ndarray) -> np.ndarray:
    return np.tile(tomogram, (100, 4, 4))


@pytest.mark.parametrize("saved", [True, False])
def test_cancel(open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot, saved: bool) -> None:
    viewer, dock = open_dock()
    deep = _deep(tomogram)
    layer = viewer.open(_saved(tmp_path, deep), plugin="napari-nanoct") if saved else viewer.add_image(deep)
    assert layer
    folder = tmp_path / "out"
    _write_to(dock, folder / "result.ome.zarr")
    _propose(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: dock.ui.bar.maximum() > 0, timeout=LONG)  # copying, or at work
    dock.ui.cancel.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert "ancelled" in dock.ui.status.text()
    assert len(viewer.layers) == 1
    assert not (folder / "result.ome.zarr").exists()
    assert not list(folder.glob(".nanoct-*"))
    assert dock.ui.enhance.isEnabled()


def test_cancel_in_the_activity_dock(open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    viewer.open(_saved(tmp_path, _deep(tomogram)), plugin="napari-nanoct")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: dock.ui.bar.maximum() > 0, timeout=LONG)
    dock.run._activity._bar.cancel()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert "ancelled" in dock.ui.status.text()


def test_error_is_one_sentence(open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    path = _saved(tmp_path, tomogram)
    viewer.open(path, plugin="napari-nanoct")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    path.unlink()
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert str(path) in dock.ui.status.text()
    assert "Traceback" not in dock.ui.status.text()
    assert len(viewer.layers) == 1


def test_a_crash_is_one_sentence(
    open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, dock = open_dock()
    viewer.open(_saved(tmp_path, tomogram), plugin="napari-nanoct")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    program = JobProcess.COMMAND[0]
    monkeypatch.setattr(JobProcess, "COMMAND", (program, "-c", "import os; os.abort()"))
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert "crashed" in dock.ui.status.text()
    assert len(viewer.layers) == 1


def test_command_is_what_the_process_gets(
    open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, dock = open_dock()
    viewer.open(_saved(tmp_path, tomogram), plugin="napari-nanoct")
    _write_to(dock, tmp_path / "my result.ome.zarr")
    dock.ui.region.setCurrentIndex(SLICES)
    dock.ui.last.setValue(1)
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "On the clipboard" in dock.ui.status.text(), timeout=LONG)
    words = shlex.split(QApplication.clipboard().text())
    _propose(qtbot, dock)
    started = []
    monkeypatch.setattr(dock.run.process, "start", started.append)
    dock.start()
    assert words == ["nanoct", *started[0]]
    assert words[2:4] == [str(tmp_path / "scan.npy"), str(tmp_path / "my result.ome.zarr")]
    assert words[words.index("--slices") + 1] == "0:2"
    dock.run.end()


def test_no_command_for_a_layer_that_is_not_on_disk(open_dock: Callable, tomogram: np.ndarray, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    viewer.add_image(tomogram, name="drawn")
    QApplication.clipboard().setText("as it was")
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "is not on disk" in dock.ui.status.text(), timeout=LONG)
    assert QApplication.clipboard().text() == "as it was"


def test_refusals_stand_in_the_status_line(open_dock: Callable, tomogram: np.ndarray) -> None:
    viewer, dock = open_dock()
    assert "Open a tomogram" in dock.ui.status.text()
    for act in (dock.preview, dock.propose, dock.copy_command):
        dock.ui.status.clear()
        act()
        assert "no image layer" in dock.ui.status.text()
    viewer.add_labels(np.zeros(tomogram.shape, int), name="grains")
    dock.preview()
    assert "“grains” is a Labels layer" in dock.ui.status.text()
    viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True)
    assert "RGB" in dock.ui.status.text()  # said as soon as it is chosen


def test_window_stays_free_during_a_run(
    open_dock: Callable, make_napari_viewer: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_dock(make_napari_viewer(show=True))
    viewer.open(_saved(tmp_path, _deep(tomogram)[:24]), plugin="napari-nanoct")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    ticks = []
    timer = QTimer()
    timer.setInterval(50)
    timer.timeout.connect(lambda: ticks.append(time.perf_counter()))
    timer.start()
    dock.ui.start.click()
    with qtbot.waitSignal(dock.run.done, timeout=LONG):
        pass
    timer.stop()
    assert len(ticks) > 20
    assert max(np.diff(ticks)) < 0.2
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=LONG)
    assert viewer.layers[-1].multiscale


def test_closing_the_dock_ends_the_run(open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    viewer.open(_saved(tmp_path, _deep(tomogram)), plugin="napari-nanoct")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: dock.ui.bar.maximum() > 0, timeout=LONG)
    dock.preview()
    run = dock.run
    viewer.window.remove_dock_widget(dock)
    assert not run.running
    assert not run.process.running
    qtbot.wait(300)
    assert not (tmp_path / "result.ome.zarr").exists()


def test_closing_napari_ends_the_run(open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot) -> None:
    viewer, dock = open_dock()
    viewer.open(_saved(tmp_path, _deep(tomogram)), plugin="napari-nanoct")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: dock.ui.bar.maximum() > 0, timeout=LONG)
    run = dock.run
    viewer.close()
    qtbot.waitUntil(lambda: not run.process.running, timeout=LONG)


def test_a_model_file(open_dock: Callable, tiny_models: dict, tmp_path: Path, tomogram: np.ndarray) -> None:
    viewer, dock = open_dock()
    viewer.add_image(tomogram)
    dock.ui.choose_model_file(str(tiny_models[2]))
    assert dock.ui.model.currentText() == "tiny-x2.safetensors"
    assert dock.ui.factor.currentData() == 2
    request = dock.ui.request()
    assert (request.model, request.scale) == (str(tiny_models[2]), 2)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"PK\x03\x04nonsense")
    dock.ui.choose_model_file(str(broken))
    assert "pickled" in dock.ui.status.text()
    assert dock.ui.model.currentText() == "tiny-x2.safetensors"


def test_a_model_made_meanwhile_is_listed(
    open_dock: Callable, tiny_models: dict, tmp_path: Path, tomogram: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_models[1].parent, tmp_path / "models")
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path / "models"))
    viewer, dock = open_dock()
    viewer.add_image(tomogram, name="other")
    layer = viewer.add_image(tomogram, name="scan")
    card = replace(read_card(tiny_models[2]), name="newer")
    save_checkpoint(tmp_path / "models" / "newer-x2.safetensors", load_network(tiny_models[2]), card)
    assert dock.ui.model.findText("newer") < 0
    dock.ui.model.opening.emit()  # its list is about to open
    assert dock.ui.model.findText("newer") >= 0
    assert dock.ui.model.currentText() == "tiny"
    dock.ui.choose(layer, "newer", 2)
    request = dock.ui.request()
    assert (request.volume.name, request.model, request.scale) == ("scan", "newer", 2)


def test_box_follows_the_layers(open_dock: Callable, tomogram: np.ndarray) -> None:
    viewer, dock = open_dock()
    names = lambda: [dock.ui.layer.itemText(i) for i in range(dock.ui.layer.count())]  # noqa: E731
    first = viewer.add_image(tomogram, name="first")
    viewer.add_image(tomogram[:3], name="second")
    viewer.add_points(np.zeros((1, 3)))
    assert names() == ["second", "first"]
    assert dock.ui.image == first
    assert dock.ui.last.value() == 5
    first.name = "renamed"
    assert names() == ["second", "renamed"]
    viewer.layers.remove(first)
    assert names() == ["second"]
    assert dock.ui.last.value() == 2


def test_time_in_words() -> None:
    assert [dock_module.time_text(s) for s in (0, 89, 95, 5399, 7200)] == [
        "1 s", "89 s", "2 min", "90 min", "2.0 h",
    ]  # fmt: skip


def test_tiff_opened_by_napari_itself_is_passed_by_path(
    open_dock: Callable, tomogram: np.ndarray, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = open_dock()
    path = tmp_path / "scan.tif"
    tifffile.imwrite(path, tomogram)
    viewer.open(path, plugin="napari")
    _write_to(dock, tmp_path / "result.ome.zarr")
    _propose(qtbot, dock)
    assert dock.plan.settings.input == str(path)
