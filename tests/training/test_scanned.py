"""Batches of scanned patches: determined by seed and step, aligned, and none of the others changed."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_nanoct.errors import UserError
from napari_nanoct.training.batches import Batches
from napari_nanoct.training.degrade import bicubic
from napari_nanoct.training.degrade_sinogram import SinogramRange
from napari_nanoct.training.recipe import Recipe, Stage, load_recipe
from napari_nanoct.training.scanned import scanned_patches, smallest_crop

NEARLY_PERFECT = SinogramRange(
    counts=(math.inf, math.inf),
    sample=(1.0, 1.0),
    psf_sigma=(0.2, 0.2),
    fringe=(0.0, 0.0),
    gain=(0.0, 0.0),
    drift=(0.0, 0.0),
    jitter=(0.0, 0.0),
    angles=(360, 360),
    missing=(0.0, 0.0),
    windows=("ramp",),
    interpolations=("band-limited",),
    smoothing=(0.0, 0.0),
)


def pictures() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [np.kron(random.random((20, n)), np.ones((8, 8))).astype(np.float32) for n in (20, 24)]


def recipe(share: float) -> Recipe:
    return Recipe("test", "tiny", 2, 7, (Stage(12, 0.5, 1e-3, patch=16, batch=5, sinogram=share),))


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_patches_are_of_one_place_in_one_range(factor: int) -> None:
    low, high = scanned_patches(pictures(), np.array([0.5, 0.5]), 6, 24, factor, 3, ranges=NEARLY_PERFECT)
    assert low.shape == (6, 1, 24, 24)
    assert high.shape == (6, 1, 24 * factor, 24 * factor)
    assert low.dtype == high.dtype == torch.float32
    reduced = torch.nn.functional.avg_pool2d(high, factor)
    error = (low - reduced).std(dim=(1, 2, 3))
    assert (error < 0.35 * reduced.std(dim=(1, 2, 3))).all()
    # One pixel aside they fit much worse.
    assert (error < 0.6 * (low[..., 1:] - reduced[..., :-1]).std(dim=(1, 2, 3))).all()


def test_a_batch_depends_on_seed_and_step_alone(data: Path) -> None:
    first, second = Batches(recipe(1.0), data), Batches(recipe(1.0), data)
    first.draw(0)
    for mine, other in zip(first.draw(3), second.draw(3), strict=True):
        assert torch.equal(mine, other)
    assert not torch.equal(first.draw(4)[0], first.draw(3)[0])
    assert first.draw(3)[0].shape == (5, 1, 16, 16)
    assert first.draw(3)[1].shape == (5, 1, 32, 32)


def test_the_other_batches_stay_what_they_are(data: Path) -> None:
    none, half = Batches(recipe(0.0), data), Batches(recipe(0.5), data)
    pairs = [zip(none.draw(step)[1].split(2), half.draw(step)[1].split(2), strict=True) for step in range(12)]
    same = [torch.equal(one, other) for pair in pairs for one, other in pair]
    assert 8 < sum(same) < 28
    assert load_recipe("utsr-light-x1").stages[0] == replace(load_recipe("utsr-light-x1").stages[0], sinogram=0.0)


def test_pictures_must_hold_a_patch_in_their_circle(data: Path) -> None:
    assert smallest_crop(64, 2) > 2 * 64 * math.sqrt(2)
    stage = replace(recipe(1.0).stages[0], patch=100)
    with pytest.raises(UserError, match="larger pictures"):
        Batches(replace(recipe(1.0), stages=(stage,)), data).draw(0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_the_truth_of_soft_batches_is_smooth(data: Path, share: float) -> None:
    stage = recipe(share).stages[0]
    plain, soft = (Batches(replace(recipe(share), stages=(replace(stage, soft=part),)), data) for part in (0.0, 1.0))
    roughness = [
        np.mean([float(batches.draw(step)[1].diff(dim=-1).abs().mean()) for step in range(12)])
        for batches in (plain, soft)
    ]
    assert roughness[1] < 0.9 * roughness[0]
    assert soft.draw(0)[0].shape == (5, 1, 16, 16)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_grain_is_in_the_truth_of_ct_slices_alone(data: Path, share: float) -> None:
    for natural in (0.0, 1.0):
        stage = replace(recipe(share).stages[0], natural=natural)
        plain, grainy = (Batches(replace(recipe(share), stages=(replace(stage, grain=g),)), data) for g in (0.0, 1.0))
        same = [torch.equal(plain.draw(step)[1], grainy.draw(step)[1]) for step in range(4)]
        assert same == [natural == 1] * 4


def test_grain_goes_through_the_degradation_too(data: Path) -> None:
    stage = replace(recipe(0.0).stages[0], natural=0.0, clean=1.0)
    plain, grainy = (Batches(replace(recipe(0.0), stages=(replace(stage, grain=g),)), data) for g in (0.0, 1.0))
    (low, high), (grainy_low, grainy_high) = plain.draw(2), grainy.draw(2)
    torch.testing.assert_close(grainy_low - low, bicubic(grainy_high - high, 2), atol=1e-5, rtol=0)


def test_a_wider_sample_makes_the_scans_noisier(data: Path) -> None:
    def noise(most: float) -> float:
        stage = replace(recipe(1.0).stages[0], sample=most)
        batches = Batches(replace(recipe(1.0), stages=(stage,)), data)
        pairs = [(low, torch.nn.functional.avg_pool2d(high, 2)) for low, high in map(batches.draw, range(12))]
        return float(np.mean([float((low - high).std() / high.std()) for low, high in pairs]))

    assert noise(40.0) > 1.5 * noise(1.0)
