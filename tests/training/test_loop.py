"""The training: learns, resumes to the same weights, stops at once, refuses to mix runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.cancel import Cancelled, CancelToken
from napari_nanoct.jobs.events import Done
from napari_nanoct.training import loop
from napari_nanoct.training.folder import stage_path
from napari_nanoct.training.loop import learning_rate, start_network, train
from napari_nanoct.training.recipe import Stage, load_recipe
from napari_nanoct.training.trainer import Trainer
from napari_nanoct.utsr import load_network, read_card


def test_weights_that_lose_what_they_could_are_left_for_the_best(
    data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "VALIDATE_EVERY", 4)
    fallen: list[Mapping[str, torch.Tensor]] = []
    fall_back = Trainer.fall_back
    monkeypatch.setattr(Trainer, "fall_back", lambda trainer, to: fallen.append(to) or fall_back(trainer, to))
    plan = load_recipe(str(recipe))
    plan = replace(plan, stages=(replace(plan.stages[0], steps=13),))
    for number, last in enumerate((0.1, -0.1)):
        gains = iter((1.0, 0.9, last, -0.2))
        run = tmp_path / str(number)
        events = list(train(plan, data, run, validate=lambda network, g=gains: {"blind": next(g)}))
        best = load_network(events[-1].output).state_dict()
        assert read_card(events[-1].output).training["steps"] == 4
        assert len(fallen) == number  # 0.1 is near enough to 1.0
        assert all(torch.equal(weights[name], value) for weights in fallen for name, value in best.items())
        with safe_open(run / "state.safetensors", "pt") as file:
            assert file.metadata()["pace"] == ("0.5" if number else "1.0")


def test_a_pause_changes_nothing(data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "VALIDATE_EVERY", 4)
    gains = iter((5.0, 1.0))
    plan, run = load_recipe(str(recipe)), tmp_path / "run"
    plan = replace(plan, stages=(replace(plan.stages[0], steps=12),))
    token = CancelToken()
    events = train(plan, data, run, cancel=token, validate=lambda network: {"blind": next(gains)})
    monkeypatch.setattr(loop, "REPORT_EVERY", 1)
    while next(events).done < 5:
        pass
    token.cancel()
    with pytest.raises(Cancelled):
        list(events)
    list(train(plan, data, run, resume=True, minutes=0, validate=lambda network: {"blind": next(gains)}))
    with safe_open(run / "state.safetensors", "pt") as file:
        assert file.metadata()["pace"] == "1.0"


def test_a_killed_run_leaves_no_row_twice(
    data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, steps in (("REPORT_EVERY", 1), ("SAVE_EVERY", 4), ("VALIDATE_EVERY", 5)):
        monkeypatch.setattr(loop, name, steps)
    plan = load_recipe(str(recipe))
    events = train(plan, data, tmp_path / "run", validate=lambda network: {"blind": 1.0})
    while next(events).done < 6:
        pass
    events.close()  # as a kill: steps 5 and 6 are in the log, the state is that of step 4
    list(train(plan, data, tmp_path / "run", resume=True, validate=lambda network: {"blind": 1.0}))
    for name, steps in (("log.csv", range(1, 13)), ("validation.csv", (5, 6, 10, 12))):
        rows = (tmp_path / "run" / name).read_text().splitlines()[1:]
        assert [int(row.split(",")[0]) for row in rows] == list(steps)


def test_run_writes_weights_with_their_card(data: Path, recipe: Path, tmp_path: Path) -> None:
    events = list(train(load_recipe(str(recipe)), data, tmp_path / "run"))
    assert isinstance(events[-1], Done)
    card = read_card(events[-1].output)
    assert (card.name, card.scale, card.training["steps"]) == ("tiny", 1, 12)
    assert card.halo % card.period == 0
    assert load_network(events[-1].output).scale == 1


def test_resuming_gives_the_same_weights(
    data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load_recipe(str(recipe))
    second = replace(plan.stages[1], hold=0.5, untouched=0.25, native=0.25, average=0.25, older=1)
    plan = replace(plan, stages=(plan.stages[0], second))
    monkeypatch.setattr("napari_nanoct.training.loop.REPORT_EVERY", 1)
    list(train(plan, data, tmp_path / "whole"))
    token = CancelToken()
    run = train(plan, data, tmp_path / "parts", cancel=token)
    while next(run).done < 8:  # in the second stage, which holds on to what the first left
        pass
    token.cancel()
    with pytest.raises(Cancelled):
        list(run)
    list(train(plan, data, tmp_path / "parts", resume=True))
    whole, parts = (load_file(tmp_path / run / "state.safetensors") for run in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, msg=name)


def test_another_factor_starts_from_the_trunk(
    data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [*_, done] = train(load_recipe(str(recipe)), data, tmp_path / "models")
    trained = load_network(done.output).state_dict()
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path / "models"))
    for start in (done.output, "tiny x1"):
        text = recipe.read_text().replace("scale = 1", f'scale = 2\nstart = "{start}"')
        recipe.with_name("x2.toml").write_text(text)
        weights = start_network(load_recipe(str(recipe.with_name("x2.toml")))).state_dict()
        assert not weights["tail.weight"].any()
        for name in ("head.weight", "u.extra.0.attention.query_key_value.weight", "after.0.second.bias"):
            torch.testing.assert_close(weights[name], trained[name])


def test_time_spent_is_kept(data: Path, recipe: Path, tmp_path: Path) -> None:
    plan = load_recipe(str(recipe))
    [*_, done] = train(plan, data, tmp_path / "run", minutes=0)
    assert done.record == {"steps": 1}
    [*_, done] = train(plan, data, tmp_path / "run", resume=True)
    assert done.record == {"steps": 12}


def test_logs_of_a_run_without_a_checkpoint_are_not_continued(data: Path, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,loss\n1,0.5\n")
    (tmp_path / "validation.csv").write_text("step,blind\n1,0.5\n")
    list(train(load_recipe(str(recipe)), data, tmp_path, validate=lambda network: {"blind": 1.0}))
    assert (tmp_path / "log.csv").read_text().count("step") == 1
    assert (tmp_path / "validation.csv").read_text().split() == ["step,blind", "6,1.000", "12,1.000"]


def test_the_best_weights_of_the_last_stage_are_kept(
    data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_nanoct.training.loop.VALIDATE_EVERY", 3)
    found = iter([1.0, 3.0, 2.0, 0.5])
    [*_, done] = train(load_recipe(str(recipe)), data, tmp_path, validate=lambda network: {"blind": next(found)})
    for path, steps, gain in (
        (done.output, 9, 2.0),
        (stage_path(tmp_path, 1), 6, 3.0),
        (stage_path(tmp_path, 2), 12, 0.5),
    ):
        card = read_card(path)
        assert card.training["steps"] == steps
        assert card.quality == {"validation_gain_db": {"blind": gain}}
    log = (tmp_path / "validation.csv").read_text().split()
    assert log == ["step,blind", "3,1.000", "6,3.000", "9,2.000", "12,0.500"]


def test_runs_are_not_mixed(data: Path, recipe: Path, tmp_path: Path) -> None:
    plan = load_recipe(str(recipe))
    with pytest.raises(UserError, match="no training to resume"):
        next(train(plan, data, tmp_path / "run", resume=True))
    list(train(plan, data, tmp_path / "run"))
    with pytest.raises(UserError, match="already holds a training"):
        next(train(plan, data, tmp_path / "run"))
    state = tmp_path / "run" / "state.safetensors"
    content = state.read_bytes()
    state.write_bytes(content[:-100])
    with pytest.raises(UserError, match=r"state\.safetensors could not be read"):
        next(train(plan, data, tmp_path / "run", resume=True))
    state.write_bytes(content)
    other = recipe.with_name("other.toml")
    other.write_text(recipe.read_text())
    with pytest.raises(UserError, match="by the recipe 'small', not 'other'"):
        next(train(load_recipe(str(other)), data, tmp_path / "run", resume=True))
    recipe.write_text(recipe.read_text().replace("steps = 6", "steps = 9"))
    with pytest.raises(UserError, match="'small' as it was before it changed"):
        next(train(load_recipe(str(recipe)), data, tmp_path / "run", resume=True))


def test_weights_without_their_training_are_not_replaced(data: Path, recipe: Path, tmp_path: Path) -> None:
    for name in ("tiny-x1.safetensors", "stage-2.safetensors"):
        weights = tmp_path / name / name
        weights.parent.mkdir()
        weights.write_bytes(b"precious")
        with pytest.raises(UserError, match=rf"{name} is there already, without its training"):
            next(train(load_recipe(str(recipe)), data, weights.parent))
        assert weights.read_bytes() == b"precious"


def test_an_output_that_is_a_file_is_named(data: Path, recipe: Path) -> None:
    with pytest.raises(UserError, match=r"small\.toml could not be written"):
        next(train(load_recipe(str(recipe)), data, recipe))


def test_weights_of_another_factor_are_not_held_to(recipe: Path) -> None:
    text = recipe.read_text().replace('"tiny"', '"utsr-light"')
    recipe.write_text('start = "utsr-light x2"\n' + text.replace("natural = 0.0", "natural = 0.0\nhold = 0.5"))
    with pytest.raises(UserError, match=r"is of factor 1, and .*utsr-light-x2\.safetensors, which .*, of factor 2"):
        start_network(load_recipe(str(recipe)))


def test_weights_of_another_network_are_no_start(recipe: Path) -> None:
    recipe.write_text('start = "utsr-light x2"\n' + recipe.read_text())
    with pytest.raises(UserError, match=r"weights of another network than 'tiny'"):
        start_network(load_recipe(str(recipe)))


def test_a_stage_holds_to_older_weights(
    data: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = load_recipe(str(recipe))
    plan = replace(plan, stages=(plan.stages[0], replace(plan.stages[1], hold=1.0, older=1)))
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    update = Trainer.update

    def noted(trainer: Trainer, low: torch.Tensor, high: torch.Tensor, rate: float) -> float:
        seen.append((low, high))
        return update(trainer, low, high, rate)

    monkeypatch.setattr(Trainer, "update", noted)
    list(train(plan, data, tmp_path))
    older = load_network(stage_path(tmp_path, 1))
    with torch.no_grad():
        near = [float((high - older(low)).abs().mean()) < 0.003 for low, high in seen]  # answers are in bfloat16
    assert near == [False] * 6 + [True] * 6


@pytest.mark.parametrize("older", [0, 1])
def test_a_stage_ends_with_its_share_of_older_weights(data: Path, recipe: Path, tmp_path: Path, older: int) -> None:
    [*_, done] = train(load_recipe(str(recipe)), data, tmp_path / "first")
    plan = replace(load_recipe(str(recipe)), start=done.output)
    ends = []
    for share in (0.0, 0.25):
        run, second = tmp_path / f"{share}", replace(plan.stages[1], average=share, older=older)
        list(train(replace(plan, stages=(plan.stages[0], second)), data, run))
        ends.append(load_network(stage_path(run, 2)).state_dict())
    before = load_network(stage_path(tmp_path / "0.0", 1) if older else done.output).state_dict()
    for name, value in before.items():
        torch.testing.assert_close(ends[1][name], 0.25 * value + 0.75 * ends[0][name], rtol=1e-3, atol=1e-5)
    assert not torch.equal(ends[0]["head.weight"], before["head.weight"])


def test_learning_rate_rises_then_falls() -> None:
    stage = Stage(steps=1000, natural=1.0, rate=1e-3, warm_up=100)
    assert learning_rate(stage, 0, 0.0) == pytest.approx(1e-5)
    assert learning_rate(stage, 100, 0.0) == pytest.approx(1e-3)
    assert learning_rate(stage, 1000, 1.0) == pytest.approx(1e-5)


def test_a_network_that_does_not_exist_is_named(recipe: Path) -> None:
    recipe.write_text(recipe.read_text().replace('"tiny"', '"huge"'))
    with pytest.raises(UserError, match=r"names the network 'huge'; there are: .*utsr-light"):
        start_network(load_recipe(str(recipe)))
