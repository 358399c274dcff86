"""``nanoct pair`` as it is run from a shell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from napari_nanoct.cli import app
from napari_nanoct.cli.pair import parse_common, parse_slices
from napari_nanoct.errors import UserError
from napari_nanoct.finetune.project import load_project

RUNNER = CliRunner(env={"COLUMNS": "160"})


@pytest.fixture(autouse=True)
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = gaussian_filter(np.random.default_rng(0).normal(size=(4, 160, 160)), (1, 3, 3)).astype(np.float32)
    noise = np.random.default_rng(1).normal(0, 0.02, (4, 80, 80))
    np.save(tmp_path / "high.npy", image)
    np.save(tmp_path / "low.npy", image.reshape(4, 80, 2, 80, 2).mean((2, 4)) + 0.1 * image.std() * noise)
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> str:
    result = RUNNER.invoke(app, ["pair", *words])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_two_scans(tmp_path: Path) -> None:
    shown = run("low.npy", "high.npy", "-o", "p.json", "--slices", "0,2,9", "--overlay", "seen")
    assert "left out: low has no slice 9" in shown
    assert "2 pairs at factor 2, method pairs." in shown
    assert [match.low_slice for match in load_project(tmp_path / "p.json").matches] == [0, 2]
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["slice-00000.png", "slice-00002.png"]


def test_refused_slices_are_shown_also_where_none_is_left(tmp_path: Path) -> None:
    low = np.load("low.npy")
    low[[1, 3]] = gaussian_filter(np.random.default_rng(5).normal(size=(2, 80, 80)), (0, 2, 2))
    np.save("spoiled.npy", low)
    run("spoiled.npy", "high.npy", "-o", "p.json", "--slices", "0,1", "--overlay", "some")
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == [
        "slice-00000.png",
        "slice-00001-left-out.png",
    ]
    with pytest.raises(UserError, match="None of 2 slices can be used"):
        run("spoiled.npy", "high.npy", "-o", "q.json", "--slices", "1,3", "--overlay", "none")
    assert sorted(path.name for path in (tmp_path / "none").iterdir()) == [
        "slice-00001-left-out.png",
        "slice-00003-left-out.png",
    ]
    assert not (tmp_path / "q.json").exists()


def test_one_scan_says_what_is_assumed(tmp_path: Path) -> None:
    shown = run("low.npy", "-o", "p.json")
    assert "4 pairs at factor 1, method neighbours." in shown
    assert "agreement" in shown
    assert "noise is independent" in shown
    with pytest.raises(UserError, match="--overwrite"):
        run("low.npy", "-o", "p.json", "--blind-spot")
    shown = run("low.npy", "-o", "p.json", "--blind-spot", "--overwrite")
    assert "method blind-spot" in shown
    assert "agreement" not in shown  # a slice with itself


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("low.npy", "-o", "p.txt"), r"\.json"),
        (("low.npy", "-o", "low.npy/pairs.json"), r"low\.npy is no folder"),
        (("low.npy", "--overlay", "low.npy"), r"low\.npy is no folder"),
        (("low.npy", "--halves"), "--halves takes two"),
        (("low.npy", "none.npy"), "no such file"),
        (("low.npy", "high.npy", "--blind-spot"), "Method blind-spot takes one volume"),
        (("low.npy", "low.npy"), "same voxels"),
        (("low.npy", "high.npy", "--common", "1,2=3,4"), "z,y,x=z,y,x"),
        (("low.npy", "high.npy", "--slices", "a:b"), "not understood"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        run(*words)
    assert not list(tmp_path.glob("*.json"))


def test_slices_and_places_are_read() -> None:
    assert parse_slices("2:8:3", 10) == [2, 5]
    assert parse_slices(":3", 10) == [0, 1, 2]
    assert parse_slices("7,1", 10) == [7, 1]
    assert parse_common("1,2,3=4,5.5,6") == ((1, 2, 3), (4, 5.5, 6))
    with pytest.raises(UserError, match="none of the 10"):
        parse_slices("20:30", 10)
