"""The file of pairs: the same after writing and reading, movable with its volumes, refused with one sentence."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.project import Match, Project, Region, Source, load_project, save_project
from napari_nanoct.training.register import Similarity

SOURCE = Source("/elsewhere/high.tif", (20.0, 20.0, 20.0), "nm", (0.0, 1.0), "cd")


def project(folder: Path) -> Project:
    low = Source(str(folder / "low.tif"), (40.0, 40.0, 40.0), "nm", (1.5, 900.0), "ab")
    match = Match(3, 7.25, Similarity(2.01, -1.5, (10.0, 11.0), (22.0, 20.5)), 0.9, 0.05, 0.93, 0.8)
    regions = (Region(((0.0, 0.0), (0.0, 9.0), (9.0, 9.0)), use=False, low_slice=3),)
    return Project("pairs", 2, low, SOURCE, (match, Match(4, 8.25, Similarity(1.9))), regions)


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    save_project(project(tmp_path), tmp_path / "pairs.json")
    assert load_project(tmp_path / "pairs.json") == project(tmp_path)
    lines = (tmp_path / "pairs.json").read_text().splitlines()
    assert sum(line.startswith('  {"low_slice": ') for line in lines) == 2  # a slice on a line


def test_moves_with_its_volume(tmp_path: Path) -> None:
    save_project(project(tmp_path / "here"), tmp_path / "here" / "pairs.json")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = load_project(tmp_path / "there" / "pairs.json")
    assert Path(moved.low.path) == tmp_path / "there" / "low.tif"
    assert moved.high is not None
    assert moved.high.path == "/elsewhere/high.tif"


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"kind": "recipe"},
        {"matches": []},
        {"matches": [{"low_slice": 1}]},
        {"factor": 3},
        {"factor": 4},  # the second volume is but twice as fine
        {"method": "guess"},
        {"matches": [{**asdict(Match(1, 1.0)), "low_slice": "first"}]},
        {"low": None},
        {"high": None},  # the method takes two volumes
        {"method": "halves", "factor": 1},  # slice 3 against 7.25
        {"method": "neighbours", "factor": 1},  # with a second volume
        {"low": {**asdict(SOURCE), "range": [5, 5]}},
        {"matches": [{**asdict(Match(1, 1.0)), "gain": float("nan")}]},
    ],
)
def test_another_file_is_refused(tmp_path: Path, change: dict) -> None:
    path = tmp_path / "pairs.json"
    save_project(project(tmp_path), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=r"pairs\.json is not a file of pairs"):
        load_project(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no JSON text"),
        (b"[]", "no JSON text"),
        (b"II*\x00\xfe\xff\x80", "no JSON text"),  # a TIFF
        (b'{"kind": "\xff', "cut off or damaged"),
        (b"{", "cut off or damaged"),
        (b"{}", "something else"),
    ],
)
def test_no_project_at_all(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "scan.tif"
    with pytest.raises(UserError, match="does not exist; make one with 'nanoct pair"):
        load_project(path)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"scan\.tif is not a file of pairs but .*give the \.json file") as caught:
        load_project(path)
    assert what in str(caught.value)
    assert "codec" not in str(caught.value)
    with pytest.raises(UserError, match="but a folder"):
        load_project(tmp_path)


def test_what_an_editor_puts_in_front_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    save_project(project(tmp_path), path)
    path.write_text(path.read_text(), encoding="utf-8-sig")
    assert load_project(path) == project(tmp_path)


def test_a_similarity_keeps_its_common_point_and_turns_y_towards_x() -> None:
    place = Similarity(2.0, 90.0, (10.0, 20.0), (5.0, 6.0))
    assert tuple(place.apply((10.0, 20.0))) == pytest.approx((5.0, 6.0))
    assert tuple(place.apply((11.0, 20.0))) == pytest.approx((5.0, 8.0))
