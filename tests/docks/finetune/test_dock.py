"""The fine-tune dock in a real viewer, with real registration, training and process."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtWidgets import QApplication

from napari_nanoct.docks.controls import SLICES
from napari_nanoct.docks.finetune.controls import PROGRESS
from napari_nanoct.docks.process import JobProcess
from napari_nanoct.finetune.project import load_project
from napari_nanoct.utsr import list_models, read_card

LONG = 400_000
LOW, HIGH = {"scale": (80, 80, 80), "units": "nm"}, {"scale": (40, 40, 40), "units": "nm"}


def _add(qtbot: QtBot, dock, distance: int) -> None:
    dock.ui.every.setValue(distance)
    dock.ui.add_every.click()
    qtbot.waitUntil(lambda: not dock.pairs.busy, timeout=LONG)


def _ask(qtbot: QtBot, dock, name: str = "mine", minutes: float = 0.1) -> None:
    dock.ui.name.setText(name)
    dock.ui.minutes.setValue(minutes)
    dock.ui.train.click()
    qtbot.waitUntil(lambda: dock.run.plan is not None, timeout=LONG)


def _train(qtbot: QtBot, dock, name: str = "mine") -> None:
    _ask(qtbot, dock, name)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)


@pytest.fixture
def opened(open_finetune: Callable, scans: tuple, tmp_path: Path) -> tuple:
    """A viewer with two scans that are on disk, the dock, and the small network as the one to start from."""
    viewer, dock = open_finetune()
    for name, data, place in (("low", scans[0], LOW), ("high", scans[1], HIGH)):
        np.save(tmp_path / f"{name}.npy", data)
        viewer.open(tmp_path / f"{name}.npy", plugin="napari-nanoct", **place)
    dock.ui.parent_model.setCurrentIndex(dock.ui.parent_model.findText("tiny"))
    assert dock.ui.factor.currentData() == 2
    return viewer, dock


@pytest.mark.timeout(900)  # a minute on an idle machine, of which a third is training
def test_from_an_empty_napari_to_a_volume_enhanced_by_a_new_model(
    make_napari_viewer: Callable, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tutorial, with the weights that ship and so little time that the gain does not matter."""
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path / "models"))
    viewer = make_napari_viewer()
    _, enhancing = viewer.window.add_plugin_dock_widget("napari-nanoct", "Enhance")
    _, dock = viewer.window.add_plugin_dock_widget("napari-nanoct", "Fine-tune")
    ui = dock.ui
    assert "Pairs to fine-tune on" in ui.status.text()
    viewer.open_sample("napari-nanoct", "phantom-pairs")
    wide, _ = viewer.layers
    assert (ui.low.currentText(), ui.high.currentText(), ui.factor.currentData()) == ("wide scan", "zoom scan", 2)
    _add(qtbot, dock, 4)
    matches = [entry.match for entry in dock.pairs.entries]
    assert len(matches) == 4
    for match in matches:
        assert match.quality > 0.9
        assert match.similarity.rotation == pytest.approx(-2, abs=0.1)
        assert match.similarity.scale == pytest.approx(2, abs=0.01)

    _ask(qtbot, dock, "my-cathode", 0.3)
    slices = "4 slices, ×2, from utsr-light; 1 of them is kept out"
    for words in ("my-cathode-x2.safetensors", slices, "Time: at most", "Memory:", "copies"):
        assert words in ui.question.text()
    ui.start.click()
    assert ui.tabs.currentIndex() == PROGRESS
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert ui.status.text().startswith("Done in")
    assert any(event.score is not None for event in ui.learning.losses)
    qtbot.waitUntil(lambda: "target" in ui.learning.pictures, timeout=LONG)
    model = tmp_path / "models" / "my-cathode-x2.safetensors"
    card = read_card(model)
    better = card.quality["better_than_parent"]
    assert ui.learning.verdict.text().startswith(f"my-cathode ×2 is {'' if better else 'NOT '}better than utsr-light")
    assert ui.learning.table.item(1, 0).text() == f"{card.quality['held_out']['my-cathode']['psnr']:.2f}"
    assert not list(model.parent.glob(".nanoct-*"))  # the copies of the layers are gone

    ui.learning.use.click()
    assert enhancing.ui.image == wide
    assert (enhancing.ui.model.currentText(), enhancing.ui.factor.currentData()) == ("my-cathode", 2)
    enhancing.ui.region.setCurrentIndex(SLICES)
    enhancing.ui.first.setValue(6)
    enhancing.ui.last.setValue(8)
    enhancing.ui.output.setText(str(tmp_path / "enhanced.ome.zarr"))
    enhancing.ui.output.textEdited.emit(enhancing.ui.output.text())
    enhancing.ui.enhance.click()
    qtbot.waitUntil(lambda: enhancing.plan is not None, timeout=LONG)
    enhancing.ui.start.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=LONG)
    result = viewer.layers["wide scan enhanced"]
    assert result.metadata["nanoct"]["model"]["sha256"] == card.sha256
    assert (result.data[0] if result.multiscale else result.data).shape == (3, 384, 384)


