"""The fine-tuning job: it learns, stops, goes on, and says what came of it."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_nanoct.errors import UserError
from napari_nanoct.finetune import tuning
from napari_nanoct.finetune.judge import restore
from napari_nanoct.finetune.settings import PRESETS, Preset, TuneSettings
from napari_nanoct.jobs import Cancelled, CancelToken, Done, Event, Loss, Preview, Progress
from napari_nanoct.training.pairs import SlicePair
from napari_nanoct.utsr import load_network, read_card

Make = Callable[..., list[SlicePair]]


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few steps at a rate that a small fresh network needs, and blobs in place of phantoms, which take seconds."""

    def blobs(seed: int, side: int) -> tuple[Any, ...]:
        from scipy.ndimage import gaussian_filter

        picture = gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), 2)
        return ((0.5 + 0.2 * picture / picture.std()).astype(np.float32),)

    monkeypatch.setattr("napari_nanoct.finetune.replay.slices", blobs)
    monkeypatch.setattr("napari_nanoct.finetune.judge.slices", blobs)
    monkeypatch.setitem(tuning.OWN, 2, 3)
    monkeypatch.setattr(tuning, "RATE", 3e-3)
    monkeypatch.setitem(PRESETS, "quick", Preset(60.0, 40))


def settings(tiny_parents: dict[int, Path], folder: Path, factor: int = 1, **keywords: Any) -> TuneSettings:
    output = str(folder / f"mine-x{factor}.safetensors")
    return TuneSettings("pairs.json", output, parent=str(tiny_parents[factor]), device="cpu", **keywords)


@pytest.mark.parametrize("factor", [1, 2])
def test_a_network_learns_from_pairs(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path, factor: int
) -> None:
    plan = settings(tiny_parents, tmp_path, factor, notes="blobs", seed=3)
    volumes = {"low": {"name": "scan.tif", "fingerprint": "abc"}}
    events = list(tuning.tune(plan, make_pairs(4, factor), volumes=volumes))
    done = events[-1]
    assert isinstance(done, Done)
    assert done.record["better_than_parent"] is True
    assert "is better than tiny" in done.record["message"]
    scores = [event for event in events if isinstance(event, Loss) and event.score is not None]
    assert scores[-1].score > scores[-1].parent + 1
    assert any(isinstance(event, Preview) for event in events)
    assert [e.done for e in events if isinstance(e, Progress)] == sorted(
        e.done for e in events if isinstance(e, Progress)
    )
    card = read_card(done.output)
    assert (card.name, card.scale) == ("mine", factor)
    assert card.training["parent"] == {
        "name": "tiny",
        "scale": factor,
        "sha256": read_card(tiny_parents[factor]).sha256,
    }
    assert card.training["pairs"]["volumes"] == volumes
    assert card.training["pairs"]["held_out"] == [20]
    assert card.training["notes"] == "blobs"
    assert card.training["curve"][-1][0] == card.training["steps"] <= 40
    figures = card.quality["held_out"]
    assert list(figures) == ["input" if factor == 1 else "bicubic", "tiny", "mine"]
    assert figures["mine"]["psnr"] > figures["tiny"]["psnr"] + 1
    assert figures["mine"]["ssim"] > figures["tiny"]["ssim"]
    assert card.quality["better_than_parent"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"mine-x{factor}.png", f"mine-x{factor}.safetensors"]
    assert load_network(done.output).scale == factor


