"""Held-out slices: which they are, and what cannot be learnt from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.held_out import GAP, checked, kept_out, split, window
from napari_nanoct.training.pairs import SlicePair

Make = Callable[..., list[SlicePair]]


@pytest.mark.parametrize(("count", "held"), [(2, 1), (3, 1), (4, 1), (8, 2), (16, 4)])
def test_whole_slices_are_held_out(make_pairs: Make, count: int, held: int) -> None:
    parts = split(make_pairs(count)[::-1], 32)
    learnt, kept = ([pair.low_slice for pair in part] for part in (parts.learnt, parts.held))
    assert len(kept) == held
    assert sorted(learnt + kept) == [10 * number for number in range(count)]
    assert str(kept[-1]) in parts.note


@pytest.mark.parametrize("axis", [0, 1])
def test_of_a_single_slice_a_third_is_held_out_behind_a_gap(make_pairs: Make, axis: int) -> None:
    (pair,) = make_pairs(1, 2, 160)
    short = np.zeros_like(pair.usable)
    short[(slice(0, 150), slice(0, 100))[:: 1 - 2 * axis]] = True
    parts = split([replace(pair, usable=short)], 32)
    (learnt,), (held,) = parts.learnt, parts.held
    assert learnt.low.shape[axis] == 100 - GAP
    assert held.low.shape[axis] == 50
    assert held.high.shape == tuple(2 * extent for extent in held.low.shape)
    place = (slice(None),) * axis + (slice(200, 300),)
    np.testing.assert_array_equal(held.high, pair.high[place])
    assert "the only pair, of slice 0" in parts.note


@pytest.mark.parametrize("numbers", [range(4), range(6), range(8), range(0, 64, 2), range(0, 24, 3), [3, 4, 20, 21]])
def test_no_neighbour_that_is_held_out_is_learnt_from(make_pairs: Make, numbers: list[int]) -> None:
    last = max(numbers)
    pairs = [
        replace(pair, low_slice=z, high_slice=z + 1 if z < last or last > 21 else z - 1)
        for pair, z in zip(make_pairs(len(numbers)), numbers, strict=True)
    ]
    parts = split(pairs, 32)
    learnt, held = (
        {z for pair in part for z in (pair.low_slice, pair.high_slice)} for part in (parts.learnt, parts.held)
    )
    assert not learnt & held
    assert len(parts.held) == kept_out(len(pairs))
    assert 4 * len(parts.learnt) >= len(pairs)
    assert ("share a slice" in parts.note) == (len(parts.learnt) + len(parts.held) < len(pairs))


def test_three_neighbours_are_as_a_single_slice(make_pairs: Make) -> None:
    pairs = [
        replace(pair, low_slice=z, high_slice=other)
        for pair, z, other in zip(make_pairs(3, 1, 160), (0, 1, 2), (1, 2, 1), strict=True)
    ]
    parts = split(pairs, 32)
    assert [pair.low_slice for pair in (*parts.learnt, *parts.held)] == [0, 0]
    assert parts.learnt[0].low.shape[0] + parts.held[0].low.shape[0] == 160 - GAP


def test_a_single_small_slice_is_refused(make_pairs: Make) -> None:
    with pytest.raises(UserError, match="add a second pair or a larger slice"):
        split(make_pairs(1, 1, 96), 64)


def test_the_window_has_the_most_usable_pixels(make_pairs: Make) -> None:
    (pair,) = make_pairs(1, 2, 64)
    usable = np.zeros((64, 64), bool)
    usable[10:30, 40:60] = True
    view = window(replace(pair, usable=usable), 20)
    assert view.usable.all()
    np.testing.assert_array_equal(view.high, pair.high[20:60, 80:120])
    whole = window(pair, 200)
    assert whole.low.shape == pair.low.shape
    middle = window(pair, 32)
    np.testing.assert_array_equal(middle.low, pair.low[16:48, 16:48])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda p: {"high": p.high[:-1]}, "no factor of 1, 2 or 4"),
        (lambda p: {"usable": np.zeros_like(p.usable)}, "slice 0 has no usable pixel"),
        (lambda p: {"low": np.where(p.low > 0.4, np.nan, p.low)}, r"not finite \(NaN or infinite\) in its input"),
        (lambda p: {"high": np.full_like(p.high, np.inf)}, "in its target"),
        (lambda p: {"high": np.full_like(p.high, 0.5)}, "constant in its target"),
        (lambda p: {"low": np.full_like(p.low, 0.5)}, "constant in its input"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(make_pairs: Make, change: Callable[[Any], Any], word: str) -> None:
    pair, other = make_pairs(2)
    with pytest.raises(UserError, match=word):
        checked([replace(pair, **change(pair)), other], 32)


def test_nan_where_nothing_is_usable_does_no_harm(make_pairs: Make) -> None:
    (pair,) = make_pairs(1, 2)
    low, usable = pair.low.copy(), pair.usable.copy()
    low[:5], usable[:5] = np.nan, False
    assert checked([replace(pair, low=low, usable=usable)], 32) == 2


def test_few_small_or_mixed_pairs_are_refused(make_pairs: Make) -> None:
    with pytest.raises(UserError, match="no pair to learn from"):
        checked([], 32)
    with pytest.raises(UserError, match="less than the 80 x 80 of a patch"):
        checked(make_pairs(1), 80)
    with pytest.raises(UserError, match="factors 1 and 2"):
        checked([*make_pairs(1), *make_pairs(1, 2)], 32)
