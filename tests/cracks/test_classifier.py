"""The classifier that scribbles make."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_nanoct.cracks import classifier as module
from napari_nanoct.cracks.classifier import CrackClassifier, load_classifier
from napari_nanoct.cracks.features import FeatureSettings, default_features, volume_features
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, IntensityRange

CLASSES = ("crack", "pore", "background")
NANOMETRES = Geometry((40.0, 40.0, 40.0), (0.0, 0.0, 0.0), "nanometer")
SETTINGS = FeatureSettings((28.0, 60.0))


def scene() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A plate and a ball, both dark, in noise; and where they are."""
    truth = np.full((20, 48, 48), 3, np.uint8)
    z, y, x = np.mgrid[:20, :48, :48]
    truth[(z - 10) ** 2 + (y - 14) ** 2 + (x - 34) ** 2 < 49] = 2
    truth[np.abs(x - 0.3 * y - 6) < 1] = 1
    grey = np.where(truth == 3, 1, 0) + np.random.default_rng(0).normal(0, 0.05, truth.shape)
    return grey.astype(np.float32), truth


@pytest.fixture(scope="module")
def seen() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    grey, truth = scene()
    return volume_features(grey, NANOMETRES.voxel_size, SETTINGS), truth


def learned(features: NDArray[np.float32], truth: NDArray[np.uint8], numbers: tuple[int, ...] = (1, 2, 3)):
    there = np.isin(truth[10], numbers)
    return CrackClassifier.train(
        features[:, 10][:, there].T,
        truth[10][there],
        CLASSES,
        SETTINGS,
        IntensityRange(0.0, 1.0),
        geometry=NANOMETRES,
        model_sha256="abc",
    )


@pytest.fixture(scope="module")
def made(seen: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> CrackClassifier:
    return learned(*seen)


def test_one_slice_teaches_the_others(made: CrackClassifier, seen: tuple[NDArray[np.float32], NDArray[np.uint8]]):
    features, truth = seen
    found = made.probabilities(features[:, 5])
    assert found.shape == (3, 48, 48)
    assert np.allclose(found.sum(0), 1, atol=1e-5)
    assert (found.argmax(0) + 1 == truth[5]).mean() > 0.97
    crack = truth[5] == 1
    assert (found[0] > 0.5)[crack].mean() > 0.9


def test_a_first_short_stroke_is_enough_for_a_split(seen: tuple[NDArray[np.float32], NDArray[np.uint8]]) -> None:
    features, truth = seen
    painted = np.concatenate([np.flatnonzero(truth[10].ravel() == number)[:12] for number in (1, 3)])
    classifier = CrackClassifier.train(
        features[:, 10].reshape(len(features), -1)[:, painted].T,
        truth[10].ravel()[painted],
        CLASSES,
        SETTINGS,
        IntensityRange(0.0, 1.0),
    )
    found = classifier.crack_probability(features[:, 10])
    assert found[truth[10] == 1].mean() > 0.8
    assert found[truth[10] == 3].mean() < 0.2


def test_the_same_scribbles_make_the_same_classifier(made: CrackClassifier, seen):
    again = learned(*seen)
    assert np.array_equal(again.probabilities(seen[0]), made.probabilities(seen[0]))


def test_rare_and_frequent_classes_weigh_the_same(seen):
    features = np.zeros((1000, 13), np.float32)
    labels = np.r_[np.full(990, 3), np.full(10, 1)].astype(np.uint8)
    found = CrackClassifier.train(features, labels, CLASSES, SETTINGS, IntensityRange(0, 1)).probabilities(features.T)
    # Nothing tells them apart: as likely one as the other, although one has 99 times the voxels.
    assert found[0, 0] == pytest.approx(0.5, abs=0.05)
    assert np.bincount(labels[module.drawn(labels, 100, 0)]).tolist() == [0, 10, 0, 100]


def test_a_class_without_scribbles_has_probability_0(seen):
    found = learned(*seen, numbers=(1, 3)).probabilities(seen[0][:, 3])
    assert (found[1] == 0).all()
    assert np.allclose(found.sum(0), 1, atol=1e-5)


def test_threads_may_share_it(made: CrackClassifier, seen):
    slices = [seen[0][:, z] for z in range(8)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(made.probabilities, slices))
    assert all(np.array_equal(found, made.probabilities(one)) for found, one in zip(answers, slices, strict=True))


def test_saved_and_loaded_it_is_the_same(made: CrackClassifier, seen, tmp_path: Path):
    made.save(tmp_path / "cracks.json")
    loaded = load_classifier(tmp_path / "cracks.json")
    assert np.array_equal(loaded.probabilities(seen[0]), made.probabilities(seen[0]))
    assert loaded.classes == CLASSES
    assert loaded.settings == SETTINGS
    assert (loaded.value_range, loaded.voxel_size, loaded.unit) == ((0.0, 1.0), (40.0,) * 3, "nanometer")
    assert loaded.model_sha256 == "abc"
    assert [path.name for path in tmp_path.iterdir()] == ["cracks.json"]


@pytest.mark.parametrize("number", [(), (1,)])
def test_nothing_or_one_class_is_said_in_a_sentence(seen, number: tuple[int, ...]):
    with pytest.raises(UserError, match="All scribbles are “crack”" if number else "There are no scribbles"):
        learned(*seen, numbers=number)


def test_wrong_features_and_labels_are_refused():
    features, labels = np.zeros((4, 13), np.float32), np.array([1, 3, 1, 3], np.uint8)
    with pytest.raises(UserError, match="do not fit"):
        CrackClassifier.train(features[:, :5], labels, CLASSES, SETTINGS, IntensityRange(0, 1))
    with pytest.raises(UserError, match="3 classes"):
        CrackClassifier.train(features, labels + 1, CLASSES, SETTINGS, IntensityRange(0, 1))
    features[0, 0] = np.nan
    with pytest.raises(UserError, match="NaN"):
        CrackClassifier.train(features, labels, CLASSES, SETTINGS, IntensityRange(0, 1))


def test_files_that_are_no_classifier_are_refused_by_name(made: CrackClassifier, tmp_path: Path):
    path = tmp_path / "cracks.json"
    for content, sentence in (
        (b"\x80\x04pickle", "is not a crack classifier"),
        (b"[1, 2]", "is not a crack classifier"),
        (b'{"kind": "other"}', "is not a crack classifier"),
        (json.dumps({"kind": module.KIND, "version": 99}).encode(), "version 99"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"cracks.json.*{sentence}"):
            load_classifier(path)
    with pytest.raises(UserError, match=r"nothing\.json cannot be read"):
        load_classifier(tmp_path / "nothing.json")


def test_an_altered_file_is_refused(made: CrackClassifier, tmp_path: Path):
    path = tmp_path / "cracks.json"
    made.save(path)
    content = json.loads(path.read_text())
    content["classes"].reverse()
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="altered or damaged"):
        load_classifier(path)
    content["classes"].reverse()
    content["trees"] = {"learner": 1}
    content.pop("sha256")
    path.write_text(json.dumps({**content, "sha256": module._digest(content)}))
    with pytest.raises(UserError, match=r"cracks.json cannot be used"):
        load_classifier(path)
    made.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="is not a crack classifier"):
        load_classifier(path)


