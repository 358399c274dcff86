"""``nanoct evaluate``: tables, files, the crack experiment, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
from tifffile import imwrite
from typer.testing import CliRunner

from napari_nanoct.cli import app
from napari_nanoct.errors import UserError
from napari_nanoct.utsr.catalogue import SHIPPED


def run(*words: object) -> str:
    result = CliRunner().invoke(app, ["evaluate", *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[:64, :64] - 31.5
    return np.where(np.hypot(y, x) < 20, 900, 200).astype(np.uint16)


def test_scores_a_tomogram_and_keeps_table_and_picture(tmp_path: Path, disc: np.ndarray) -> None:
    imwrite(tmp_path / "disc.tif", disc)
    output = run(tmp_path / "disc.tif", "--degrade", "bicubic", "--scale", 2, "-o", tmp_path / "out")
    assert "bicubic, x2" in output
    assert "disc.tif" in output
    found = rows(tmp_path / "out" / "scores.csv")
    assert [row["method"] for row in found] == ["bicubic", "utsr-light"]
    assert float(found[0]["psnr"]) > 20
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["disc.tif-bicubic-1-x2.png"]
    before = (tmp_path / "out" / "scores.csv").read_bytes()
    with pytest.raises(UserError, match="holds the scores of an earlier run"):
        run(tmp_path / "disc.tif", "-o", tmp_path / "out")
    assert (tmp_path / "out" / "scores.csv").read_bytes() == before
    run(tmp_path / "disc.tif", "-o", tmp_path / "out", "--overwrite")
    assert {row["protocol"] for row in rows(tmp_path / "out" / "scores.csv")} == {"blind"}


def test_baselines_and_grid_dependence(tmp_path: Path, disc: np.ndarray) -> None:
    imwrite(tmp_path / "disc.tif", disc)
    output = run(tmp_path / "disc.tif", "--baselines", "--grid", "-o", tmp_path / "out")
    methods = {row["method"] for row in rows(tmp_path / "out" / "scores.csv")}
    assert methods - {"bm3d"} == {"input", "non-local means", "total variation", "utsr-light"}
    assert "bm3d" in methods or "Without bm3d, which is not installed" in output
    assert "Change when the input is moved" in output


def test_models_of_one_name_are_told_apart(tmp_path: Path, disc: np.ndarray, data: Path) -> None:
    other = tmp_path / "utsr-light.safetensors"
    copy(SHIPPED / "utsr-light-x2.safetensors", other)
    imwrite(data / "ct" / "c" / "1.tif", disc)
    index = data / "ct" / "index.csv"
    index.write_text(index.read_text().replace("c,val", "cell c/d,val"))
    words = [data / "ct", "--degrade", "bicubic", "--scale", 2, "--model", "utsr-light", "--model", other]
    run(*words, "-o", tmp_path / "out")
    found = rows(tmp_path / "out" / "scores.csv")
    assert [row["method"] for row in found] == ["bicubic", "utsr-light", str(other)]
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["cell c-d-bicubic-1-x2.png"]


def test_scores_are_kept_where_a_slice_is_too_small_for_the_grid(tmp_path: Path, disc: np.ndarray) -> None:
    imwrite(tmp_path / "disc.tif", disc[16:48, 16:48])
    words = [tmp_path / "disc.tif", "--degrade", "bicubic", "--scale", 4, "--grid", "-o", tmp_path / "out"]
    with pytest.raises(UserError, match="Grid dependence needs a slice larger"):
        run(*words)
    assert len(rows(tmp_path / "out" / "scores.csv")) == 2


def test_scores_a_measured_pair(tmp_path: Path, disc: np.ndarray) -> None:
    imwrite(tmp_path / "high.tif", disc)
    imwrite(tmp_path / "low.tif", (disc.reshape(32, 2, 32, 2).mean((1, 3)) * 3 + 50).astype(np.float32))
    output = run("--low", tmp_path / "low.tif", "--high", tmp_path / "high.tif", "--scale", 2)
    assert "measured, x2" in output


def test_scores_cracks_at_every_level(tmp_path: Path, data: Path) -> None:
    cracks = np.zeros((64, 64), np.uint8)
    cracks[12:52, 30:33] = 1
    for name, page in (("2", 800 - 700 * cracks.astype(np.uint16)), ("2_cracks", cracks), ("2_particles", cracks | 1)):
        imwrite(data / "ct" / "c" / f"{name}.tif", page)
    with (data / "ct" / "index.csv").open("a") as index:
        index.write("\nc/2.tif,c,val,1")
    output = run(data / "ct", "--cracks", "-o", tmp_path)
    assert "F1 at 1 px" in output
    found = rows(tmp_path / "cracks.csv")
    assert [(row["level"], row["method"]) for row in found] == [
        (level, method) for level in "012" for method in ("input", "utsr-light")
    ]
    assert all(float(row["f1"]) > 0.3 for row in found if row["level"] == "0")


def test_refuses_what_cannot_be_scored(tmp_path: Path, data: Path) -> None:
    (tmp_path / "file").touch()
    for words, message in (
        ([], "Give either slices"),
        (["phantom:1", "-o", tmp_path / "file"], "file is a file; give a folder"),
        (["phantom:1", "-o", tmp_path / "file" / "in"], "in could not be written"),
        (["a.tif", "--low", "b.tif"], "Give either slices"),
        (["--low", "b.tif"], "Give either slices"),
        (["--low", "b.tif", "--high", "a.tif", "--cracks"], "--cracks needs slices whose cracks are known"),
        (["phantom:1", "--degrade", "bicubic"], "changes nothing at factor 1"),
        (["phantom:one"], "is not a phantom"),
        ([data / "ct", "--cracks"], "ct has no known cracks; give phantom:SEED"),
        (["phantom:1", "--scale", 0], "There is no factor 0; choose 1, 2 or 4"),
    ):
        with pytest.raises(UserError, match=message):
            run(*words)