@pytest.mark.parametrize("method", ["halves", "neighbours", "blind-spot"])
def test_a_noisy_volume_teaches_itself(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path, method: str
) -> None:
    pairs = []
    for number, pair in enumerate(make_pairs(4)):
        random = np.random.default_rng([number, 1])
        first, second = (pair.high + 0.2 * random.standard_normal(pair.high.shape).astype(np.float32) for _ in range(2))
        pairs.append(replace(pair, low=first, high=first if method == "blind-spot" else second))
    events = list(tuning.tune(settings(tiny_parents, tmp_path), pairs, method))
    record = events[-1].record
    assert record["better_than_parent"] is True
    assert record["quality"]["score"] < record["quality"]["parent_score"]
    assert "mean squared error" in record["message"]
    figures = record["quality"]["held_out"]
    assert {name: list(row) for name, row in figures.items()} == {"tiny": ["error"], "mine": ["error"]}
    assert figures["mine"]["error"] == pytest.approx(record["quality"]["score"], abs=1e-6)
    network, truth, noisy = load_network(events[-1].output), make_pairs(4)[2].high, pairs[2].low
    with torch.inference_mode():
        clean = network(torch.from_numpy(noisy)[None, None])[0, 0].numpy()
    # The mean is learnt from noise alone: the result is nearer to a truth that nobody showed.
    assert np.square(clean - truth).mean() < 0.8 * np.square(noisy - truth).mean()