def test_training_on_files(opened: tuple, tmp_path: Path, qtbot: QtBot) -> None:
    _, dock = opened
    ui = dock.ui
    _add(qtbot, dock, 2)
    ui.notes.setText("a dull Tuesday")
    _train(qtbot, dock)
    assert ui.status.text().startswith("Done in")
    output = tmp_path / "models" / "mine-x2.safetensors"
    card = read_card(output)
    assert card.training["notes"] == "a dull Tuesday"
    assert card.training["parent"]["name"] == "tiny"
    better = card.quality["better_than_parent"]  # not for certain, in so little time on a busy machine
    assert f"mine ×2 is {'' if better else 'NOT '}better than tiny" in ui.learning.verdict.text()
    assert ("Keep using tiny" in ui.learning.verdict.text()) != better
    assert [card.name for path, card in list_models() if path == output] == ["mine"]
    (pairs,) = output.parent.glob("mine-x2.*.pairs.json")
    assert str(pairs) == card.training["settings"]["project"]
    assert load_project(pairs).low.path == str(tmp_path / "low.npy")
    _ask(qtbot, dock)  # once more
    assert "will be replaced" in ui.question.text()
    assert ui.start.text() == "Replace and start"
    assert dock.run.plan.settings.overwrite
    ui.minutes.setValue(0.2)  # another choice takes the question back
    assert not ui.confirmation.isVisibleTo(dock)
    ui.name.setText("mine again")
    ui.train.click()
    assert "letters, digits" in ui.status.text()


def test_stop_keeps_the_best(opened: tuple, tmp_path: Path, qtbot: QtBot) -> None:
    _, dock = opened
    _add(qtbot, dock, 2)
    _ask(qtbot, dock, minutes=5)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: any(event.score for event in dock.ui.learning.losses), timeout=LONG)
    qtbot.waitUntil(lambda: "left" in dock.ui.pace.text(), timeout=LONG)
    dock.ui.cancel.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert "Stopped after" in dock.ui.learning.verdict.text()
    assert (tmp_path / "models" / "mine-x2.safetensors").exists()
    assert dock.ui.learning.use.isEnabled()


def test_closing_the_dock_ends_the_training_which_can_go_on(
    opened: tuple, open_finetune: Callable, tmp_path: Path, qtbot: QtBot
) -> None:
    viewer, dock = opened
    _add(qtbot, dock, 2)
    _ask(qtbot, dock, minutes=5)
    dock.ui.start.click()
    qtbot.waitUntil(lambda: any(event.score for event in dock.ui.learning.losses), timeout=LONG)
    run = dock.run.process
    run.process._process.kill()  # as if the machine had gone
    qtbot.waitUntil(lambda: not run.running, timeout=LONG)
    assert "fine-tuning process" in dock.ui.status.text()
    output = tmp_path / "models" / "mine-x2.safetensors"
    assert not output.exists()
    output.write_bytes(b"an older one")  # which the run was to replace
    dock.ui.tell_place()
    assert not dock.ui.resume.isHidden()
    _ask(qtbot, dock, minutes=5)
    assert "cut off will be thrown away" in dock.ui.question.text()
    dock.ui.resume.setChecked(True)
    dock.ui.train.click()
    qtbot.waitUntil(lambda: dock.run.plan is not None, timeout=LONG)
    assert "Goes on" in dock.ui.question.text()
    assert "thrown away" not in dock.ui.question.text()
    assert "will be replaced" in dock.ui.question.text()
    assert "--resume" in dock.run.plan.settings.arguments()
    dock.ui.start.click()
    qtbot.waitUntil(lambda: bool(dock.ui.learning.losses), timeout=LONG)
    viewer.window.remove_dock_widget(dock)
    assert not run.running
    assert not run.process.running


def test_errors_are_one_sentence(opened: tuple, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    _, dock = opened
    dock.ui.train.click()
    assert "no slices to learn from" in dock.ui.status.text()
    _add(qtbot, dock, 2)
    _ask(qtbot, dock)
    (tmp_path / "high.npy").rename(tmp_path / "elsewhere.npy")
    dock.ui.start.click()
    qtbot.waitUntil(lambda: not dock.run.running, timeout=LONG)
    assert str(tmp_path / "high.npy") in dock.ui.status.text()
    assert dock.ui.train.isEnabled()
    monkeypatch.setattr(JobProcess, "COMMAND", (JobProcess.COMMAND[0], "-c", "import os; os.abort()"))
    (tmp_path / "elsewhere.npy").rename(tmp_path / "high.npy")
    _train(qtbot, dock)
    assert "fine-tuning process crashed" in dock.ui.status.text()


def test_command_is_what_the_process_gets(
    opened: tuple, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer, dock = opened
    _add(qtbot, dock, 2)
    dock.ui.name.setText("mine")
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "On the clipboard" in dock.ui.status.text(), timeout=LONG)
    words = shlex.split(QApplication.clipboard().text())
    (pairs,) = (tmp_path / "models").glob("mine-x2.*.pairs.json")
    assert words[:3] == ["nanoct", "finetune", str(pairs)]
    assert len(load_project(pairs).matches) == len(dock.pairs.entries)
    dock.ui.train.click()
    qtbot.waitUntil(lambda: dock.run.plan is not None, timeout=LONG)
    started = []
    monkeypatch.setattr(dock.run.process.process, "start", started.append)
    dock.ui.start.click()
    assert words == ["nanoct", *started[0]]
    dock.run.end()
    dock.run.stopped("")
    old = pairs.read_bytes()
    dock.ui.pairs.item(0).setSelected(True)
    dock.ui.remove.click()
    (tmp_path / "models" / "mine-x2.png").write_bytes(b"mine")
    _ask(qtbot, dock)
    assert "mine-x2.png will be replaced" in dock.ui.question.text()
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "On the clipboard" in dock.ui.status.text(), timeout=LONG)
    assert pairs.read_bytes() == old  # other pairs are another file
    assert len(list(pairs.parent.glob("mine-x2.*.pairs.json"))) == 2
    viewer.layers["low"].data = np.asarray(viewer.layers["low"].data) + 1  # no longer what is in the file
    dock.ui.copy.click()
    assert "was replaced" in dock.ui.status.text()
    _add(qtbot, dock, 2)
    dock.ui.copy.click()
    qtbot.waitUntil(lambda: "“Save…” copies" in dock.ui.status.text(), timeout=LONG)
