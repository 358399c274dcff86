"""Pieces joined across slabs: the same as of the whole volume."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from napari_nanoct.cracks.blocks import Pieces, Rule


def final(score: NDArray[np.float32], rule: Rule, depth: int, planarity: NDArray[np.float32] | None = None) -> object:
    pieces = Pieces(rule)
    slabs = []
    for z in range(0, len(score), depth):
        slabs.append(pieces.add(score[z : z + depth], None if planarity is None else planarity[z : z + depth]))
    return pieces.numbers()[np.concatenate(slabs)]


@pytest.mark.parametrize("depth", [1, 3, 7, 16])
def test_slabs_give_what_the_whole_gives(depth: int) -> None:
    random = np.random.default_rng(1)
    score = gaussian_filter(random.normal(size=(40, 50, 50)), 1.3).astype(np.float32)
    planarity = random.random(score.shape, np.float32)
    rule = Rule(0.1, 0.25, 20, 0.49)
    whole = final(score, rule, 40, planarity)
    assert len(np.unique(whole)) > 10
    assert np.array_equal(final(score, rule, depth, planarity), whole)


def test_pieces_are_numbered_by_their_first_voxel_and_are_the_connected_ones() -> None:
    score = gaussian_filter(np.random.default_rng(2).normal(size=(20, 30, 30)), 1).astype(np.float32)
    found = final(score, Rule(0.2, 0.2), 6)
    assert np.array_equal(found, label(score >= 0.2, np.ones((3, 3, 3)))[0])


def test_a_piece_is_kept_by_what_it_is_in_all_slabs_together() -> None:
    score = np.zeros((12, 5, 5), np.float32)
    score[:, 1, 1] = 0.5
    score[11, 1, 1] = 0.9  # only the last voxel reaches the high threshold
    score[:3, 3, 3] = 0.9  # too small
    found = final(score, Rule(0.4, 0.8, 5), 4)
    assert np.array_equal(found, np.where(score[:, :2].any(2).any(1)[:, None, None] & (np.arange(5) == 1), 1, 0)
                          * (np.arange(5) == 1)[:, None])  # fmt: skip


def test_pieces_that_meet_late_are_one() -> None:
    score = np.zeros((6, 5, 9), np.float32)
    score[:4, 2, [1, 3, 5, 7]] = 1
    score[4, 2, 1:8] = 1
    assert set(np.unique(final(score, Rule(0.5, 0.5), 2))) == {0, 1}


def test_round_pieces_are_dropped() -> None:
    score = np.zeros((4, 5, 9), np.float32)
    score[1, :, 2] = score[1, :, 6] = 1
    planarity = np.where(np.arange(9) < 4, 0.2, 0.8).astype(np.float32) * np.ones_like(score)
    found = final(score, Rule(0.5, 0.5, 1, 0.5), 4, planarity)
    assert np.array_equal(np.unique(np.argwhere(found)[:, 2]), [6])


def test_the_careful_score_decides_whether_there_are_clear_pieces() -> None:
    score, deep = np.zeros((8, 4, 12), np.float32), np.zeros((8, 4, 12), bool)
    score[:, :, 1] = score[:, :3, 9] = 1
    deep[:, :3, 1] = True  # the other is a gap
    gate = np.where(np.arange(4)[:, None] < 2, score, 0).astype(np.float32)
    for careful, clear, kept in ((score, 24, {1}), (score, 25, set()), (gate, 16, {1}), (gate, 17, set())):
        pieces = Pieces(Rule(0.5, 0.5, clear=clear))
        slabs = [slice(z, z + 3) for z in range(0, 8, 3)]
        labels = np.concatenate([pieces.add(score[z], None, deep[z], careful[z]) for z in slabs])
        assert set(np.argwhere(pieces.numbers()[labels])[:, 2].tolist()) == kept


def test_a_sure_piece_may_be_joined_to_a_web_of_gaps() -> None:
    score, deep = np.zeros((8, 5, 12), np.float32), np.zeros((8, 5, 12), bool)
    score[:, :, [1, 4, 10]] = 0.6  # a dark piece in a web, a pale one in a web, a dark one deep inside
    deep[:2, 0, [1, 4]] = True  # 2 voxels of 40
    deep[:, :, 10] = True
    score[5, 2, [1, 10]] = 0.9
    for sure, kept in ((0.8, {1, 10}), (0.95, {10}), (0.5, {1, 4, 10})):
        pieces = Pieces(Rule(0.5, 0.5, sure=sure))
        labels = np.concatenate([pieces.add(score[z : z + 3], None, deep[z : z + 3]) for z in range(0, 8, 3)])
        assert set(np.argwhere(pieces.numbers()[labels])[:, 2].tolist()) == kept, sure


def test_nothing_gives_nothing() -> None:
    assert not np.any(final(np.zeros((3, 4, 5), np.float32), Rule(0.5, 0.5), 2))
