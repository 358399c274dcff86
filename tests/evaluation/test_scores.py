"""Evaluation: the truth that it loads, what it degrades, how it averages."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tifffile import imwrite

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.pairs import degraded, measured
from napari_nanoct.evaluation.picture import busiest, save_picture
from napari_nanoct.evaluation.protocols import PROTOCOLS, degrade
from napari_nanoct.evaluation.scores import Score, baseline, by_sample, evaluate, model, over_samples, write_csv
from napari_nanoct.evaluation.truth import TrueSlice, true_slices
from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

SCORE = Score("a", "blind", 0, 2, "bicubic", 20.0, 0.5, 0.6, 7.0)


def picture(size: int = 65) -> np.ndarray:
    return np.random.default_rng(0).random((size, size), np.float32)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_degradations_are_seeded_and_grow_by_level(protocol: str) -> None:
    truth = np.full((64, 64), 0.5, np.float32)
    lows = [degrade(truth, protocol, level, 2, seed=3) for level in range(PROTOCOLS[protocol])]
    assert all(low.shape == (32, 32) for low in lows)
    assert np.array_equal(lows[0], degrade(truth, protocol, 0, 2, seed=3))
    # In the middle: a scan leaves air outside the circle.
    spreads = [low[8:24, 8:24].std() for low in lows]
    assert spreads == sorted(spreads)


def test_scans_are_scored_in_the_circle() -> None:
    whole = TrueSlice("natural", picture(64), circle=False)
    assert [pair.circle for pair in degraded([whole], "sinogram", 1)] == [True] * 3
    assert [pair.circle for pair in degraded([whole], "blind", 1)] == [False] * 3


def test_impossible_degradations_are_refused() -> None:
    with pytest.raises(UserError, match="changes nothing at factor 1"):
        degrade(picture(), "bicubic", 0, 1, seed=0)
    with pytest.raises(UserError, match="no degradation 'fog'; there are: bicubic"):
        degrade(picture(), "fog", 0, 1, seed=0)


def test_slices_come_from_folders_files_and_phantoms(data: Path, tmp_path: Path) -> None:
    imwrite(tmp_path / "volume.tif", np.random.default_rng(0).random((20, 32, 32), np.float32))
    assert [t.sample for t in true_slices([str(data / "ct")])] == ["c"]
    assert [(t.sample, t.circle) for t in true_slices([str(data / "natural")])] == [("natural", False)] * 2
    volume = list(true_slices([str(tmp_path / "volume.tif")]))
    assert len(volume) == 8
    assert {t.sample for t in volume} == {"volume.tif"}
    np.testing.assert_allclose(np.percentile(np.stack([t.image for t in volume]), (0.5, 99.5)), (0, 1), atol=0.02)
    with pytest.raises(UserError, match="phantom: and a number"):
        list(true_slices(["phantom:first"]))


def test_every_method_is_scored_on_the_same_slices() -> None:
    seen = []

    def note(low: np.ndarray) -> np.ndarray:
        seen.append(low)
        return low

    found = list(evaluate(degraded([TrueSlice("a", picture())], "blind", 1), 1, {"input": baseline(1), "note": note}))
    assert [score.level for scores, _ in found for score in scores] == [0, 0, 1, 1, 2, 2]
    for (input_score, note_score), shown in found:
        assert replace(note_score, method="input") == input_score
        assert shown.images["truth"].shape == (65, 65)
    assert len(seen) == 3


def test_a_perfect_method_has_infinite_psnr_and_ssim_1() -> None:
    truth = picture(66)
    [(scores, _)] = evaluate(degraded([TrueSlice("a", truth)], "bicubic", 2), 2, {"oracle": lambda low: truth})
    assert scores[0].psnr == np.inf
    assert scores[0].ssim == pytest.approx(1)


def test_an_untrained_network_scores_as_bicubic(tmp_path: Path) -> None:
    path = tmp_path / "new.safetensors"
    save_checkpoint(path, build(PRESETS["tiny"], 2), Card("new", 2, 8, 8, {}))
    methods = {"bicubic": baseline(2), "new": model(str(path), 2, "cpu")}
    [(scores, _)] = evaluate(degraded([TrueSlice("a", picture(64))], "bicubic", 2), 2, methods)
    assert scores[1].psnr == pytest.approx(scores[0].psnr, abs=0.01)


def test_means_are_by_sample_first() -> None:
    scores = [replace(SCORE, psnr=10.0), replace(SCORE, psnr=20.0), replace(SCORE, sample="b", psnr=30.0)]
    samples = by_sample(scores)
    assert [(s.sample, s.psnr) for s in samples] == [("a", 15.0), ("b", 30.0)]
    assert [(s.sample, s.psnr) for s in over_samples(samples)] == [("mean", 22.5)]


def test_scores_and_picture_are_written(tmp_path: Path) -> None:
    write_csv(tmp_path / "scores.csv", [SCORE])
    with (tmp_path / "scores.csv").open() as file:
        assert next(iter(csv.DictReader(file)))["psnr"] == "20.0"
    [(_, shown)] = evaluate(degraded([TrueSlice("a", picture(64))], "bicubic", 2), 2, {"bicubic": baseline(2)})
    save_picture(tmp_path / "a.png", shown)
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_the_picture_shows_the_busiest_place() -> None:
    image = np.zeros((300, 300), np.float32)
    image[150:190, 200:240] = np.random.default_rng(0).random((40, 40))
    y, x = busiest(image, 60)
    assert y.start < 170 < y.stop
    assert x.start < 220 < x.stop


def test_torch_stays_seeded_by_argument_alone() -> None:
    torch.manual_seed(1)
    first = degrade(picture(64), "blind", 1, 2, seed=5)
    torch.manual_seed(2)
    assert np.array_equal(first, degrade(picture(64), "blind", 1, 2, seed=5))


def test_measured_pairs_share_grey_values(tmp_path: Path) -> None:
    truth = picture(64)
    low = truth.reshape(32, 2, 32, 2).mean(axis=(1, 3))
    imwrite(tmp_path / "high.tif", truth)
    imwrite(tmp_path / "low.tif", 7 - 3 * low)
    [pair] = measured(str(tmp_path / "low.tif"), str(tmp_path / "high.tif"), 2)
    np.testing.assert_allclose(pair.truth.reshape(32, 2, 32, 2).mean(axis=(1, 3)), pair.low, atol=0.2)
    with pytest.raises(UserError, match=r"high\.tif has shape .* enlarged by 4 has \(1, 128, 128\)"):
        next(measured(str(tmp_path / "low.tif"), str(tmp_path / "high.tif"), 4))
    imwrite(tmp_path / "flat.tif", np.zeros((32, 32), np.float32))
    with pytest.raises(UserError, match="constant"):
        next(measured(str(tmp_path / "flat.tif"), str(tmp_path / "high.tif"), 2))
