"""The list of slice pairs in a real viewer, with the real registration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from napari_nanoct.docks.cracks.plots import PlotWindow
from napari_nanoct.docks.finetune.files import load
from napari_nanoct.finetune.pairing import load_pairs, pair_slices
from napari_nanoct.finetune.project import load_project, save_project
from napari_nanoct.jobs import CancelToken
from napari_nanoct.volumes import open_volume

LONG = 200_000
LOW, HIGH = {"scale": (80, 80, 80), "units": "nm"}, {"scale": (40, 40, 40), "units": "nm"}


def _add(qtbot: QtBot, dock, button) -> None:
    button.click()
    qtbot.waitUntil(lambda: not dock.pairs.busy, timeout=LONG)


def _slices(dock) -> list[tuple[int, bool]]:
    return [(entry.low_slice, entry.match is not None) for entry in dock.pairs.entries]


@pytest.fixture
def opened(open_finetune: Callable, scans: tuple) -> tuple:
    """A viewer with the two scans, and the dock."""
    viewer, dock = open_finetune()
    viewer.add_image(scans[0], name="low", **LOW)
    viewer.add_image(scans[1], name="high", **HIGH)
    return viewer, dock


def test_layers_method_and_factor_by_the_voxel_sizes(opened: tuple, scans: tuple) -> None:
    viewer, dock = opened
    ui = dock.ui
    assert (ui.low.currentText(), ui.high.currentText()) == ("low", "high")
    assert (ui.method.currentData(), ui.factor.currentData()) == ("pairs", 2)
    assert ui.name.text() == "low-tuned"
    ui.method.setCurrentIndex(ui.method.findData("halves"))
    assert "half of the projections" in ui.assumes.text()
    assert [ui.factor.itemData(i) for i in range(ui.factor.count())] == [1]
    ui.high.setCurrentIndex(0)
    ui.high.activated.emit(0)  # as if the user had done it
    assert [ui.method.itemData(i) for i in range(ui.method.count())] == ["neighbours", "blind-spot"]
    viewer.add_image(scans[1], name="another", **HIGH)
    assert ui.high_image is None


def test_voxel_sizes_that_are_set_by_hand_are_followed(open_finetune: Callable, scans: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_finetune()
    low, high = (viewer.add_image(scan, name=name) for scan, name in zip(scans, ("low", "high"), strict=True))
    dock.ui.high.setCurrentIndex(dock.ui.high.findText("high"))
    dock.ui.high.activated.emit(0)
    viewer.dims.set_point(0, 5)
    _add(qtbot, dock, dock.ui.add_current)
    assert "correct the voxel sizes" in dock.ui.status.text()
    for layer, look in ((low, LOW), (high, HIGH)):
        layer.units = look["units"]
        layer.scale = look["scale"]
    assert dock.ui.factor.currentData() == 2
    viewer.dims.set_point(0, 5 * 80)
    _add(qtbot, dock, dock.ui.add_current)
    assert _slices(dock) == [(5, True)]
    low.translate = (0, 10, 10)  # where a layer lies is no matter
    assert _slices(dock) == [(5, True)]
    low.scale = (90, 80, 80)
    assert not dock.pairs.entries


def test_add_remove_and_look(opened: tuple, qtbot: QtBot) -> None:
    viewer, dock = opened
    ui = dock.ui
    viewer.dims.set_point(0, 5 * 80)
    _add(qtbot, dock, ui.add_current)
    assert _slices(dock) == [(5, True)]
    match = dock.pairs.entries[0].match
    assert match.high_slice == pytest.approx(8.5, abs=0.3)  # 2 * 5 + 0.5, of which the first 2 are cut off
    middle = match.similarity.apply(np.array([40.0, 40.0]))
    np.testing.assert_allclose(middle, (80.5 - 10, 80.5 - 6), atol=0.4)
    assert match.quality > 0.8
    assert ui.status.text() == "1 slice to learn from."
    ui.every.setValue(3)
    _add(qtbot, dock, ui.add_every)
    assert _slices(dock) == [(1, True), (4, True), (5, True), (7, True)]
    _add(qtbot, dock, ui.add_current)  # again: replaced
    assert _slices(dock) == [(1, True), (4, True), (5, True), (7, True)]
    ui.pairs.item(0).setSelected(True)
    ui.pairs.item(2).setSelected(True)
    ui.remove.click()
    assert _slices(dock) == [(4, True), (7, True)]
    ui.pairs.itemClicked.emit(ui.pairs.item(1))
    assert viewer.dims.point[0] == 7 * 80
    ui.pairs.itemDoubleClicked.emit(ui.pairs.item(1))
    (window,) = ui.findChildren(PlotWindow)
    window.close()
    assert not ui.pairs.item(1).icon().isNull()
    ui.factor.setCurrentIndex(ui.factor.findData(1))  # other targets: the pairs are void
    assert not dock.pairs.entries
    viewer.layers.remove("high")
    dock.run.propose()
    assert "no slices to learn from" in ui.status.text()


def test_a_refused_slice_says_why_and_is_not_learnt_from(open_finetune: Callable, scans: tuple, qtbot: QtBot) -> None:
    low = scans[0].copy()
    low[3] = 7
    low[5] = np.random.default_rng(1).integers(0, 65_535, low[5].shape)
    viewer, dock = open_finetune()
    viewer.add_image(low, name="low", **LOW)
    viewer.add_image(scans[1], name="high", **HIGH)
    dock.ui.every.setValue(1)
    _add(qtbot, dock, dock.ui.add_every)
    refused = [entry for entry in dock.pairs.entries if entry.match is None]
    assert {entry.low_slice for entry in refused} >= {3, 5}
    assert "Slice 3 of low" in refused[[entry.low_slice for entry in refused].index(3)].said
    shown = next(entry for entry in refused if entry.low_slice == 5)
    assert shown.picture.shape == (80, 80, 3)
    assert f"{len(refused)} slices were refused" in dock.ui.status.text()
    _, project = dock.pairs.project()
    assert not {match.low_slice for match in project.matches} & {3, 5}


def test_layers_that_do_not_go_together_are_one_sentence(open_finetune: Callable, scans: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_finetune()
    viewer.add_image(scans[0], name="low", **LOW)
    viewer.add_image(np.full((14, 150, 144), 5, np.uint16), name="nothing", contrast_limits=(0, 9), **HIGH)
    _add(qtbot, dock, dock.ui.add_current)
    assert "nothing" in dock.ui.status.text()
    assert "Unexpected" not in dock.ui.status.text()
    assert not dock.pairs.entries
    dock.ui.high.setCurrentIndex(dock.ui.high.findText("low"))
    dock.ui.add_current.click()
    assert "cannot be its own better scan" in dock.ui.status.text()


def test_common_point(opened: tuple, qtbot: QtBot) -> None:
    viewer, dock = opened
    # both layers have their origin at 0, but the high one shows what lies 2, 10 and 6 fine voxels further
    place = np.array([2.0, 30, 30])
    points = viewer.add_points([place * 80], name="marks", units="nm")
    dock.ui.common.setCurrentIndex(dock.ui.common.findText("marks"))
    dock.ui.add_current.click()
    assert "it needs two" in dock.ui.status.text()
    points.data = [place * 80, (2 * place + 0.5 - (2, 10, 6)) * 40]
    viewer.dims.set_point(0, 5 * 80)
    _add(qtbot, dock, dock.ui.add_current)
    assert _slices(dock) == [(5, True)]
    assert dock.pairs.matcher._common is not None


def test_saved_pairs_come_back(
    opened: tuple, open_finetune: Callable, make_napari_viewer: Callable, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = opened
    ui = dock.ui
    square = np.array([[10.0, 10], [10, 70], [70, 70], [70, 10]])
    shapes = viewer.add_shapes([square * 80], shape_type="polygon", name="sound", units="nm")
    ui.use.setCurrentIndex(ui.use.findText(shapes.name))
    ui.every.setValue(3)
    _add(qtbot, dock, ui.add_every)
    path = tmp_path / "out" / "mine.json"
    dock.files.save(str(path.with_suffix(".tif")))
    assert "a name that ends in .json" in ui.status.text()
    dock.files.save(str(path))
    qtbot.waitUntil(lambda: not dock.pairs.busy, timeout=LONG)
    assert "Pairs saved" in ui.status.text()
    assert {entry.name for entry in path.parent.iterdir()} == {"mine.json", "mine-low.ome.zarr", "mine-high.ome.zarr"}
    project = load_project(path)
    pairs = load_pairs(project)
    assert [pair.low_slice for pair in pairs] == [1, 4, 7]
    inside = np.zeros((80, 80), bool)
    inside[10:71, 10:71] = True
    assert not (pairs[0].usable & ~inside).any()
    assert pairs[0].usable.sum() > 2500

    viewer.layers.clear()
    assert not dock.pairs.entries
    masked = viewer.add_labels(np.zeros((10, 80, 80), int), name="no image", metadata={"source": project.low.path})
    dock.files.open(str(path))
    qtbot.waitUntil(lambda: not dock.pairs.busy, timeout=LONG)
    viewer.layers.remove(masked)
    assert [layer.name for layer in viewer.layers] == ["mine-low", "mine-high", "used"]
    assert _slices(dock) == [(1, True), (4, True), (7, True)]
    scans, again = dock.pairs.project()
    assert (scans.method, scans.factor) == ("pairs", 2)
    assert again.matches == project.matches
    np.testing.assert_allclose(again.regions[0].polygon, project.regions[0].polygon, atol=1e-6)
    viewer.dims.set_point(0, 5 * 80)
    _add(qtbot, dock, ui.add_current)
    assert _slices(dock) == [(1, True), (4, True), (5, True), (7, True)]
    dock.files.open(str(tmp_path / "none.json"))
    qtbot.waitUntil(lambda: not dock.pairs.busy, timeout=LONG)
    assert "none.json does not exist" in ui.status.text()
    assert len(dock.pairs.entries) == 4


def test_a_voxel_size_set_by_hand_comes_back(scans: tuple, tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", scans[0])
    volume = open_volume(tmp_path / "scan.npy", voxel_size=80.0, unit="nm")  # the file states none
    save_project(pair_slices(volume).project, tmp_path / "pairs.json")
    _, options, _ = load(tmp_path / "pairs.json", CancelToken()).low
    assert options["scale"] == (80.0, 80.0, 80.0)
    assert options["units"] == ("nanometer",) * 3


def test_single_slices(open_finetune: Callable, scans: tuple, qtbot: QtBot) -> None:
    viewer, dock = open_finetune()
    viewer.add_image(scans[0][4], name="low", scale=(80, 80), units="nm")
    viewer.add_image(scans[1][6:8].mean(0), name="high", scale=(40, 40), units="nm")
    _add(qtbot, dock, dock.ui.add_current)
    assert _slices(dock) == [(0, True)]
    assert dock.pairs.entries[0].match.quality > 0.8


@pytest.mark.parametrize("method", ["neighbours", "blind-spot", "halves"])
def test_without_a_better_scan(open_finetune: Callable, scans: tuple, qtbot: QtBot, method: str) -> None:
    viewer, dock = open_finetune()
    ui = dock.ui
    viewer.add_image(scans[0], name="one", **LOW)
    if method == "halves":
        noisy = scans[0] + np.random.default_rng(3).integers(0, 900, scans[0].shape).astype(np.uint16)
        viewer.add_image(noisy, name="other", **LOW)
        ui.high.setCurrentIndex(ui.high.findText("other"))
    ui.method.setCurrentIndex(ui.method.findData(method))
    assert ui.assumes.text()
    ui.every.setValue(2)
    _add(qtbot, dock, ui.add_every)
    assert _slices(dock) == [(z, True) for z in (1, 3, 5, 7)]
    _, project = dock.pairs.project()
    assert (project.method, project.factor) == (method, 1)
    assert (project.high is None) == (method != "halves")
    assert ui.settings().parent == "utsr-light"
