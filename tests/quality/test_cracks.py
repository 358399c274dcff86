import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_nanoct.errors import UserError
from napari_nanoct.quality import Agreement, cldice, crack_scores, false_share


def test_strict_scores_of_a_hand_made_mask() -> None:
    truth, found = np.zeros((6, 8), dtype=np.uint8), np.zeros((6, 8), dtype=np.uint8)
    truth[2, 1:7] = 1
    found[2, 3:7] = 1
    found[5, 0:2] = 1
    scores = crack_scores(truth, found)
    assert scores.strict == Agreement(precision=4 / 6, recall=4 / 6)
    assert scores.strict.f1 == pytest.approx(4 / 6)
    assert scores.strict.iou == pytest.approx(4 / 8)


def test_one_voxel_beside_is_tolerated_and_two_are_not() -> None:
    truth = np.zeros((9, 9))
    truth[4] = 1
    for shift, strict, tolerant in ((0, 1, 1), (1, 0, 1), (2, 0, 0)):
        scores = crack_scores(truth, np.roll(truth, shift, axis=0))
        assert scores.strict.f1 == strict
        assert scores.tolerant.f1 == scores.tolerant.iou == scores.surface_recall == tolerant
    assert crack_scores(truth, np.roll(truth, 2, axis=0), tolerance=2).tolerant.f1 == 1


def test_half_of_a_crack_is_half_found() -> None:
    truth = np.zeros((5, 20))
    truth[2] = 1
    found = truth.copy()
    found[:, 10:] = 0
    scores = crack_scores(truth, found)
    assert scores.strict == Agreement(1, 0.5)
    # One more lies beside the end of what was found.
    assert scores.tolerant.recall == scores.surface_recall == 11 / 20
    assert scores.cldice == pytest.approx(2 / 3)


def test_thickness_costs_precision_but_no_centre_line() -> None:
    truth, found = np.zeros((11, 30)), np.zeros((11, 30))
    truth[5] = 1
    found[4:7] = 1
    scores = crack_scores(truth, found)
    assert scores.strict.precision == pytest.approx(1 / 3)
    assert scores.tolerant.f1 == scores.surface_recall == 1
    # The skeleton of a bar forks at its ends.
    assert scores.cldice == pytest.approx(1, abs=0.02)


def test_centre_line_dice_counts_a_branch_that_is_not_there() -> None:
    truth, found = np.zeros((31, 41)), np.zeros((31, 41))
    truth[15, 5:36] = found[15, 5:36] = 1
    found[16:26, 20] = 1
    # 31 skeleton pixels inside the truth, 10 outside; the truth's are all found.
    assert cldice(truth, found) == pytest.approx(2 * (31 / 41) / (31 / 41 + 1))


def test_sheets_in_three_dimensions() -> None:
    truth = np.zeros((12, 20, 20), dtype=bool)
    truth[:, 9:12, 2:18] = True
    scores = crack_scores(truth, truth)
    assert scores.cldice == scores.surface_recall == 1
    half = truth.copy()
    half[6:] = False
    # One slice beyond is within the tolerance.
    assert crack_scores(truth, half).surface_recall == pytest.approx(7 / 12, abs=0.01)
    assert cldice(truth, np.roll(truth, 6, axis=1)) == 0
    surface = np.zeros_like(truth)
    surface[:3, 10, 2:18] = True
    assert crack_scores(truth, half, mid_surface=surface).surface_recall == 1


def test_masks_say_where_to_look() -> None:
    truth, found, look = np.zeros((6, 10)), np.zeros((6, 10)), np.zeros((6, 10), dtype=bool)
    truth[1], found[1] = 1, 1
    found[4] = 1
    look[:3] = True
    assert crack_scores(truth, found, mask=look).strict == Agreement(1, 1)
    assert crack_scores(truth, found).strict == Agreement(0.5, 1)
    # A neighbour outside of where we look is a neighbour.
    look[:] = False
    look[2] = True
    beside = np.zeros((6, 10))
    beside[2] = 1
    assert crack_scores(truth, beside, mask=look).tolerant.precision == 1


def test_empty_masks_are_defined() -> None:
    empty, line = np.zeros((8, 8)), np.zeros((8, 8))
    line[3] = 1
    nothing = crack_scores(empty, empty)
    assert nothing.strict == nothing.tolerant == Agreement(1, 1)
    assert nothing.strict.f1 == nothing.surface_recall == nothing.cldice == 1
    missed, invented = crack_scores(line, empty), crack_scores(empty, line)
    assert missed.strict == Agreement(1, 0)
    assert invented.strict == Agreement(0, 1)
    for scores in (missed, invented):
        assert scores.strict.f1 == scores.strict.iou == scores.tolerant.f1 == scores.cldice == 0
    assert (missed.surface_recall, invented.surface_recall) == (0, 1)


def test_false_share_of_a_sound_sample() -> None:
    found = np.zeros((4, 10), dtype=np.uint8)
    found[0, :5] = 255
    assert false_share(found) == 5 / 40
    look = np.zeros((4, 10), dtype=bool)
    look[0] = True
    assert false_share(found, look) == 0.5


def test_wrong_input_gets_a_sentence() -> None:
    with pytest.raises(UserError, match="one shape"):
        crack_scores(np.zeros((4, 4)), np.zeros((4, 5)))
    with pytest.raises(UserError, match="no pixel"):
        crack_scores(np.zeros((4, 4)), np.zeros((4, 4)), mask=np.zeros((4, 4), dtype=bool))


def masks(seed: int, density: float) -> np.ndarray:
    return np.random.default_rng(seed).random((12, 13)) < density


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1001, 2000), st.floats(0, 0.5), st.floats(0, 0.5))
def test_scores_keep_their_order(first: int, second: int, sparse: float, dense: float) -> None:
    truth, found = masks(first, sparse), masks(second, dense)
    scores, mirrored = crack_scores(truth, found), crack_scores(found, truth)
    union = (truth | found).sum()
    assert scores.strict.iou == pytest.approx((truth & found).sum() / union if union else 1)
    assert scores.strict.f1 == pytest.approx(mirrored.strict.f1)
    assert scores.strict.precision == mirrored.strict.recall
    assert scores.cldice == pytest.approx(mirrored.cldice)
    assert scores.tolerant.precision >= scores.strict.precision
    assert scores.tolerant.recall >= scores.strict.recall
    figures = (scores.strict.f1, scores.strict.iou, scores.tolerant.f1, scores.surface_recall, scores.cldice)
    assert all(0 <= figure <= 1 for figure in figures)
    assert crack_scores(truth, truth).strict == crack_scores(truth, truth).tolerant == Agreement(1, 1)
