"""Patches: from usable places, input and target alike; blind spots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.patches import Batch, Patches, blind_spots
from napari_nanoct.training.pairs import SlicePair

Make = Callable[..., list[SlicePair]]


@pytest.mark.parametrize("factor", [1, 2])
def test_input_and_target_are_turned_alike(make_pairs: Make, factor: int) -> None:
    pairs = make_pairs(3, factor, noise=0)
    pairs = [replace(p, high=p.low.repeat(factor, 0).repeat(factor, 1)) for p in pairs]
    batch = Patches(pairs, 32, "pairs", 0).draw(0, 8)
    fine = batch.low.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
    torch.testing.assert_close(fine, batch.high)
    assert batch.low.shape == (8, 1, 32, 32)
    assert batch.weight.min() == 1


def test_a_step_gives_the_same_patches_again(make_pairs: Make) -> None:
    patches, again = (Patches(make_pairs(2), 32, "pairs", 7) for _ in range(2))
    torch.testing.assert_close(patches.draw(3, 4).low, again.draw(3, 4).low)
    assert not torch.equal(patches.draw(3, 4).low, patches.draw(4, 4).low)


def test_patches_come_from_where_all_is_usable(make_pairs: Make) -> None:
    (pair,) = make_pairs(1, 1, 96)
    usable = np.zeros((96, 96), bool)
    usable[40:80, 10:60] = True
    low = np.where(usable, pair.low, np.nan)
    batch = Patches([replace(pair, low=low, usable=usable)], 32, "pairs", 0).draw(0, 32)
    assert torch.isfinite(batch.low).all()
    assert batch.weight.mean(dim=(1, 2, 3)).min() >= 0.95
    assert batch.low[batch.weight == 0].abs().sum() == 0


def test_too_little_that_is_usable_is_refused(make_pairs: Make) -> None:
    (pair,) = make_pairs(1)
    usable = np.zeros_like(pair.usable)
    usable[:30, :30] = True
    with pytest.raises(UserError, match="no square of 32 x 32 pixels is usable"):
        Patches([replace(pair, usable=usable)], 32, "pairs", 0)


def test_halves_take_turns(make_pairs: Make) -> None:
    pairs = [replace(pair, low=np.zeros_like(pair.low), high=np.ones_like(pair.high)) for pair in make_pairs(2)]
    first = Patches(pairs, 32, "halves", 0).draw(0, 40).low.mean(dim=(1, 2, 3))
    assert 10 < int((first > 0.5).sum()) < 30
    assert (Patches(pairs, 32, "pairs", 0).draw(0, 40).low.mean(dim=(1, 2, 3)) < 0.5).all()


def test_blind_spots_hide_a_few_pixels_behind_their_neighbours() -> None:
    image = torch.arange(4096.0).reshape(1, 1, 64, 64).repeat(2, 1, 1, 1)
    hidden = blind_spots(Batch(image, image, torch.ones_like(image)), np.random.default_rng(0))
    spots = hidden.weight > 0
    assert 0.01 < spots.float().mean() < 0.03
    assert torch.equal(hidden.low[~spots], image[~spots])
    assert (hidden.low[spots] != image[spots]).all()  # a pixel never stands in for itself, not even at the border
    moved = (hidden.low[spots] - image[spots]).abs()
    assert moved.max() <= 2 * 64 + 2
    assert torch.equal(hidden.high, image)
