"""Learning from scribbles and answering for slices, without a viewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_nanoct.cracks.scribbles import ScribbleStore
from napari_nanoct.docks.cracks.overlay import tiles
from napari_nanoct.docks.cracks.planes import Planes
from napari_nanoct.docks.cracks.teacher import Slice, Teacher
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import Cancelled, CancelToken
from napari_nanoct.volumes import IntensityRange, open_volume

SHAPE = (12, 48, 56)


@pytest.fixture
def scribbled(plate: tuple, painted: ScribbleStore) -> tuple[Teacher, ScribbleStore]:
    """Return a teacher of that volume, and the scribbles."""
    return Teacher(open_volume(plate[0])), painted


def _fresh(teacher: Teacher, store: ScribbleStore, z: int) -> Slice:
    return Slice(z, teacher.learn(store, CancelToken()), np.zeros(SHAPE[1:], np.float32))


def test_learns_what_a_crack_is(scribbled: tuple, plate: tuple) -> None:
    teacher, store = scribbled
    seen = _fresh(teacher, store, 5)
    teacher.fill(seen, tiles((0, 48, 0, 56)), CancelToken())
    found, truth = seen.probability > 0.5, plate[1][5]
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.9
    assert seen.probability.min() >= 0
    assert seen.probability.max() <= 1


def test_the_classifier_tells_what_it_was_made_over(scribbled: tuple, plate: tuple) -> None:
    _, store = scribbled
    volume = open_volume(plate[0])
    learned = Teacher(volume, "abc").learn(store, CancelToken())
    assert learned.model_sha256 == "abc"
    assert (learned.voxel_size, learned.unit) == (volume.geometry.voxel_size, volume.geometry.unit)


def test_tiles_are_those_of_the_whole_slice(scribbled: tuple) -> None:
    teacher, store = scribbled
    whole, parts = _fresh(teacher, store, 5), _fresh(teacher, store, 5)
    teacher.fill(whole, [(0, 48, 0, 56)], CancelToken())
    teacher.fill(parts, [(0, 20, 0, 56), (20, 48, 0, 30)], CancelToken())
    assert not parts.probability[20:, 30:].any()
    teacher.fill(parts, [(20, 48, 30, 56)], CancelToken())
    np.testing.assert_allclose(parts.probability, whole.probability, atol=0.02)
    assert np.mean(parts.probability != whole.probability) < 0.05  # a tree's step apart at rounding


def test_learns_anew_only_from_new_scribbles(scribbled: tuple) -> None:
    teacher, store = scribbled
    first = teacher.learn(store, CancelToken())
    assert teacher.learn(store, CancelToken()) is first
    store[10, 3:6, 3:20] = 2
    second = teacher.learn(store, CancelToken())
    assert second is not first
    assert second.classes == ("crack", "pore", "background")
    store[10] = 0
    assert teacher.learn(store, CancelToken()) is not second


def test_another_store_is_learned_anew(scribbled: tuple) -> None:
    teacher, store = scribbled
    other = ScribbleStore(Path("elsewhere.zarr"), SHAPE)
    for z in store.labelled_slices():
        other[z] = np.array([0, 3, 0, 1], np.uint8)[store[z]]  # cracks and background the other way round
        assert other.version(z) == store.version(z)
    first, second = _fresh(teacher, store, 5), _fresh(teacher, other, 5)
    assert first.classifier is not second.classifier
    for seen in (first, second):
        teacher.fill(seen, tiles((0, 48, 0, 56)), CancelToken())
    assert second.probability.mean() > 0.5 > first.probability.mean()


def test_a_loaded_classifier_wins(scribbled: tuple) -> None:
    teacher, store = scribbled
    loaded = teacher.learn(store, CancelToken())
    store[3, 40:, :5] = 2
    assert teacher.classifier(store, loaded, CancelToken()) is loaded
    assert teacher.classifier(store, None, CancelToken()) is not loaded


def test_scribbles_that_teach_nothing(plate: tuple) -> None:
    teacher, store = Teacher(open_volume(plate[0])), ScribbleStore(Path("nowhere.zarr"), SHAPE)
    learn: Callable = lambda: teacher.learn(store, CancelToken())  # noqa: E731
    for none in (store, None):
        with pytest.raises(UserError, match="no scribbles yet"):
            teacher.learn(none, CancelToken())
    store[2, :5, :5] = 1
    with pytest.raises(UserError, match="All scribbles are “crack”; paint some of another class"):
        learn()
    store[2] = 0
    with pytest.raises(UserError, match="no scribbles yet"):
        learn()
    store[2, :5, :5] = 2
    store[2, 10:15, :5] = 3
    with pytest.raises(UserError, match="No scribble is “crack”"):
        learn()


def test_next_slice_is_where_something_new_is(scribbled: tuple, plate: tuple) -> None:
    _, store = scribbled
    grey = plate[0].copy()
    grey[6, :, 26:34] -= 200  # neither crack nor background
    teacher = Teacher(open_volume(grey))
    assert abs(teacher.least_sure(store, None, (0, 48, 0, 56), None, CancelToken()) - 6) <= 1
    for z in range(SHAPE[0]):
        store[z, 0, 0] = 3
    with pytest.raises(UserError, match="Every slice"):
        teacher.least_sure(store, None, (0, 48, 0, 56), None, CancelToken())


def test_next_slice_is_judged_inside_the_mask(scribbled: tuple, plate: tuple) -> None:
    _, store = scribbled
    grey = plate[0].copy()
    grey[6, :, 26:34] -= 200  # neither crack nor background, but outside the mask
    grey[10, 20:28, 40:50] -= 200
    mask = np.zeros(SHAPE, np.uint8)
    mask[:, :, 36:] = 1
    teacher = Teacher(open_volume(grey))
    assert abs(teacher.least_sure(store, None, (0, 48, 0, 56), open_volume(mask), CancelToken()) - 10) <= 1
    with pytest.raises(UserError, match="inside the mask"):
        teacher.least_sure(store, None, (0, 48, 0, 30), open_volume(mask), CancelToken())


def test_a_part_has_the_range_of_the_whole(plate: tuple) -> None:
    whole = open_volume(plate[0])
    part = Teacher(open_volume(plate[0][:4, :, 30:]), whole=whole)
    assert part.planes().intensity == Teacher(whole).planes().intensity


def test_work_stops_when_it_is_cancelled(scribbled: tuple) -> None:
    teacher, store = scribbled
    seen, token = _fresh(teacher, store, 5), CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        teacher.fill(seen, tiles((0, 48, 0, 56)), token)
    assert not seen.done


def test_constant_and_nan_volumes_do_not_stop_it() -> None:
    for grey in (np.full(SHAPE, 7, np.uint16), np.full(SHAPE, np.nan, np.float32)):
        teacher, store = Teacher(open_volume(grey)), ScribbleStore(Path("nowhere.zarr"), SHAPE)
        store[4, 5:15] = 1
        store[4, 25:35] = 3
        seen = _fresh(teacher, store, 4)
        teacher.fill(seen, [(0, 48, 0, 56)], CancelToken())
        assert np.isfinite(seen.probability).all()


def test_there_is_no_crack_where_there_is_no_value(scribbled: tuple, plate: tuple) -> None:
    _, store = scribbled
    grey = plate[0].copy()
    grey[5, 20:30, 40:50], grey[5, 40, :] = np.nan, np.inf
    seen = _fresh(teacher := Teacher(open_volume(grey)), store, 5)
    teacher.fill(seen, tiles((0, 48, 0, 56)), CancelToken())
    assert not seen.probability[~np.isfinite(grey[5])].any()
    assert seen.probability.max() > 0.9


def test_planes_are_the_normalised_volume(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.random.default_rng(1).normal(50, 20, (30, 20, 24)).astype(np.float32)
    grey[4, 3, 2], grey[5, 3, 2] = np.nan, np.inf
    expected = np.nan_to_num((grey - 10) / 80, nan=0, posinf=0, neginf=0)
    for budget in (1 << 20, 6 * 20 * 24 * 4):  # the second holds six slices
        monkeypatch.setattr("napari_nanoct.docks.cracks.planes.CACHE_BYTES", budget)
        planes = Planes(open_volume(grey), IntensityRange(10, 90))
        for z0, z1 in ((0, 5), (2, 7), (3, 20), (25, 30), (1, 3)):
            part = np.s_[z0:z1, 2:9, 0:24]
            np.testing.assert_allclose(planes[part], expected[part], rtol=1e-5, atol=1e-6)
            assert sum(plane.nbytes for plane in planes._kept.values()) <= budget


def test_tiles_cover_a_window_from_its_middle() -> None:
    found = tiles((0, 600, 256, 1000))
    cover = np.zeros((600, 1000), int)
    for y0, y1, x0, x1 in found:
        cover[y0:y1, x0:x1] += 1
    assert (cover[:, 256:] == 1).all()
    assert not cover[:, :256].any()
    assert found[0] == (256, 512, 512, 768)
    assert tiles((0, 600, 0, 1000), middle=(0, 0))[0] == (0, 256, 0, 256)
