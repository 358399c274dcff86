"""The crack experiment: the detector, the truth it is scored on, and what restoration changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tifffile import imwrite

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.cracks import (
    CrackScore,
    CrackSlice,
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


def test_a_clear_crack_is_found_and_specks_are_not() -> None:
    image, cracks = cracked()
    image[10:12, 10:12] = 0.1
    assert np.array_equal(find_cracks(image, np.ones_like(cracks)), cracks)
    assert not find_cracks(image, np.zeros_like(cracks)).any()


def test_scores_tell_a_good_method_from_a_blind_one() -> None:
    image, cracks = cracked()
    everywhere = np.ones_like(cracks)
    sound = CrackSlice("a, sound", image * 0 + 0.8, ~everywhere, everywhere)
    slices = [CrackSlice("a", image, cracks, everywhere), sound]
    methods = {"oracle": lambda low: image, "blind": lambda low: low * 0 + 0.5, "input": baseline(1)}
    scores = {(s.sample, s.method): s for s in score_cracks(slices, "blind", 0, 1, methods)}
    assert scores["a", "oracle"].f1 == 1
    assert scores["a", "blind"].f1 == scores["a", "blind"].recall == 0
    assert 0.3 < scores["a", "input"].f1 < 1
    # On the sound sample the oracle of this test paints the crack of the other one: invented.
    assert scores["a, sound", "oracle"].false_share == pytest.approx(cracks.mean())
    assert scores["a, sound", "blind"].false_share == 0
    assert np.isnan(scores["a, sound", "blind"].f1)


def test_phantoms_are_averaged_with_their_twins_apart() -> None:
    scores = [
        CrackScore("phantom:1", 0, "input", 1, 0.5, 0.6, 0.7, 0.8, 0.9, np.nan),
        CrackScore("phantom:2", 0, "input", 0, 0.5, 0.2, 0.7, 0.8, 0.9, np.nan),
        CrackScore("phantom:1, sound", 0, "input", *[np.nan] * 6, 0.01),
        CrackScore("nmc", 0, "input", 1, 1, 1, 1, 1, 1, np.nan),
    ]
    phantoms, sound = over_phantoms(scores)
    assert (phantoms.precision, phantoms.f1) == pytest.approx((0.5, 0.4))
    assert sound.false_share == 0.01


def test_phantoms_come_with_a_sound_twin() -> None:
    slices = list(crack_slices(["phantom:3"]))
    assert [s.sample for s in slices] == ["phantom:3"] * 2 + ["phantom:3, sound"] * 2
    assert all(s.cracks.any() == ("sound" not in s.sample) for s in slices)
    first, _, twin, _ = slices
    same = ~first.cracks & (np.abs(first.image - twin.image) < 1e-6)
    assert same.mean() > 0.9
    assert first.image[first.cracks & first.where].mean() < first.image[first.where].mean() - 0.2


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
