"""Batches: which pictures they come from, and which of them are held."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_nanoct.training.batches import Batches
from napari_nanoct.training.degrade import bicubic
from napari_nanoct.training.recipe import Recipe, Stage, load_recipe


def test_a_large_batch_holds_several_tasks(data: Path, recipe: Path) -> None:
    recipe.write_text(
        "phantoms = 1\n" + recipe.read_text().replace("natural = 0.0", "natural = 0.0\nphantom = 0.5\nclean = 0.5")
    )
    plan = load_recipe(str(recipe))
    flat = np.full((40, 40), 0.25, np.float32)
    flat[::2] = 0.75
    batches = Batches(replace(plan, stages=(replace(plan.stages[1], batch=8),)), data, [flat])
    found = [[len(patch.unique()) == 2 for patch in batches.draw(step)[1]] for step in range(8)]
    assert any(len(set(batch)) == 2 for batch in found)
    assert all(batch[::2] == batch[1::2] for batch in found)


def test_phantoms_have_their_share_of_batches(data: Path, recipe: Path) -> None:
    recipe.write_text(
        "phantoms = 1\n" + recipe.read_text().replace("natural = 0.0", "natural = 0.0\nphantom = 1.0\nclean = 1.0")
    )
    flat = np.full((40, 40), 0.25, np.float32)
    flat[::2] = 0.75
    batches = Batches(load_recipe(str(recipe)), data, [flat])
    _, high = batches.draw(8)
    # Of two grey values alone, as nothing else in the data is.
    assert all(len(patch.unique()) == 2 for patch in high)


def test_ct_slices_alone_are_held(data: Path) -> None:
    stage = Stage(steps=9, natural=0.3, phantom=0.3, clean=1.0, patch=16, batch=6, rate=1e-3, hold=0.6)
    flat = np.full((40, 40), 0.25, np.float32)
    flat[::2] = 0.75
    batches = Batches(Recipe("r", "tiny", 1, 3, (stage,), phantoms=1), data, [flat])
    batches.natural = [1 - flat]
    shares = torch.cat([batches.hold(step) for step in range(9)])
    # Phantoms and natural pictures are of two grey values alone here, as no CT slice is.
    others = torch.tensor([len(patch.unique()) == 2 for step in range(9) for patch in batches.draw(step)[1]])
    assert torch.equal(shares, torch.where(others, 0.0, 0.6))
    assert 5 < others.sum() < 49


def test_untouched_slices_are_held_and_leave_the_others_alone(data: Path) -> None:
    stage = Stage(steps=20, natural=0.5, phantom=0.5, clean=0.5, sinogram=0.3, patch=16, batch=4, rate=1e-3, hold=0.8)
    flat = np.full((64, 64), 0.25, np.float32)
    flat[::2] = 0.75
    plans = [
        Recipe("r", "tiny", 2, 3, (replace(stage, untouched=share, native=share),), phantoms=1) for share in (0.0, 0.3)
    ]
    without, some = (Batches(plan, data, [flat]) for plan in plans)
    without.natural = some.natural = [1 - flat]
    shares = torch.cat([some.hold(step) for step in range(20)])
    assert all(8 < (shares == share).sum() < 48 for share in (0.0, stage.hold, 1.0))
    patches = [
        torch.cat(parts)
        for batches in (without, some)
        for parts in zip(*(batches.draw(step) for step in range(20)), strict=True)
    ]
    for share, low_before, high_before, low, high in zip(shares, *patches, strict=True):
        if share == 0:  # as it is without that share
            assert torch.equal(low, low_before)
            assert torch.equal(high, high_before)
            continue
        assert len(high.unique()) > 2  # neither a phantom nor natural
        if share == 1:
            assert torch.equal(low.repeat_interleave(2, 1).repeat_interleave(2, 2), high)
        else:
            torch.testing.assert_close(low[None], bicubic(high[None], 2))
