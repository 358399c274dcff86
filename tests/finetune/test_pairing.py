"""From two volumes to a project of pairs and back to arrays; what does not go together is refused with its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.matching import allowed
from napari_nanoct.finetune.pairing import (
    Paired,
    PairRefused,
    load_pairs,
    match_slice,
    overlay,
    pair_slices,
    pair_volumes,
)
from napari_nanoct.finetune.placing import Placement, place_volumes
from napari_nanoct.finetune.project import Region, load_project, save_project
from napari_nanoct.finetune.scans import Scan, expected
from napari_nanoct.jobs import Cancelled, CancelToken
from napari_nanoct.training.masked import warped
from napari_nanoct.training.register import Similarity
from napari_nanoct.volumes import Geometry, IntensityRange, Volume, open_volume

PLACE = Similarity(2.02, 3.0, (39.5, 39.5), (101.0, 93.0))
FIRST = 3
"""Slice of the fine scan at which the coarse one begins."""


def grains(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(20, 192, 192))
    image = gaussian_filter(noise, (3, 4, 4))
    return (0.5 + 0.25 * image / image.std()).astype(np.float32)


FINE = grains(0)
AMOUNTS = (("long", 0.02), ("short", 0.1))


def saved(folder: Path, name: str, data: np.ndarray, voxel: float | None) -> Volume:
    np.save(folder / f"{name}.npy", data)
    return open_volume(folder / f"{name}.npy", voxel_size=voxel, unit="nm" if voxel else None)


def coarse(noise: float = 0.05) -> np.ndarray:
    planes = np.stack([warped(plane, PLACE, (160, 160), 2) for plane in FINE[FIRST : FIRST + 16]])
    blocks = planes.reshape(8, 2, 80, 2, 80, 2).mean((1, 3, 5))
    return blocks + np.random.default_rng(9).normal(0, noise, blocks.shape).astype(np.float32)


@pytest.fixture
def low(tmp_path: Path) -> Volume:
    return saved(tmp_path, "low", (30000 * (coarse() + 0.5)).astype(np.uint16), 40.0)


@pytest.fixture
def high(tmp_path: Path) -> Volume:
    return saved(tmp_path, "high", 7 * FINE - 3, 20.0)


def paired(*volumes: Volume | None, **options: Any) -> Paired:
    *_, last = pair_volumes(volumes[0], volumes[1], **options)  # type: ignore[arg-type]
    assert isinstance(last, Paired)
    return last


def away(found: Similarity) -> float:
    corners = np.array([(0, 0), (0, 79), (79, 0), (79, 79)], float)
    return float(np.linalg.norm(found.apply(corners) - PLACE.apply(corners), axis=-1).max() / 2)


def test_from_two_volumes_to_arrays_by_way_of_a_file(low: Volume, high: Volume, tmp_path: Path) -> None:
    result = paired(low, high, slices=(2, 5, 70))
    assert [match.low_slice for match in result.project.matches] == [2, 5]
    assert [(refusal.low_slice, "no slice 70" in refusal.reason) for refusal in result.refusals] == [(70, True)]
    assert result.project.factor == 2
    for match in result.project.matches:
        assert away(match.similarity) < 0.3
        assert match.high_slice == pytest.approx(FIRST + 2 * match.low_slice + 0.5, abs=0.5)
    save_project(result.project, tmp_path / "pairs.json")
    pair = load_pairs(load_project(tmp_path / "pairs.json"))[0]
    true = np.stack([warped(FINE[z], PLACE, (160, 160), 2) for z in (FIRST + 4, FIRST + 5)]).mean(0)
    used = pair.usable.repeat(2, 0).repeat(2, 1)
    grey = IntensityRange(*result.project.low.range).normalise(30000 * (true + 0.5))
    assert pair.usable.mean() > 0.9
    assert np.sqrt(np.mean((pair.high - grey)[used] ** 2)) < 0.02
    first, *others = load_project(tmp_path / "pairs.json").matches
    y, x = first.similarity.centre_high
    moved = replace(first, similarity=replace(first.similarity, centre_high=(y, x + 30)))
    with pytest.raises(UserError, match=r"Slice 2 of .*low\.npy and its place .* pair anew"):
        load_pairs(replace(result.project, matches=(moved, *others)))
    picture = overlay(pair)
    assert picture.shape == (80, 80, 3)
    assert picture[40, 40].max() > picture[0, 0].max()


def test_volumes_inside_an_hdf5_file(low: Volume, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scans.h5", "w") as file:
        file["coarse/data"], file["other"] = np.asarray(low.data), np.asarray(low.data)[::-1]
    inside = open_volume(tmp_path / "scans.h5" / "coarse", voxel_size=40, unit="nm")
    project = pair_slices(inside, output=tmp_path / "pairs.json", slices=[2]).project
    assert project.low.path == str(tmp_path / "scans.h5" / "coarse" / "data")
    again, plain = (
        load_pairs(one)[0].low
        for one in (load_project(tmp_path / "pairs.json"), paired(low, None, slices=(2,)).project)
    )
    np.testing.assert_array_equal(again, plain)
    (tmp_path / "scans.h5").unlink()
    with pytest.raises(UserError, match="is gone"):
        load_pairs(project)


def test_from_python_to_a_file(low: Volume, tmp_path: Path) -> None:
    result = pair_slices(low, output=tmp_path / "pairs.json", slices=[*np.arange(2, 4)])
    assert load_project(tmp_path / "pairs.json") == result.project
    with pytest.raises(UserError, match="overwrite=True"):
        pair_slices(low, output=tmp_path / "pairs.json")
    with pytest.raises(UserError, match="An array has no file"):
        pair_slices(np.asarray(low.data), output=tmp_path / "other.json")
    square = Region(((10.0, 10.0), (10.0, 70.0), (70.0, 70.0), (70.0, 10.0)))
    project = pair_slices(np.asarray(low.data), slices=(2, 3), regions=(square,)).project
    assert len(project.matches) == 2
    assert project.regions == (square,)


def test_a_slip_in_python_costs_no_volume(low: Volume, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.json"):
        pair_slices(low, output=low.source, overwrite=True)
    assert open_volume(low.source).shape == low.shape
    with pytest.raises(UserError, match="no method 'half'; choose pairs, halves, neighbours or blind-spot"):
        pair_slices(low, method="half")


def test_a_zoom_scan_without_voxel_sizes(tmp_path: Path, low: Volume) -> None:
    zoom = saved(tmp_path, "zoom", FINE[:, 20:150, 40:180], None)
    with pytest.raises(UserError, match="give the factor"):
        expected(low, zoom, None, None)
    placement = place_volumes(low, zoom, factor=2)
    match = match_slice(low, zoom, 4, placement)
    y, x = match.similarity.apply(np.array([39.5, 39.5]))
    assert (y + 20, x + 40) == pytest.approx((101, 93), abs=0.6)
    assert 0.4 < match.usable < 0.95


@pytest.mark.parametrize(("thick", "first"), [(2, 12), (1, 0)])
def test_scans_of_as_many_slices_without_voxel_sizes(tmp_path: Path, thick: int, first: int) -> None:
    noise = gaussian_filter(np.random.default_rng(2).normal(size=(24 * thick, 128, 128)), (3, 4, 4)).astype(np.float32)
    wide = saved(tmp_path, "wide", noise.reshape(24, thick, 64, 2, 64, 2).mean((1, 3, 5)), None)
    zoom = saved(tmp_path, "zoom", noise[first : first + 24], None)
    project = paired(wide, zoom, factor=2, slices=(8, 12, 16)).project
    assert project.low.voxel_size[0] == thick
    assert [match.low_slice for match in project.matches] == [8, 12, 16]
    for match in project.matches:
        assert match.high_slice == pytest.approx(thick * (match.low_slice + 0.5) - 0.5 - first, abs=0.5)


@pytest.mark.parametrize("stated", [True, False])
def test_two_single_slices(tmp_path: Path, stated: bool) -> None:
    low = saved(tmp_path, "a", coarse()[4:5], 40.0 if stated else None)
    result = paired(low, saved(tmp_path, "b", FINE[11:12], 20.0 if stated else None), factor=2)
    assert away(result.project.matches[0].similarity) < 0.3
    assert load_pairs(result.project)[0].high.shape == (160, 160)


def test_one_fine_slice_finds_its_slice_of_a_volume(tmp_path: Path, low: Volume) -> None:
    single = saved(tmp_path, "single", FINE[FIRST + 8 : FIRST + 9], None)
    result = paired(low, single, factor=2)
    assert abs(result.project.matches[0].low_slice - 4) <= 1


@pytest.mark.parametrize("z", [11, 16])
def test_one_fine_slice_finds_its_slice_where_others_look_much_the_same(tmp_path: Path, z: int) -> None:
    noise = gaussian_filter(np.random.default_rng(1).normal(size=(48, 160, 160)), (16, 4, 4)).astype(np.float32)
    wide = noise.reshape(24, 2, 80, 2, 80, 2).mean((1, 3, 5))
    single = saved(tmp_path, "single", noise[2 * z : 2 * z + 2].mean(0), 20.0)
    result = paired(saved(tmp_path, "wide", wide, 40.0), single)
    assert [match.low_slice for match in result.project.matches] == [z]


def unsized(volume: Volume) -> Volume:
    return replace(volume, geometry=Geometry())


def test_what_does_not_go_together_is_refused(low: Volume, high: Volume, tmp_path: Path) -> None:
    other = saved(tmp_path, "other", grains(1), 20.0)
    with pytest.raises(UserError, match="No place was found that low and other both show"):
        paired(low, other)
    with pytest.raises(UserError, match="swapped; give the coarser volume first"):
        paired(high, low)
    with pytest.raises(UserError, match="finer than low: the two are swapped"):
        paired(unsized(high), unsized(low), factor=1)
    with pytest.raises(UserError, match="only 2 times finer; give factor 2"):
        paired(low, high, factor=4)
    with pytest.raises(UserError, match="give factor 2"):
        paired(unsized(low), unsized(high), factor=1)
    with pytest.raises(UserError, match="same voxels"):
        paired(low, low, method="pairs")
    with pytest.raises(UserError, match="inverted"):
        paired(low, saved(tmp_path, "negative", 1 - FINE, 20.0))
    with pytest.raises(UserError, match="do not overlap along z"):
        paired(low, replace(high, geometry=Geometry((20.0,) * 3, (9000.0, 0.0, 0.0), "nanometer")))


def test_a_long_and_a_short_exposure_are_told_apart(tmp_path: Path) -> None:
    fine = FINE[4:8, :160, :160]
    noise = np.random.default_rng(3).normal(0, 1, (2, *fine.shape)).astype(np.float32)
    long, short = (saved(tmp_path, name, fine + amount * noise[n], None) for n, (name, amount) in enumerate(AMOUNTS))
    assert len(paired(short, long, factor=1).project.matches) == 4
    with pytest.raises(UserError, match=r"None of 4 .* short is clearly noisier than long .* exchange them"):
        paired(long, short, factor=1)
    assert len(paired(long, short, method="halves").project.matches) == 4


@pytest.mark.parametrize(("value", "reason"), [(7.0, "is constant"), (np.nan, "has no finite grey value")])
def test_empty_volumes_are_refused(low: Volume, high: Volume, tmp_path: Path, value: float, reason: str) -> None:
    with pytest.raises(UserError, match=f"empty {reason}"):
        paired(low, saved(tmp_path, "empty", np.full((20, 192, 192), value, np.float32), 20.0))
    with pytest.raises(UserError, match=f"empty {reason}"):
        paired(saved(tmp_path, "empty", np.full((8, 80, 80), value, np.float32), 40.0), high)


def test_single_slices_are_refused_with_their_reason(low: Volume, high: Volume, tmp_path: Path) -> None:
    placement = place_volumes(low, high)
    data = coarse()
    data[2], data[3] = 5, np.nan
    data[5] = grains(3)[5, :80, :80]
    spoiled = saved(tmp_path, "spoiled", data, 40.0)
    here = replace(placement, low_range=IntensityRange(0, 1))
    for z, reason in ((2, "is constant"), (3, "no finite"), (5, "do not show the same thing"), (-1, "no slice")):
        with pytest.raises(PairRefused, match=reason):
            match_slice(spoiled, high, z, here)
    beyond = Placement(2, PLACE, 2.0, 50.0, placement.low_range, placement.high_range)
    with pytest.raises(PairRefused, match="lies outside of high"):
        match_slice(low, high, 4, beyond)


def test_a_slab_weighs_slices_by_their_share(tmp_path: Path) -> None:
    steps = np.arange(6, dtype=np.float32)[:, None, None] + np.linspace(0, 0.5, 64, dtype=np.float32).reshape(8, 8)
    scan = Scan(saved(tmp_path, "steps", steps, None), IntensityRange(0, 1))
    for position, thickness, value in ((2.5, 2, 2.5), (2.25, 1, 2.25), (3, 2, 3), (2.2, 0.5, 2.2)):
        slab = scan.slab(position, thickness)
        assert slab is not None
        assert slab[0, 0] == pytest.approx(value, abs=1e-5)
    assert scan.slab(7, 2) is None


def test_without_a_second_volume(low: Volume, tmp_path: Path) -> None:
    neighbours = paired(low, None).project
    assert neighbours.method == "neighbours"
    assert [match.high_slice for match in neighbours.matches] == [1, 2, 3, 4, 5, 6, 7, 6]
    pair = load_pairs(neighbours)[2]
    assert np.array_equal(pair.high, load_pairs(neighbours)[3].low)
    assert (pair.low_slice, pair.high_slice) == (2, 3)
    single = paired(saved(tmp_path, "one", coarse()[:1], None), None).project
    assert single.method == "blind-spot"
    assert single.matches[0].usable == 1
    holed = coarse()[:1]
    holed[:, :, :20] = np.nan
    assert paired(saved(tmp_path, "holed", holed, None), None).project.matches[0].usable == 0.75
    alone = load_pairs(single)[0]
    assert np.array_equal(alone.low, np.clip(alone.high, alone.low.min(), alone.low.max()))
    with pytest.raises(UserError, match="factor 1, not 2"):
        paired(low, None, factor=2)


def test_half_scans(tmp_path: Path) -> None:
    clean = coarse(0)
    noise = np.random.default_rng(1).normal(0, 0.2, (2, *clean.shape))
    one, other = (saved(tmp_path, f"half{n}", clean + noise[n], 40.0) for n in (0, 1))
    project = paired(one, other, method="halves").project
    assert project.high is not None
    assert project.high.range == project.low.range
    assert len(project.matches) == 8
    with pytest.raises(UserError, match="same voxels"):
        paired(one, one, method="halves")
    with pytest.raises(UserError, match="not on one grid"):
        paired(one, saved(tmp_path, "small", clean[:, :70], 40.0), method="halves")
    unrelated = saved(tmp_path, "unrelated", grains(4)[:8, :80, :80], 40.0)
    with pytest.raises(UserError, match="do not show the same thing"):
        paired(one, unrelated, method="halves")


def test_regions_say_where() -> None:
    square = ((1.0, 1.0), (1.0, 8.0), (8.0, 8.0), (8.0, 1.0))
    hole = ((3.0, 3.0), (3.0, 5.0), (5.0, 5.0), (5.0, 3.0))
    regions = (Region(hole, use=False), Region(square, low_slice=2))
    inside = allowed(regions, 2, (10, 10))
    assert inside[2, 2]
    assert not inside[4, 4]
    assert not inside[0, 0]
    elsewhere = allowed(regions, 3, (10, 10))
    assert elsewhere[0, 0]
    assert not elsewhere[4, 4]


def test_volumes_that_changed_or_are_gone(low: Volume, tmp_path: Path) -> None:
    project = paired(low, None).project
    beyond = replace(project, matches=(replace(project.matches[0], low_slice=8),))
    with pytest.raises(UserError, match=r"low\.npy has no slice 8, only 0 to 7; pair anew"):
        load_pairs(beyond)
    np.save(tmp_path / "low.npy", coarse())
    with pytest.raises(UserError, match="is not the volume that was paired"):
        load_pairs(project)
    (tmp_path / "low.npy").unlink()
    with pytest.raises(UserError, match="is gone"):
        load_pairs(project)


def test_it_can_be_stopped(low: Volume, high: Volume) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        paired(low, high, cancel=token)
