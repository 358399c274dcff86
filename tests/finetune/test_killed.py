"""A run that is killed in the middle of a file: nothing half-written is taken for whole, and it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.finetune import tuning
from napari_nanoct.finetune.settings import PRESETS, Preset, TuneSettings
from napari_nanoct.jobs import Done
from napari_nanoct.utsr import list_models, load_network, read_card

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from napari_nanoct.finetune import judge, replay, settings, tuning
from napari_nanoct.training import pairs, trainer
blob = np.load("blob.npy")
replay.slices = judge.slices = lambda seed, side: (blob,)
tuning.RATE, tuning.VALIDATIONS = 3e-3, 8
settings.PRESETS["quick"] = settings.Preset(60.0, 16)
whole, times = trainer.save_file, []

def half(tensors, path, metadata):  # of the second state only half comes to the disk
    whole(tensors, path, metadata)
    times.append(path)
    if len(times) == 2:
        content = Path(path).read_bytes()
        Path(path).write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

trainer.save_file = half
stored = np.load("pairs.npz")
usable = np.ones(stored["low"].shape[1:], bool)
given = [pairs.SlicePair(*both, usable, 10 * n) for n, both in enumerate(zip(stored["low"], stored["high"]))]
plan = settings.TuneSettings("pairs.json", "mine-x1.safetensors", parent=sys.argv[1], device="cpu", threads=1)
list(tuning.tune(plan, given))
"""


class Killed(BaseException):
    """As if the machine had gone at this moment."""


@pytest.fixture
def blob(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> np.ndarray:
    """What stands for the phantoms; few steps, the models of the user in a folder of the test."""
    picture = np.asarray(0.5 + 0.25 * np.sin(np.mgrid[:192, :192][0] / 6), np.float32)
    for room in ("replay", "judge"):
        monkeypatch.setattr(f"napari_nanoct.finetune.{room}.slices", lambda seed, side: (picture,))
    monkeypatch.setattr(tuning, "RATE", 3e-3)
    monkeypatch.setattr(tuning, "VALIDATIONS", 8)
    monkeypatch.setitem(PRESETS, "quick", Preset(60.0, 16))
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path))
    return picture


@pytest.fixture
def plan(blob: np.ndarray, tiny_parents: dict[int, Path], tmp_path: Path) -> TuneSettings:
    """What is run, in the folder of the test."""
    output = str(tmp_path / "mine-x1.safetensors")
    return TuneSettings("pairs.json", output, parent=str(tiny_parents[1]), device="cpu")


def test_a_process_killed_while_it_wrote_its_state_goes_on(
    make_pairs: Callable[..., Any], plan: TuneSettings, tmp_path: Path, blob: np.ndarray
) -> None:
    pairs = make_pairs(4)
    np.save(tmp_path / "blob.npy", blob)
    np.savez(tmp_path / "pairs.npz", low=[pair.low for pair in pairs], high=[pair.high for pair in pairs])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, plan.parent], cwd=tmp_path, env=os.environ, timeout=300, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    output = tmp_path / "mine-x1.safetensors"
    folder = tmp_path / "mine-x1.safetensors.training"
    assert not output.exists()
    assert "mine" not in [card.name for _, card in list_models()]
    assert (folder / "state.part").stat().st_size < (folder / "state.safetensors").stat().st_size
    again = replace(plan, resume=True)
    with pytest.raises(UserError, match=r"on other pairs, .* start anew"):
        list(tuning.tune(again, make_pairs(3)))
    assert folder.exists()
    done = list(tuning.tune(again, pairs))[-1]
    assert isinstance(done, Done)
    steps = [row[0] for row in read_card(output).training["curve"]]
    assert steps == sorted(set(steps))  # what was noted after the state that was kept is forgotten
    assert 2 < len(steps) <= tuning.VALIDATIONS + 1
    assert not folder.exists()
    assert [path.name for path in tmp_path.glob("*.npz")] == ["pairs.npz"]  # the preview is gone


def test_a_model_half_replaced_stays_the_old_one_until_the_run_has_gone_on(
    make_pairs: Callable[..., Any], plan: TuneSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, pairs = tmp_path / "mine-x1.safetensors", make_pairs(4)
    plan = replace(plan, notes="old")
    list(tuning.tune(plan, pairs))
    old = read_card(output)
    again = replace(plan, notes="new", overwrite=True)

    def half(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", half)
        with pytest.raises(Killed):
            list(tuning.tune(again, pairs))
    assert read_card(output) == old
    load_network(output)  # its weights are those of its card
    assert [card.training["notes"] for path, card in list_models() if path.parent == tmp_path] == ["old"]
    list(tuning.tune(replace(again, overwrite=False, resume=True), pairs))
    assert read_card(output).training["notes"] == "new"
    load_network(output)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine-x1.png", "mine-x1.safetensors"]


def test_the_best_before_the_kill_stays_the_best(
    make_pairs: Callable[..., Any], plan: TuneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best weights are written before the state: a kill between the two must not put them below later ones."""
    pairs, seen = make_pairs(4), []
    save = tuning.Trainer.save

    def gone(trainer: tuning.Trainer[Any], path: Path) -> None:
        seen.append(trainer.best)
        if len(seen) == 4:
            raise Killed
        save(trainer, path)

    with monkeypatch.context() as patched:
        patched.setattr(tuning.Trainer, "save", gone)
        with pytest.raises(Killed):
            list(tuning.tune(plan, pairs))
    assert seen[3] > seen[2]
    monkeypatch.setattr("napari_nanoct.finetune.result.FORGOTTEN", 100.0)
    monkeypatch.setattr(tuning, "RATE", -1e-3)  # from here on it only gets worse
    done = list(tuning.tune(replace(plan, resume=True), pairs))[-1]
    assert isinstance(done, Done)
    assert done.record["quality"]["gain_db"] == pytest.approx(seen[3], abs=0.02)