def test_the_last_picture_is_of_what_is_written(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_nanoct.finetune.result.FORGOTTEN", -100.0)  # so that it is drawn back to the parent
    pairs, after = make_pairs(2), []
    for event in tuning.tune(settings(tiny_parents, tmp_path), pairs):
        if isinstance(event, Preview):
            with np.load(event.path) as stored:
                after.append(stored["after"])
    assert isinstance(event, Done)
    assert event.record["training"]["share_of_child"] < 1
    written = restore(load_network(event.output), pairs[1].low, torch.device("cpu"))
    assert np.abs(after[-1] - written).max() < 0.01 < np.abs(after[-2] - written).max()


def test_what_is_no_better_says_so(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "RATE", 1e-9)
    events = list(tuning.tune(settings(tiny_parents, tmp_path), make_pairs(4)))
    assert events[-1].record["better_than_parent"] is False
    assert "is NOT better than tiny" in events[-1].record["message"]
    assert read_card(events[-1].output).quality["better_than_parent"] is False


def until(events: Any, kind: type[Event]) -> list[Event]:
    """Take events up to the first of a kind."""
    taken = []
    for event in events:
        taken.append(event)
        if isinstance(event, kind):
            break
    return taken


def test_a_run_that_was_killed_goes_on(make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path) -> None:
    plan, pairs = settings(tiny_parents, tmp_path), make_pairs(4)
    job = tuning.tune(plan, pairs)
    step = until(job, Preview)[-1].step
    job.close()
    folder = tmp_path / "mine-x1.safetensors.training"
    assert {path.name for path in folder.iterdir()} == {"state.safetensors", "log.csv", "best.safetensors"}
    with pytest.raises(UserError, match="holds a run that was killed; continue it with --resume"):
        list(tuning.tune(plan, pairs))
    again = replace(plan, resume=True)
    with pytest.raises(UserError, match="on other pairs"):
        list(tuning.tune(again, make_pairs(3)))
    job = tuning.tune(again, pairs)
    next(job)
    with pytest.raises(UserError, match=r"mine-x1\.safetensors\.training belongs to a run that is going on"):
        list(tuning.tune(replace(plan, overwrite=True), pairs))
    job.close()
    (folder / "run.json").write_text(json.dumps({"host": platform.node(), "process": 2**30, "writer": "gone"}))
    events = list(tuning.tune(replace(again, project="renamed.json"), pairs))
    assert next(event.step for event in events if isinstance(event, Loss)) > step
    assert step < events[-1].record["steps"] <= 40
    assert events[-1].record["curve"][0][0] == step
    assert not folder.exists()


@pytest.mark.parametrize("name", ["log.csv", "best.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"step,loss,score,seconds\n", b"\xff\x00damaged"])
def test_a_run_whose_files_are_damaged_is_not_continued(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path, name: str, content: bytes | None
) -> None:
    plan, pairs = settings(tiny_parents, tmp_path), make_pairs(2)
    job = tuning.tune(plan, pairs)
    until(job, Preview)
    job.close()
    path = tmp_path / "mine-x1.safetensors.training" / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match=r"training cannot be continued: .* start anew \(--overwrite\)"):
        list(tuning.tune(replace(plan, resume=True), pairs))
    assert path.parent.exists()


def test_cancelling_keeps_the_best_so_far(make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path) -> None:
    cancel = CancelToken()
    job = tuning.tune(settings(tiny_parents, tmp_path), make_pairs(4), cancel=cancel)
    until(job, Preview)
    cancel.cancel()
    *events, done = job
    assert isinstance(done, Done)
    (comparing,) = (event for event in events if isinstance(event, Progress) and "comparing" in event.message)
    assert comparing.done == comparing.total == done.record["steps"]
    assert done.record["stopped"] is True
    assert done.record["message"].startswith("Stopped after")
    assert read_card(done.output).training["steps"] < 40
    assert not (tmp_path / "mine-x1.safetensors.training").exists()


def test_cancelling_before_anything_is_learnt_leaves_nothing(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path
) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        list(tuning.tune(settings(tiny_parents, tmp_path), make_pairs(4), cancel=cancel))
    assert not list(tmp_path.iterdir())


def test_an_output_is_replaced_on_request_alone(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path
) -> None:
    plan, pairs = settings(tiny_parents, tmp_path), make_pairs(2)
    Path(plan.output).write_bytes(b"mine")
    with pytest.raises(UserError, match="exists; choose another output, or replace it"):
        list(tuning.tune(plan, pairs))
    assert Path(plan.output).read_bytes() == b"mine"
    Path(plan.output).unlink()
    picture = tmp_path / "mine-x1.png"
    picture.write_bytes(b"mine, too")
    with pytest.raises(UserError, match=r"mine-x1\.png exists; choose another output, or replace it"):
        list(tuning.tune(plan, pairs))
    assert picture.read_bytes() == b"mine, too"
    list(tuning.tune(replace(plan, overwrite=True), pairs))
    assert read_card(plan.output).name == "mine"
    assert picture.read_bytes() != b"mine, too"


def test_wrong_parents_and_places_get_a_sentence(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path
) -> None:
    plan, pairs = settings(tiny_parents, tmp_path), make_pairs(2)
    wrong = [
        (replace(plan, parent=str(tiny_parents[2])), "enlarges by 2 and the pairs by 1"),
        (replace(plan, parent="nothing"), "There are no weights 'nothing'"),
        (replace(plan, output=str(tmp_path / "no" / "m.safetensors")), "does not exist; make the folder"),
        (replace(plan, resume=True), "holds no run to continue"),
        (replace(plan, device="cuda:99"), "device 'cuda:99' does not exist"),
        (replace(plan, name="utsr-light"), "weights that ship"),
        (replace(plan, name="tiny"), "tiny is the name of what the new model is compared with"),
        (replace(plan, name="bicubic"), "choose another name"),
    ]
    for each, word in wrong:
        with pytest.raises(UserError, match=word):
            list(tuning.tune(each, pairs))
    parent = shutil.copy(tiny_parents[1], tmp_path / "p.safetensors")
    with pytest.raises(UserError, match="would be replaced by what is made from it"):
        list(tuning.tune(replace(plan, parent=str(parent), output=str(parent), overwrite=True), pairs))
    assert [path.name for path in tmp_path.iterdir()] == ["p.safetensors"]


def test_two_models_of_the_user_are_not_called_the_same(
    make_pairs: Make, tiny_parents: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path))
    plan = settings(tiny_parents, tmp_path)
    list(tuning.tune(plan, make_pairs(2)))
    later = replace(plan, output=str(tmp_path / "later.safetensors"), name="mine")
    with pytest.raises(UserError, match=r"mine-x1\.safetensors has the name mine"):
        list(tuning.tune(later, make_pairs(2)))
    assert tuning.parent_path(replace(plan, overwrite=True), 1) == tiny_parents[1]