def test_another_voxel_size_is_said_and_another_unit_converted(made: CrackClassifier):
    same, note = made.applied_to(Geometry((0.04, 0.04, 0.04), (0.0, 0.0, 0.0), "micrometer"))
    assert note == ""
    assert same.settings.scales == pytest.approx((0.028, 0.06))
    _, note = made.applied_to(Geometry((40.0, 20.0, 20.0), (0.0, 0.0, 0.0), "nanometer"))
    assert "40 x 40 x 40 nm" in note
    assert "40 x 20 x 20 nm" in note
    _, note = made.applied_to(made_at := Geometry((40.0, 40.0, 40.0), (0.0, 0.0, 0.0), "nanometer"), made.model_sha256)
    assert note == ""
    _, note = made.applied_to(made_at, "0123456789abcdef")
    assert "(here by network 0123456789ab)" in note
    assert note.count(".") == 1
    with pytest.raises(UserError, match="unit"):
        made.applied_to(Geometry((1.0, 1.0, 1.0), (0.0, 0.0, 0.0), "pixel"))


def test_other_grey_values_are_said(made: CrackClassifier):
    for low, high, note in (
        (0.0, 1.0, ""),
        (-0.2, 1.2, ""),
        (0.0, 3.0, "for grey values of 0 to 1 (here 0 to 3)"),
        (-0.3, 1.0, "for grey values of 0 to 1 (here -0.3 to 1)"),
    ):
        said = made.applied_to(NANOMETRES, intensity=IntensityRange(low, high))[1]
        assert note in said
        assert bool(said) == bool(note)


def test_default_scales_follow_the_finest_edge():
    assert default_features((40.0, 20.0, 20.0)).scales == (14.0, 20.0, 32.0, 50.0, 80.0)
