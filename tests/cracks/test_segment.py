"""Segmentation of a volume on disk: what the proposal gives, in blocks; what stands in the output; bad input."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import napari_nanoct.cracks.segment as segment
import napari_nanoct.cracks.slabs as slabs
from napari_nanoct import UserError, open_volume, segment_cracks
from napari_nanoct.cracks import propose
from napari_nanoct.cracks.blocks import Pieces, Rule
from napari_nanoct.cracks.classifier import CrackClassifier
from napari_nanoct.cracks.features import FeatureSettings, volume_features
from napari_nanoct.cracks.settings import HIGH, LOW, SegmentSettings
from napari_nanoct.jobs import Cancelled, CancelToken, Done, Progress
from napari_nanoct.volumes import OmeZarrWriter, intensity_range


@pytest.fixture(scope="module")
def cracked() -> NDArray[np.uint16]:
    """Two bright balls with a crack through each, in the dark."""
    z, y, x = np.ogrid[:56, :70, :116]
    grey = np.zeros((56, 70, 116))
    for middle in (28, 87):
        ball = (z - 28) ** 2 + (y - 35) ** 2 + (x - middle) ** 2 < 24**2
        crack = (np.abs(0.8 * (z - 28) + 0.4 * (y - 35) + 0.4 * (x - middle)) < 1.2) & (np.abs(y - 35) < 14)
        grey[ball & ~crack] = 1
    grey = gaussian_filter(grey, 0.7) + np.random.default_rng(0).normal(0, 0.03, grey.shape)
    return np.rint(2000 + 10000 * grey).clip(0).astype(np.uint16)


def whole(grey: NDArray[np.uint16], mask: NDArray[np.bool_] | None = None) -> NDArray[np.int32]:
    volume = open_volume(grey)
    return propose(intensity_range(volume).normalise(grey), (1.0, 1.0, 1.0), mask=mask).labels


def test_blocks_give_what_the_whole_gives(
    cracked: NDArray[np.uint16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slabs, "DEEPEST", 16)
    monkeypatch.setattr(slabs, "BLOCK", 1)
    monkeypatch.setattr(slabs, "NARROWEST", 40)
    expected = whole(cracked)
    assert expected.max() == 2
    labels = segment_cracks(cracked, tmp_path / "cracks.ome.zarr")
    assert labels.dtype == np.int32
    assert np.array_equal(np.asarray(labels.data), expected)
    record = labels.metadata["nanoct"]
    assert (record["job"], record["cracks"], record["message"]) == ("segment", 2, "2 cracks.")
    assert [path.name for path in tmp_path.iterdir()] == ["cracks.ome.zarr"]


@pytest.mark.parametrize(("side", "depth"), [(100, 64), (1024, 64), (2048, 32), (3000, 16), (20_000, 16)])
def test_slabs_are_as_deep_as_their_scores_may_be_many(side: int, depth: int) -> None:
    assert slabs.slab_depth((500, side, side)) == depth


@pytest.mark.parametrize("depth", [1, 16, 64, 98, 200])
def test_blocks_of_any_depth_take_as_much_memory(depth: int) -> None:
    side = slabs.tile_side(depth, 17) + 2 * 17
    assert 0.9 * slabs.BLOCK < depth * side**2 <= slabs.BLOCK
    assert slabs.tile_side(10 * slabs.BLOCK, 17) == slabs.NARROWEST


@pytest.mark.parametrize(("dtype", "outside", "inside"), [("u1", 0, 1), ("i1", 0, -1), ("f4", np.nan, 1)])
def test_a_mask_on_disk(cracked: NDArray[np.uint16], tmp_path: Path, dtype: str, outside: float, inside: float) -> None:
    mask = np.zeros(cracked.shape, np.uint8)
    mask[:, 8:60, 66:108] = 1
    np.save(tmp_path / "mask.npy", np.where(mask, inside, outside).astype(dtype))
    options = {"mask": tmp_path / "mask.npy", "measure": tmp_path / "cracks.csv"}
    labels = segment_cracks(cracked, tmp_path / "cracks.ome.zarr", **options)
    figures = (tmp_path / "cracks_whole.csv").read_text("utf-8-sig").splitlines()
    assert f"volume of the sample,{mask.sum()},voxel3" in figures
    assert any(line.startswith("source: mask,") for line in figures)
    found = np.asarray(labels.data)
    assert np.array_equal(found, whole(cracked, mask > 0))
    assert found.any()
    assert not found[mask == 0].any()


def test_a_classifier_in_blocks_is_the_classifier_on_the_whole(
    cracked: NDArray[np.uint16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slabs, "DEEPEST", 16)
    monkeypatch.setattr(slabs, "BLOCK", 1)
    monkeypatch.setattr(slabs, "NARROWEST", 40)
    small = np.ascontiguousarray(cracked[:40, :50, :60])
    volume = open_volume(small)
    intensity = intensity_range(volume)
    grey = intensity.normalise(small)
    names = ("crack", "pore", "background")
    settings = FeatureSettings((0.7, 1.6))
    features = volume_features(grey, (1.0, 1.0, 1.0), settings)
    crack = whole(cracked)[:40, :50, :60] > 0
    taught = np.where(crack, 1, 3).astype(np.uint8)[::2, ::2, ::2].ravel()
    rows = features[:, ::2, ::2, ::2].reshape(len(features), -1).T
    classifier = CrackClassifier.train(rows, taught, names, settings, intensity, geometry=volume.geometry)
    classifier.save(tmp_path / "trees.json")
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    found = np.asarray(segment_cracks(small, tmp_path / "c.ome.zarr", classifier="~/trees.json").data)
    pieces = Pieces(Rule(LOW, HIGH, 12))
    labels = pieces.add(classifier.probabilities(features)[0])
    assert np.array_equal(found, pieces.numbers()[labels])
    assert ((found > 0) & crack).sum() > 0.8 * crack.sum()


def test_a_sound_volume_gives_an_empty_image_and_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(100, 5, (20, 40, 40)).astype(np.float32)
    labels = segment_cracks(noise, tmp_path / "cracks.ome.zarr")
    assert not np.asarray(labels.data).any()
    assert labels.metadata["nanoct"]["message"].startswith("No clear cracks")


def test_one_slice_with_values_that_are_not_finite(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    plane = cracked[28].astype(np.float32)
    plane[:8] = np.nan
    found = np.asarray(segment_cracks(plane, tmp_path / "cracks.ome.zarr").data)
    assert found.shape == (1, *plane.shape)
    assert found.max() >= 1
    assert not found[0, :8].any()


def told(table: Path, column: str) -> dict[str, str]:
    """What a table says of the crack in either ball."""
    with table.open(encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        return {"right" if float(row["centre_x_voxel"]) > 58 else "left": row[column] for row in rows}


def test_measured_cracks_stand_in_a_table(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    pores = np.zeros(cracked.shape, np.uint8)
    pores[20:36, 30:40, :40] = 1  # through the first crack
    np.save(tmp_path / "pores.npy", pores)
    options = {"measure": tmp_path / "cracks.csv", "pores": tmp_path / "pores.npy"}
    segment_cracks(cracked, tmp_path / "cracks.ome.zarr", **options)
    assert told(tmp_path / "cracks.csv", "touches_pores") == {"left": "yes", "right": "no"}


def test_cracks_that_the_original_lacks_are_told_in_the_table(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    before = cracked.copy()
    before[..., 58:] = np.where(before[..., 58:] > 4000, 12_000, 2000)  # the second ball had no crack
    z, y, x = np.ogrid[:56, :70, :116]
    before[(z - 28) ** 2 + (y - 35) ** 2 + (x - 87) ** 2 < 24**2] = 12_000
    before = before + np.random.default_rng(1).normal(0, 300, before.shape)
    np.save(tmp_path / "before.npy", before)
    options = {"measure": tmp_path / "cracks.csv", "original": tmp_path / "before.npy"}
    segment_cracks(cracked, tmp_path / "cracks.ome.zarr", **options)
    assert told(tmp_path / "cracks.csv", "only_enhanced") == {"left": "no", "right": "yes"}
    assert "before.npy" in (tmp_path / "cracks_whole.csv").read_text()


def test_a_full_disk_is_one_sentence(
    cracked: NDArray[np.uint16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OmeZarrWriter, "write", full)
    with pytest.raises(UserError, match=r"cracks.ome.zarr.partial could not be written .*No space left"):
        segment_cracks(cracked[28], tmp_path / "cracks.ome.zarr")
    monkeypatch.setattr(Pieces, "add", full)
    with pytest.raises(UserError, match=r"could not be written .*No space left"):
        segment_cracks(cracked[28], tmp_path / "others.ome.zarr")


def test_the_geometry_is_the_inputs(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    volume = open_volume(cracked, voxel_size=(40.0, 20.0, 20.0), unit="nm")
    labels = segment_cracks(volume, tmp_path / "cracks.ome.zarr")
    assert labels.geometry == volume.geometry


def test_progress_and_cancel(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    settings, cancel = SegmentSettings("array", str(tmp_path / "cracks.ome.zarr")), CancelToken()
    job = segment.segment_volume(settings, cancel, open_volume(cracked))
    assert all(isinstance(next(job), Progress) for _ in range(3))
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(job)
    assert [path.name for path in tmp_path.iterdir()] == ["cracks.ome.zarr.partial"]
    again = SegmentSettings("array", str(tmp_path / "cracks.ome.zarr"), overwrite=True)
    events = list(segment.segment_volume(again, volume=open_volume(cracked)))
    assert isinstance(events[-1], Done)
    assert [event.done for event in events if isinstance(event, Progress)][-1] == len(cracked)


def test_labels_that_cannot_be_measured_are_kept_and_the_sentence_says_so(
    cracked: NDArray[np.uint16], tmp_path: Path
) -> None:
    output, table = tmp_path / "cracks.ome.zarr", tmp_path / "cracks.csv"
    z, y, x = (slice(10, 46), slice(20, 50), slice(10, 46))
    bright = (14_000 - cracked.astype(np.int32)).clip(0)[z, y, x]
    segment_cracks(cracked[28], output)
    intensity = intensity_range(open_volume(bright))
    settings = FeatureSettings((0.7, 1.6))
    features = volume_features(intensity.normalise(bright), (1.0, 1.0, 1.0), settings)
    taught = np.where(bright > 8000, 1, 3).astype(np.uint8)
    rows = features.reshape(len(features), -1).T[::3]
    names = ("crack", "pore", "background")
    CrackClassifier.train(rows, taught.ravel()[::3], names, settings, intensity).save(tmp_path / "trees.json")
    options = {"classifier": tmp_path / "trees.json", "measure": table, "overwrite": True}
    with pytest.raises(
        UserError, match=r"cracks\.ome\.zarr is written, but .*cracks\.csv is not \(Empty cracks .*open it"
    ):
        segment_cracks(bright, output, **options)
    labels = open_volume(output)
    assert labels.shape == bright.shape
    assert labels.metadata["nanoct"]["cracks"] == np.asarray(labels.data).max() > 0
    assert not table.exists()
    again = segment_cracks(bright, output, dark=False, **options)
    assert table.exists()
    assert again.metadata["nanoct"]["notes"] == []
    bright[:, :, 22:] += 40_000
    (note,) = segment_cracks(bright, output, dark=False, **options).metadata["nanoct"]["notes"]
    assert "for grey values of" in note


def test_a_cancel_while_measuring_leaves_the_old_output(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    output, table, cancel = tmp_path / "cracks.ome.zarr", tmp_path / "cracks.csv", CancelToken()
    segment_cracks(cracked[28], output)
    settings = SegmentSettings("array", str(output), measure=str(table), overwrite=True)
    job = segment.segment_volume(settings, cancel, open_volume(cracked))
    assert any(event.unit == "blocks" for event in job)  # and stops there
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(job)
    assert open_volume(output).shape == (1, *cracked.shape[1:])
    assert not table.exists()


@pytest.mark.parametrize("name", ["cracks.csv", "cracks_whole.csv"])
def test_a_table_that_is_there_stays_unless_it_may_be_replaced(
    cracked: NDArray[np.uint16], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=rf"{name} is there already"):
        segment_cracks(cracked, tmp_path / "cracks.ome.zarr", measure=tmp_path / "cracks.csv")
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]
    segment_cracks(cracked, tmp_path / "cracks.ome.zarr", measure=tmp_path / "cracks.csv", overwrite=True)
    assert (tmp_path / name).read_text("utf-8-sig").startswith(("id,", "quantity,"))


def test_what_cannot_be_done_is_said_in_a_sentence(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    output = tmp_path / "cracks.ome.zarr"
    np.save(tmp_path / "small.npy", np.ones((4, 4, 4), np.uint8))
    np.save(tmp_path / "empty.npy", np.zeros(cracked.shape, np.uint8))
    np.save(tmp_path / "input.npy", cracked)
    volume_on_disk = tmp_path / "input.zarr"
    zarr.save_array(str(volume_on_disk), cracked[:4])
    with pytest.raises(UserError, match=r"ends in \.ome\.zarr"):
        segment_cracks(cracked, tmp_path / "cracks.tif")
    with pytest.raises(UserError, match="has shape"):
        segment_cracks(cracked, output, mask=tmp_path / "small.npy")
    with pytest.raises(UserError, match="is empty"):
        segment_cracks(cracked, output, mask=tmp_path / "empty.npy")
    np.save(tmp_path / "flat.npy", np.ones((4, 9, 9), np.uint8))
    with pytest.raises(UserError, match=r"all voxels of .*flat\.npy are equal"):
        segment_cracks(tmp_path / "flat.npy", output)
    with pytest.raises(UserError, match="no finite voxel"):
        segment_cracks(np.full((4, 9, 9), np.nan), output)
    with pytest.raises(UserError, match="does not exist; make it"):
        segment_cracks(cracked, output, measure=tmp_path / "nowhere" / "cracks.csv")
    with pytest.raises(UserError, match=r"ends in \.csv"):
        segment_cracks(cracked, output, measure=tmp_path / "input.npy")
    with pytest.raises(UserError, match="name a table"):
        segment_cracks(cracked, output, original=tmp_path / "input.npy")
    scan = open_volume(cracked, voxel_size=(40.0, 40.0, 40.0), unit="nm")
    with pytest.raises(UserError, match="“input” has no unit of length"):
        segment_cracks(scan, output, measure=tmp_path / "cracks.csv", original=tmp_path / "input.npy")
    with pytest.raises(UserError, match=r"\(--pores\) is for measuring alone"):
        segment_cracks(cracked, output, pores=tmp_path / "input.npy")
    with pytest.raises(UserError, match=r"image of pores .* has shape"):
        segment_cracks(cracked, output, measure=tmp_path / "cracks.csv", pores=tmp_path / "small.npy")
    with pytest.raises(UserError, match="lies inside the input"):
        segment_cracks(volume_on_disk, volume_on_disk / "cracks.zarr")
    with pytest.raises(UserError, match="sensitivity"):
        segment_cracks(cracked, output, sensitivity=2)
    with pytest.raises(UserError, match="probabilities"):
        segment_cracks(cracked, output, low=0.9)
    with pytest.raises(UserError, match="a sensitivity counts for nothing with a classifier"):
        segment_cracks(cracked, output, sensitivity=0.7, classifier=tmp_path / "unread.json")
    with pytest.raises(UserError, match="high and low are a classifier's"):
        segment_cracks(cracked, output, low=0.3)
    assert not output.exists()


def test_an_output_is_not_replaced_unless_asked_for(cracked: NDArray[np.uint16], tmp_path: Path) -> None:
    plane = cracked[28]
    first = np.asarray(segment_cracks(plane, tmp_path / "cracks.ome.zarr").data)
    with pytest.raises(UserError, match="is there already"):
        segment_cracks(plane, tmp_path / "cracks.ome.zarr")
    again = segment_cracks(plane, tmp_path / "cracks.ome.zarr", overwrite=True)
    assert np.array_equal(np.asarray(again.data), first)


def test_the_arguments_are_those_of_the_shell() -> None:
    assert SegmentSettings("a.zarr", "b.zarr").arguments() == ["segment", "a.zarr", "b.zarr"]
    settings = SegmentSettings("-a", "b", "c.json", 0.5, "m", False, 0.9, 0.3, "t.csv", "o", True, "p")
    assert " ".join(settings.arguments()) == (
        "segment ./-a b --classifier c.json --mask m --bright --high 0.9 --low 0.3 --measure t.csv --original o "
        "--overwrite --pores p"
    )
    settings = SegmentSettings("a.zarr", "b.zarr", sensitivity=0.7)
    assert settings.arguments() == ["segment", "a.zarr", "b.zarr", "--sensitivity", "0.7"]
