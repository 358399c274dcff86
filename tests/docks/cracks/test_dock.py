"""The cracks dock in a real viewer, with the real proposal, classifier and process."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Callable
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication

from napari_nanoct.cracks.scribbles import scribbles_path
from napari_nanoct.docks.cracks.controls import MEASURE
from napari_nanoct.docks.process import JobProcess
from napari_nanoct.volumes import open_volume

LONG = 200_000
SHAPE = (24, 72, 96)
SCALE, PLACE = (50.0, 40.0, 40.0), (500.0, 0.0, -80.0)


@pytest.fixture(scope="module")
def cracked() -> tuple[np.ndarray, np.ndarray]:
    """Return noisy grey values with a bent dark plate, as uint16, and the plate."""
    z, y, x = np.indices(SHAPE)
    crack = (np.abs(x - 45 - 5 * np.sin(y / 14) - 0.2 * z) < 1.2) & (y > 15) & (y < 60)
    grey = np.random.default_rng(0).normal(30_000, 600, SHAPE)
    grey[crack] -= 18_000
    return grey.clip(0, 65_535).astype(np.uint16), crack


def _f1(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (found & truth).sum() / (found.sum() + truth.sum())


def _write_to(dock, path: Path) -> None:
    dock.ui.output.setText(str(path))
    dock.ui.output.editingFinished.emit()  # as if typed


def _ask(qtbot: QtBot, dock) -> None:
    dock.ui.segment.click()
    qtbot.waitUntil(lambda: dock.run.plan is not None, timeout=LONG)


def _run(qtbot: QtBot, dock) -> object:
    _ask(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    qtbot.waitUntil(lambda: dock.measures.shown is not None, timeout=LONG)
    return dock.measures.shown.layer


def _scribble(qtbot: QtBot, dock, crack: np.ndarray) -> None:
    path = scribbles_path(dock.ui.output.text())
    qtbot.waitUntil(lambda: getattr(dock.scribbling.brushes.store, "path", None) == path, timeout=10_000)
    dock.scribbling.paint(1)
    layer = dock.scribbling.brushes.layer
    layer.brush_size = 1
    for z in (6, 18):
        for y in range(25, 45):
            for x in np.flatnonzero(crack[z, y]):
                layer.paint((z, y, x), 1)
        for x in (20, 75):
            for y in range(20, 60):
                layer.paint((z, y, x), 3)


def test_proposal(open_cracks: Callable, cracked: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    image = viewer.add_image(cracked[0], name="scan", scale=SCALE, translate=PLACE, units="nm")
    dock.ui.propose.click()
    qtbot.waitUntil(lambda: dock.measures.shown is not None, timeout=LONG)
    layer = viewer.layers["scan proposed cracks"]
    assert _f1(np.asarray(layer.data) > 0, cracked[1]) > 0.8
    np.testing.assert_allclose(layer.extent.world, image.extent.world)
    assert dock.ui.table.cracks.cracks
    assert "crack" in dock.ui.status.text()
    dock.ui.propose.click()  # another one takes the place of the first
    qtbot.waitUntil(lambda: dock.measures.shown is not None and dock.measures.shown.layer is not layer, timeout=LONG)
    assert [x.name for x in viewer.layers] == ["scan", "scan proposed cracks"]
    edited = viewer.layers["scan proposed cracks"]
    edited.data_setitem((np.array([3]), np.array([3]), np.array([3])), 1)
    for _ in range(2):  # but not of one that was edited
        before = dock.measures.shown
        dock.ui.propose.click()
        qtbot.waitUntil(lambda before=before: dock.measures.shown not in (None, before), timeout=LONG)
        assert [x.name for x in viewer.layers if x != edited] == ["scan", "scan proposed cracks [1]"]
    image.data = np.random.default_rng(0).normal(100, 5, SHAPE).astype(np.float32)
    dock.ui.propose.click()
    qtbot.waitUntil(lambda: "No clear cracks" in dock.ui.status.text(), timeout=LONG)
    assert len(viewer.layers) == 3
    assert edited in viewer.layers


def test_proposal_around_the_view_of_a_large_volume(
    open_cracks: Callable, cracked: tuple, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_nanoct.docks.cracks.proposal.LARGE", 1000)
    monkeypatch.setattr("napari_nanoct.docks.cracks.proposal.NEAR", (16, 64, 64))
    viewer, dock = open_cracks()
    viewer.add_image(cracked[0], name="scan", scale=SCALE, translate=PLACE, units="nm")
    viewer.dims.set_point(0, 500 + 22 * 50)
    dock.ui.propose.click()
    qtbot.waitUntil(lambda: dock.measures.shown is not None, timeout=LONG)
    layer = viewer.layers["scan proposed cracks"]
    assert layer.data.shape == (16, 64, 64)
    part = tuple(round((t - p) / s) for t, p, s in zip(layer.translate, PLACE, SCALE, strict=True))
    assert part == (8, 4, 16)
    assert _f1(layer.data > 0, cracked[1][8:24, 4:68, 16:80]) > 0.8
    assert "16 × 64 × 64 voxels around" in dock.ui.status.text()


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("noise", "No clear cracks; a higher sensitivity, or a mask of where they may be, finds fainter ones."),
        ("constant", "All voxels of the volume are equal, so there is nothing to be found; choose another volume."),
        ("nan", "The volume has no finite voxel (all are NaN or infinite); choose another one."),
    ],
)
def test_no_clear_cracks(open_cracks: Callable, qtbot: QtBot, kind: str, said: str) -> None:
    grey = {
        "noise": np.random.default_rng(0).normal(100, 5, SHAPE),
        "constant": np.full(SHAPE, 3.0),
        "nan": np.full(SHAPE, np.nan),
    }[kind].astype(np.float32)
    viewer, dock = open_cracks()
    viewer.add_image(grey, name="scan", contrast_limits=(0, 200))
    dock.ui.propose.click()
    qtbot.waitUntil(lambda: dock.ui.status.text() not in ("", "Looking for cracks…"), timeout=LONG)
    assert dock.ui.status.text() == said
    assert len(viewer.layers) == 1


def test_a_voxel_size_that_is_given_after_the_strokes_counts(
    open_cracks: Callable, cracked: tuple, qtbot: QtBot
) -> None:
    viewer, dock = open_cracks()
    image = viewer.add_image(cracked[0], name="scan")
    _scribble(qtbot, dock, cracked[1])
    _ask(qtbot, dock)
    assert dock.run.plan.classifier.unit == "pixel"
    image.scale, image.units = SCALE, "nm"
    scribbles = dock.scribbling.brushes.layer
    np.testing.assert_allclose(scribbles.extent.world, image.extent.world)
    assert scribbles.units == image.units
    dock.run.asking.withdraw()
    _ask(qtbot, dock)
    assert dock.run.plan.classifier.unit == "nanometer"
    assert dock.run.plan.classifier.voxel_size == SCALE
    low, _ = dock.run.plan.classifier.value_range
    image.data = image.data + 1000
    dock.run.asking.withdraw()
    _ask(qtbot, dock)
    assert dock.run.plan.classifier.value_range[0] == low + 1000


@pytest.mark.parametrize("kind", ["file", "numpy", "dask"])
def test_volume_by_the_classifier(
    open_cracks: Callable, cracked: tuple, tmp_path: Path, qtbot: QtBot, kind: str
) -> None:
    viewer, dock = open_cracks()
    options = {"scale": SCALE, "translate": PLACE, "units": "nm"}
    if kind == "file":
        np.save(tmp_path / "scan.npy", cracked[0])
        (image,) = viewer.open(tmp_path / "scan.npy", plugin="napari-nanoct", **options)
    else:
        data = cracked[0] if kind == "numpy" else da.from_array(cracked[0], chunks=(8, 40, 40))
        image = viewer.add_image(data, name="scan", **options)
    output = tmp_path / "out" / "cracks.ome.zarr"
    _write_to(dock, output)
    _scribble(qtbot, dock, cracked[1])
    dock.ui.method.setCurrentIndex(dock.ui.method.findData("classifier"))
    layer = _run(qtbot, dock)
    finest = layer.data[0] if layer.multiscale else layer.data
    labels = np.asarray(finest)
    assert _f1(labels > 0, cracked[1]) > 0.9
    np.testing.assert_array_equal(labels, np.asarray(open_volume(output).data))
    assert layer.name == f"{image.name} cracks"
    np.testing.assert_allclose(layer.scale, SCALE)
    np.testing.assert_allclose(layer.translate, PLACE)
    assert dock.ui.tabs.currentIndex() == MEASURE
    assert dock.ui.table.cracks.cracks[0].voxels == (labels == dock.ui.table.cracks.cracks[0].id).sum()
    assert dock.ui.status.text().startswith("Done in")
    there = {entry.name for entry in output.parent.iterdir()}
    assert there == {"cracks.ome.zarr", "cracks.classifier.json", "cracks.scribbles.zarr"}  # the copy is gone


def test_the_run_is_the_preview(open_cracks: Callable, cracked: tuple, tmp_path: Path, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(cracked[0], name="scan")
    _write_to(dock, tmp_path / "cracks.ome.zarr")
    _scribble(qtbot, dock, cracked[1])
    dock.ui.inside.setCurrentIndex(dock.ui.inside.findText("everywhere"))
    for field in (dock.ui.low, dock.ui.high):
        field.setValue(0.5)  # without hysteresis, which connects in 2-D here and in 3-D there
    viewer.dims.set_current_step(0, 12)
    dock.ui.live.click()
    qtbot.waitUntil(lambda: "% crack." in dock.ui.status.text(), timeout=LONG)
    seen = dock.live.overlay.cracks.data[0] > 0
    original = viewer.add_image(cracked[0] // 2, name="before")
    dock.ui.original.setCurrentIndex(dock.ui.original.findData(original))
    dock.ui.tabulate.setChecked(True)
    labels = np.asarray(_run(qtbot, dock).data)[12] > 0
    assert np.mean(seen != labels) < 0.002
    assert seen.any()
    # The table in the dock has the figures that the run wrote; of the original, which is no file, it knows more.
    shown = dock.measures.shown.measured.measurement.cracks
    with (tmp_path / "cracks.csv").open(encoding="utf-8-sig") as file:
        written = list(csv.DictReader(file))
    assert [f"{crack.aperture_mean:.6g}" for crack in shown] == [row["aperture_mean_voxel"] for row in written]
    assert [f"{crack.area:.6g}" for crack in shown] == [row["area_voxel2"] for row in written]
    assert all(crack.only_enhanced is False for crack in shown if crack.voxels > 100)
    assert all(row["only_enhanced"] == "" for row in written)


def test_question_and_command(
    open_cracks: Callable, cracked: tuple, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "scan.npy", cracked[0])
    viewer, dock = open_cracks()
    viewer.open(tmp_path / "scan.npy", plugin="napari-nanoct")
    viewer.add_labels((cracked[0] > 25_000).astype(np.uint8), name="body")
    _write_to(dock, tmp_path / "my cracks.ome.zarr")
    qtbot.waitUntil(lambda: dock.scribbling.brushes.store is not None, timeout=10_000)
    (tmp_path / "my cracks.ome.zarr.partial").mkdir()
    dock.ui.sensitivity.setValue(70)
    dock.ui.inside.setCurrentIndex(dock.ui.inside.findText("body"))
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "On the clipboard" in dock.ui.status.text(), timeout=LONG)
    words = shlex.split(QApplication.clipboard().text())
    assert words[:4] == ["nanoct", "segment", str(tmp_path / "scan.npy"), str(tmp_path / "my cracks.ome.zarr")]
    assert words[words.index("--sensitivity") + 1] == "0.7"
    assert "--measure" not in words
    mask = words[words.index("--mask") + 1]
    np.testing.assert_array_equal(np.asarray(open_volume(mask).data), cracked[0] > 25_000)
    table = str(tmp_path / "my cracks.csv")
    dock.ui.tabulate.setChecked(True)
    _ask(qtbot, dock)
    assert table in dock.ui.question.text()
    (tmp_path / "my cracks.ome.zarr.partial").rmdir()
    _ask(qtbot, dock)
    assert dock.ui.start.text() == "Start"
    Path(table).write_text("mine")
    _ask(qtbot, dock)
    assert "The table that is there now will be replaced" in dock.ui.question.text()
    assert dock.ui.start.text() == "Replace and start"
    (tmp_path / "my cracks.ome.zarr.partial").mkdir()
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: table in QApplication.clipboard().text(), timeout=LONG)
    words = shlex.split(QApplication.clipboard().text())
    assert words[words.index("--measure") + 1] == table
    _ask(qtbot, dock)
    for text in ("my cracks.ome.zarr", "proposal, sensitivity 0.7", "24 × 72 × 96", "free", "half-written"):
        assert text in dock.ui.question.text()
    assert dock.ui.start.text() == "Replace and start"
    started = []
    monkeypatch.setattr(dock.run.process.process, "start", started.append)
    dock.run.start()
    assert words == ["nanoct", *started[0]]
    dock.run.end()
    dock.run.stopped("")
    _ask(qtbot, dock)
    dock.ui.sensitivity.setValue(60)  # another choice takes the question back
    assert not dock.ui.confirmation.isVisibleTo(dock)


def test_nothing_is_replaced_before_the_user_agrees(
    open_cracks: Callable, cracked: tuple, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "scan.npy", cracked[0])
    viewer, dock = open_cracks()
    viewer.open(tmp_path / "scan.npy", plugin="napari-nanoct")
    body = viewer.add_labels(np.ones(SHAPE, np.uint8), name="body")
    _write_to(dock, tmp_path / "cracks.ome.zarr")
    _scribble(qtbot, dock, cracked[1])
    dock.ui.method.setCurrentIndex(dock.ui.method.findData("classifier"))
    dock.ui.inside.setCurrentIndex(dock.ui.inside.findText("body"))
    names = "cracks.classifier.json", "cracks.mask.ome.zarr"

    def copied() -> list[str]:
        QApplication.clipboard().clear()
        dock.ui.copy.click()
        qtbot.waitUntil(lambda: bool(QApplication.clipboard().text()), timeout=LONG)
        words = shlex.split(QApplication.clipboard().text())
        return [Path(words[words.index(option) + 1]).name for option in ("--classifier", "--mask")]

    assert copied() == list(names)
    assert copied() == list(names)  # what is there is the same
    body.data[2] = 0
    classifier = tmp_path / names[0]
    classifier.write_text("mine")
    assert copied() == ["cracks.classifier-2.json", "cracks.mask-2.ome.zarr"]
    _ask(qtbot, dock)
    for what in ("classifier", "mask"):
        assert f"The {what} that is there now will be replaced" in dock.ui.question.text()
    assert dock.ui.start.text() == "Replace and start"
    mask = tmp_path / names[1]
    assert classifier.read_text() == "mine"
    assert np.asarray(open_volume(mask).data).all()

    started: list[list[str]] = []
    monkeypatch.setattr(dock.run.process.process, "start", started.append)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: bool(started), timeout=LONG)
    assert {str(classifier), str(mask)} <= set(started[0])
    assert "--overwrite" not in started[0]  # that is for the output
    assert classifier.read_text() != "mine"
    np.testing.assert_array_equal(np.asarray(open_volume(mask).data), body.data)
    dock.run.end()


def test_no_command_for_a_layer_that_is_not_on_disk(open_cracks: Callable, cracked: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(cracked[0], name="drawn")
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "is not on disk" in dock.ui.status.text(), timeout=LONG)


def test_segmenting_without_scribbles_is_one_sentence(open_cracks: Callable, cracked: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_cracks()
    viewer.add_image(cracked[0], name="scan")
    dock.ui.method.setCurrentIndex(dock.ui.method.findData("classifier"))
    dock.ui.segment.click()
    qtbot.waitUntil(lambda: "no scribbles yet" in dock.ui.status.text(), timeout=LONG)


def test_cancel_and_crash(
    open_cracks: Callable, cracked: tuple, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "scan.npy", np.tile(cracked[0], (8, 4, 4)))
    viewer, dock = open_cracks()
    viewer.open(tmp_path / "scan.npy", plugin="napari-nanoct")
    _write_to(dock, tmp_path / "out" / "cracks.ome.zarr")
    _ask(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: dock.ui.bar.maximum() > 0, timeout=LONG)
    dock.ui.cancel.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert "ancelled" in dock.ui.status.text()
    assert not (tmp_path / "out" / "cracks.ome.zarr").exists()
    assert dock.ui.segment.isEnabled()
    _ask(qtbot, dock)
    program = JobProcess.COMMAND[0]
    monkeypatch.setattr(JobProcess, "COMMAND", (program, "-c", "import os; os.abort()"))
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert "segmentation process crashed" in dock.ui.status.text()
    assert len(viewer.layers) == 1


def test_closing_the_dock_ends_the_run(open_cracks: Callable, cracked: tuple, tmp_path: Path, qtbot: QtBot) -> None:
    np.save(tmp_path / "scan.npy", np.tile(cracked[0], (8, 4, 4)))
    viewer, dock = open_cracks()
    viewer.open(tmp_path / "scan.npy", plugin="napari-nanoct")
    _write_to(dock, tmp_path / "cracks.ome.zarr")
    _scribble(qtbot, dock, cracked[1])
    dock.ui.live.click()
    _ask(qtbot, dock)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: dock.ui.bar.maximum() > 0, timeout=LONG)
    run, live = dock.run, dock.live
    viewer.window.remove_dock_widget(dock)
    assert not run.running
    assert not run.process.process.running
    assert not live.on
    assert (tmp_path / "cracks.scribbles.zarr" / "c" / "18").exists()


def test_original_against_enhanced(open_cracks: Callable, cracked: tuple, qtbot: QtBot, tmp_path: Path) -> None:
    from napari_nanoct.docks.cracks.plots import PlotWindow

    grey, crack = cracked
    viewer, dock = open_cracks()
    noisy = np.random.default_rng(1).normal(0, 5000, SHAPE) + grey
    viewer.add_image(noisy.astype(np.float32), name="original", scale=SCALE, units="nm")
    image = viewer.add_image(grey, name="enhanced", scale=SCALE, units="nm")
    truth = viewer.add_labels(crack.astype(np.uint8), name="truth", scale=SCALE, units="nm")
    dock.ui.layer.setCurrentIndex(dock.ui.layer.findText("enhanced"))
    dock.ui.compare.click()
    qtbot.waitUntil(lambda: "no original" in dock.ui.status.text(), timeout=LONG)
    dock.ui.original.setCurrentIndex(dock.ui.original.findText("original"))
    dock.ui.compare.click()
    qtbot.waitUntil(lambda: "No scribble lies" in dock.ui.status.text(), timeout=LONG)
    _scribble(qtbot, dock, crack)
    for active, words in ((truth, "against the truth"), (image, "the layers agree")):
        viewer.layers.selection.active = active
        dock.ui.compare.click()
        qtbot.waitUntil(lambda words=words: words in dock.ui.status.text(), timeout=LONG)
        window = dock.ui.findChildren(PlotWindow)[-1]
        titles = [axes.get_title() for axes in window.figure.axes]
        assert titles[:2] == ["original", "enhanced"]
        assert (len(titles) == 3) == (active is truth)
        window._export(str(tmp_path / "figures.csv"))
        window.close()
        with (tmp_path / "figures.csv").open(encoding="utf-8-sig") as file:
            figures = {row["layer"]: float(row["f1_1voxel"]) for row in csv.DictReader(file)}
        assert ("enhanced" in figures) == (active is truth)
        if active is truth:
            assert figures["enhanced"] > 0.9
            assert figures["enhanced"] > figures["original"]


def test_manifest_and_sample(make_napari_viewer: Callable) -> None:
    viewer = make_napari_viewer()
    _, dock = viewer.window.add_plugin_dock_widget("napari-nanoct", "Cracks")
    assert type(dock).__name__ == "CracksDock"
    viewer.open_sample("napari-nanoct", "phantom-cracks")
    enhanced, scanned, truth = viewer.layers
    assert scanned.data.shape == enhanced.data.shape == truth.data.shape
    assert dock.ui.image == enhanced
    cracks = np.asarray(truth.data) > 0
    particle = np.asarray(enhanced.data) > np.median(enhanced.data)
    contrast = [
        (np.mean(layer.data[particle & ~cracks]) - np.mean(layer.data[cracks])) / np.std(layer.data[particle & ~cracks])
        for layer in (scanned, enhanced)
    ]
    assert contrast[1] > contrast[0] > 0
