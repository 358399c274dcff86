"""Recipes: those that ship can be run, and what is wrong in one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.training.recipe import SHIPPED, load_recipe
from napari_nanoct.utsr import PRESETS, build


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_recipes_can_be_run(path: Path) -> None:
    plan = load_recipe(path.stem)
    assert plan.network in PRESETS
    assert all(stage.patch % build(PRESETS[plan.network], plan.scale).period == 0 for stage in plan.stages)
    assert plan.at(plan.steps - 1)[0] is plan.stages[-1]


def test_bad_recipes_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no recipe 'nothing'; there are: .*utsr-light-x1"):
        load_recipe("nothing")
    (tmp_path / "a.toml").write_text("network = 3\n[[stage]]\nstep = 3\n")
    with pytest.raises(UserError, match=r"a\.toml is not a valid recipe"):
        load_recipe(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("scale = 1", "scale = 3", "scale is 1, 2 or 4, not 3"),
        ("seed = 5", "seed = -5", "seed is a whole number from 0, not -5"),
        ("seed = 5", "seed = 5\nphantoms = 2.5", "phantoms is a whole number from 0, not 2.5"),
        ("warm_up = 2", "warm_up = 0", "warm_up is a whole number from 1, not 0"),
        ("natural = 1.0", "natural = 1.5", "natural is a share from 0 to 1, not 1.5"),
        ("natural = 1.0", "natural = 0.8\nphantom = 0.8", "more than 1 together"),
        ("natural = 1.0", "natural = 1.0\nuntouched = 0.8\nnative = 0.8", "untouched and native are more than 1"),
        ("natural = 1.0", "natural = 0.5\nphantom = 0.5", "give phantoms"),
        ("natural = 1.0", "natural = 1.0\nhold = 0.5", "need older weights: give start, or older"),
        ("natural = 1.0", "natural = 1.0\nnative = 0.1\nolder = 1", "need older weights"),
        ("natural = 0.0", "natural = 0.0\nhold = 0.1\nolder = 1.0", "older is the number of a stage, or 0, not 1.0"),
        ("natural = 0.0", "natural = 0.0\naverage = 0.1\nolder = -1", "need older weights"),
        ("rate = 1e-3", 'rate = "1e-3"', "not a valid recipe"),
        ("rate = 1e-3", "rate = 0", "rate is above 0"),
    ],
)
def test_values_that_cannot_be_are_named(recipe: Path, old: str, new: str, what: str) -> None:
    recipe.write_text(recipe.read_text().replace(old, new))
    with pytest.raises(UserError, match=what):
        load_recipe(str(recipe))
