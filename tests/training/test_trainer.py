"""A step: learns, and leaves weights that run away."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from napari_nanoct.training.recipe import load_recipe
from napari_nanoct.training.trainer import Trainer
from napari_nanoct.utsr import PRESETS, build


def beginning() -> tuple[Trainer, torch.Tensor]:
    """A trainer of a tiny network, and two patches."""
    torch.manual_seed(0)
    return Trainer(load_recipe("utsr-light-x1"), build(PRESETS["tiny"]), torch.device("cpu")), torch.rand(2, 1, 16, 16)


def test_learns_to_undo_a_blur() -> None:
    from napari_nanoct.training.degrade import gaussian_blur

    torch.manual_seed(0)
    trainer = Trainer(load_recipe("utsr-light-x1"), build(PRESETS["tiny"]), torch.device("cpu"))
    high = torch.rand(2, 1, 16, 16)
    low = gaussian_blur(high, torch.full((2, 2), 0.8), torch.zeros(2))
    losses = [trainer.update(low, high, 3e-3) for _ in range(60)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_stage_ends_with_the_average_of_its_steps() -> None:
    trainer, low = beginning()
    trainer.recipe = replace(trainer.recipe, stages=(replace(trainer.recipe.stages[0], steps=20),) * 2)
    expected = trainer.average["tail.bias"].clone()
    for within in range(20):
        trainer.update(low, low + 0.1, 1e-2)
        expected.lerp_(trainer.network.tail.bias.detach(), 9 / (11 + within))
    torch.testing.assert_close(trainer.average["tail.bias"], expected)


def test_weights_that_run_away_are_left_for_the_average() -> None:
    trainer, low = beginning()
    for _ in range(105):
        trainer.update(low, low + 0.1, 1e-3)
    average = {name: value.clone() for name, value in trainer.average.items()}
    with torch.no_grad():
        trainer.network.tail.weight += 10
    usual = trainer.usual_loss
    assert trainer.update(low, low + 0.1, 1e-3) > 10 * usual
    for name, value in trainer.network.state_dict().items():
        torch.testing.assert_close(value, average[name])
    assert (trainer.pace, trainer.usual_loss, trainer.step) == (0.5, usual, 106)
    assert not math.isfinite(trainer.update(low * math.nan, low, 1e-3))
    assert trainer.pace == 0.25
    assert trainer.update(low, low + 0.1, 1e-3) < 2 * usual


def test_a_gradient_that_is_not_finite_leaves_the_average_sound() -> None:
    trainer, low = beginning()
    for _ in range(5):
        trainer.update(low, low + 0.1, 1e-3)
    hook = trainer.network.head.weight.register_hook(lambda gradient: gradient * math.inf)
    trainer.update(low, low + 0.1, 1e-3)
    hook.remove()
    assert trainer.pace == 0.5
    assert all(value.isfinite().all() for value in trainer.average.values())
    assert math.isfinite(trainer.update(low, low + 0.1, 1e-3))


def test_a_stage_begins_at_its_own_rate(recipe: Path) -> None:
    trainer = Trainer(load_recipe(str(recipe)), build(PRESETS["tiny"]), torch.device("cpu"))
    low = torch.rand(2, 1, 16, 16)
    trainer.update(low * math.nan, low, 1e-3)
    paces = []
    for _ in range(6):
        trainer.update(low, low + 0.1, 1e-3)
        paces.append(trainer.pace)
    assert paces == [0.5] * 5 + [1.0]


def test_weights_that_creep_away_are_left_too_and_one_hard_batch_is_none() -> None:
    trainer, low = beginning()
    for _ in range(150):
        trainer.update(low, low + 0.1, 1e-3)
    usual = trainer.usual_loss
    hard = low + 0.1 + 5 * usual  # nothing is learnt at a rate of 0
    for _ in range(3):
        trainer.update(low, hard, 0.0)
        for _ in range(20):
            trainer.update(low, low + 0.1, 0.0)
    assert trainer.pace == 1
    for _ in range(20):
        if trainer.update(low, hard, 0.0) and trainer.pace < 1:
            break
    assert trainer.pace == 0.5
    assert trainer.usual_loss < 1.5 * usual
