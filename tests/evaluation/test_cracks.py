"""The crack experiment: the detector, the truth it is scored on, and what restoration changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tifffile import imwrite

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.cracks import (
    OFFSET,
    CrackScore,
    CrackSlice,
    averaged,
    crack_slices,
    find_cracks,
    over_phantoms,
    score_cracks,
)
from napari_nanoct.evaluation.scores import baseline


def cracked() -> tuple[np.ndarray, np.ndarray]:
    cracks = np.zeros((128, 128), bool)
    cracks[30:100, 60:63] = True
    return np.where(cracks, 0.1, 0.8).astype(np.float32), cracks


def test_what_is_darker_than_around_is_found_and_nothing_else() -> None:
    image, cracks = cracked()
    everywhere = np.ones_like(cracks)
    assert np.array_equal(find_cracks(image, everywhere)[0], cracks)
    faint = np.where(cracks, 0.6, 0.8).astype(np.float32)
    usual, low = find_cracks(faint, everywhere, offsets=(OFFSET, 0.05))
    assert not usual.any()
    assert np.array_equal(low, cracks)
    assert not find_cracks(image, np.zeros_like(cracks))[0].any()


def test_scores_tell_a_good_method_from_a_blind_one() -> None:
    image, cracks = cracked()
    everywhere = np.ones_like(cracks)
    sound = CrackSlice("a, sound", image * 0 + 0.8, ~everywhere, everywhere)
    slices = [CrackSlice("a", image, cracks, everywhere), sound]
    methods = {"oracle": lambda low: image, "blind": lambda low: low * 0 + 0.5, "input": baseline(1)}
    scores = {(s.sample, s.method): s for s in score_cracks(slices, "blind", 0, 1, methods)}
    assert scores["a", "oracle"].f1 == scores["a", "oracle"].f1_best == 1
    assert scores["a", "blind"].f1 == scores["a", "blind"].recall == 0
    assert 0.3 < scores["a", "input"].f1 <= scores["a", "input"].f1_best < 1
    # On the sound sample the oracle of this test paints the crack of the other one: invented.
    assert scores["a, sound", "oracle"].false_share == pytest.approx(cracks.mean())
    assert scores["a, sound", "blind"].false_share == 0
    assert np.isnan(scores["a, sound", "blind"].f1)


def test_phantoms_are_averaged_with_their_twins_apart() -> None:
    scores = [
        CrackScore("phantom:1", 0, "input", 1, 0.5, 0.6, 0.6, 0.7, 0.8, 0.9, np.nan),
        CrackScore("phantom:2", 0, "input", 0, 0.5, 0.2, 0.3, 0.7, 0.8, 0.9, np.nan),
        CrackScore("phantom:1, sound", 0, "input", *[np.nan] * 7, 0.01),
        CrackScore("phantom:1, thin", 0, "input", *[0.1] * 7, np.nan),
        CrackScore("nmc", 0, "input", *[1] * 7, np.nan),
    ]
    phantoms, sound, thin = over_phantoms(scores)
    assert (phantoms.precision, phantoms.f1) == pytest.approx((0.5, 0.4))
    assert (sound.false_share, thin.f1) == (0.01, 0.1)
    assert thin.sample == "phantoms, thin cracks"


def test_phantoms_come_with_thin_cracks_and_with_none() -> None:
    slices = list(crack_slices(["phantom:3"]))
    assert [s.sample for s in slices] == [
        name for name in ("phantom:3", "phantom:3, thin", "phantom:3, sound") for _ in range(2)
    ]
    assert all(s.cracks.any() == ("sound" not in s.sample) for s in slices)
    first, _, thin, _, twin, _ = slices
    same = ~first.cracks & (np.abs(first.image - twin.image) < 1e-6)
    assert same.mean() > 0.9
    assert first.image[first.cracks & first.where].mean() < first.image[first.where].mean() - 0.2
    assert thin.middle is not None
    assert first.middle is not None
    width = [(s.cracks & s.where).sum() / (s.middle & s.where).sum() for s in (first, thin)]
    assert width[1] < 0.65 * width[0]


def test_the_number_of_a_slice_names_its_draws() -> None:
    image, cracks = cracked()
    one = CrackSlice("a", image, cracks, np.ones_like(cracks))
    methods = {"input": baseline(1)}
    both = [score_cracks([one], "blind", 2, 1, methods, first=n)[0] for n in (0, 1)]
    assert both[0] != both[1]
    assert averaged(both)[0].f1 == pytest.approx(score_cracks([one, one], "blind", 2, 1, methods)[0].f1)


def test_labels_are_read_beside_their_slices(data: Path) -> None:
    with (data / "ct" / "index.csv").open("a") as index:
        index.write("\nc/2.tif,c,val,2")
    image, cracks = cracked()
    imwrite(data / "ct" / "c" / "2.tif", image.repeat(2, 0).repeat(2, 1))
    imwrite(data / "ct" / "c" / "2_cracks.tif", cracks.repeat(2, 0).repeat(2, 1).astype(np.uint8))
    imwrite(data / "ct" / "c" / "2_particles.tif", np.ones((256, 256), np.uint8))
    [one] = crack_slices([str(data / "ct")])
    assert np.array_equal(one.cracks, cracks)
    assert one.where.all()
    with pytest.raises(UserError, match="no known cracks"):
        list(crack_slices([str(data / "ct" / "c" / "2.tif")]))
