import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_nanoct.cli import app
from napari_nanoct.cli.demo import viewer
from napari_nanoct.cli.demo.files import DemoFiles, open_folder
from napari_nanoct.cli.demo.picture import find_crack
from napari_nanoct.errors import UserError
from napari_nanoct.phantoms import phantom
from napari_nanoct.volumes import open_volume

SHAPE = (18, 64, 72)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Tiny networks, not trained: they answer with the input, enlarged bicubically."""
    import torch

    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    paths = {}
    for scale in (1, 2):
        torch.manual_seed(0)
        network = build(PRESETS["tiny"], scale=scale)
        paths[scale] = tmp_path_factory.mktemp("models") / f"tiny-x{scale}.safetensors"
        card = Card(name="tiny", scale=scale, period=network.period, halo=network.period, network={})
        save_checkpoint(paths[scale], network, card)
    return paths


def _demo(folder: Path, model: Path, *more: str, shape: tuple[int, int, int] = SHAPE):
    words = ["demo", "--output", str(folder), "--model", str(model), "--shape", ",".join(map(str, shape)), *more]
    return CliRunner().invoke(app, words, env={"COLUMNS": "200"}, catch_exceptions=True)


@pytest.mark.parametrize("scale", [1, 2])
def test_demo_end_to_end_and_again(tmp_path: Path, models: dict[int, Path], scale: int) -> None:
    folder = tmp_path / "made" / "demo"
    done = _demo(folder, models[scale])
    assert done.exit_code == 0, done.output
    files = DemoFiles(folder)
    for word in ("PSNR", "SSIM", "Mvoxel/s", "input", f"UTSR (tiny x{scale})", str(files.picture), str(files.enhanced)):
        assert word in done.output
    assert ("bicubic" in done.output) == (scale == 2)

    low, truth, cracks, enhanced = (open_volume(p) for p in (files.low, files.truth, files.cracks, files.enhanced))
    assert truth.shape == cracks.shape == enhanced.shape == SHAPE
    assert low.shape == (SHAPE[0], SHAPE[1] // scale, SHAPE[2] // scale)
    assert low.dtype == truth.dtype == enhanced.dtype == np.uint16
    assert truth.geometry.unit == "nanometer"
    assert np.asarray(cracks.data).max() == 1
    # All of them lie in the same place.
    for volume in (low, cracks, enhanced):
        np.testing.assert_allclose(volume.geometry.corners(volume.shape), truth.geometry.corners(truth.shape))
    record = json.loads(files.record.read_text(encoding="utf-8"))
    assert record["status"] == "complete"
    figures = [row["psnr"] for row in record["figures"]]
    assert all(10 < figure < 40 for figure in figures)
    # The tiny network adds nothing to the input or to bicubic, but for its own rounding.
    assert figures[-1] == pytest.approx(figures[-2], abs=0.05)
    assert files.picture.read_bytes()[:4] == b"\x89PNG"

    (folder / "notes.txt").write_text("mine")
    again = _demo(folder, models[scale])
    assert again.exit_code == 0, again.output
    assert (folder / "notes.txt").read_text() == "mine"
    assert json.loads(files.record.read_text(encoding="utf-8"))["figures"][0]["psnr"] == figures[0]


def test_a_file_for_a_folder_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"taken is a file; give --output a folder"):
        open_folder(tmp_path / "taken")


def test_a_folder_inside_a_file_gets_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(UserError, match=r"taken/demo cannot be written .*; give --output another folder"):
        open_folder(tmp_path / "taken" / "demo")


def test_files_of_others_are_not_touched(tmp_path: Path, models: dict[int, Path]) -> None:
    (tmp_path / "truth.ome.zarr").mkdir()
    (tmp_path / "truth.ome.zarr" / "theirs").write_text("theirs")
    done = _demo(tmp_path, models[1])
    assert isinstance(done.exception, UserError)
    assert "is not from a demo" in str(done.exception)
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["theirs", "truth.ome.zarr"]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--shape", "4,64"], "give z,y,x"),
        (["--shape", "4,64,8"], "too small"),
        (["--scale", "2"], "enlarges by 1, not by 2"),
    ],
)
def test_wrong_options_get_a_sentence_and_leave_nothing(
    tmp_path: Path, models: dict[int, Path], more: list[str], sentence: str
) -> None:
    done = _demo(tmp_path / "demo", models[1], *more)
    assert isinstance(done.exception, UserError)
    assert sentence in str(done.exception)
    assert not (tmp_path / "demo").exists()


def test_the_crack_of_the_picture_stands_alone_in_its_particle() -> None:
    made = phantom((20, 224, 224), seed=0)
    spot = find_crack(made)
    distance, points = spot.line()
    rows, columns = np.rint(points).astype(int)
    inside = (made.particles & ~made.pores)[spot.z, rows, columns]
    assert inside.mean() > 0.95
    clean = made.clean[spot.z, rows, columns]
    assert clean[np.abs(distance) < 0.5].min() < 0.4 * np.median(clean)
    assert made.crack_share[spot.z, rows, columns][np.abs(distance) > 5].max() < 0.2
    assert np.hypot(*spot.across) == pytest.approx(1)


def test_a_phantom_without_cracks_still_has_a_picture_spot() -> None:
    spot = find_crack(phantom((4, 40, 40), seed=0, cracks=False))
    assert (spot.z, spot.y, spot.x) == (2, 20, 20)


def test_view_without_qt_or_screen_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="needs a Qt"):
        viewer.check()
    monkeypatch.setattr(viewer, "find_spec", lambda name: SimpleNamespace())
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(UserError, match="needs a screen"):
        viewer.check()
    monkeypatch.setenv("DISPLAY", ":1")
    viewer.check()


def test_view_starts_napari_on_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        started.append(command)
        return SimpleNamespace(returncode=len(started) - 1)

    monkeypatch.setattr(subprocess, "run", run)
    paths = DemoFiles(tmp_path).volumes
    viewer.show(paths)
    assert started[0][:3] == [sys.executable, "-m", "napari"]
    assert started[0][3:7] == [str(path) for path in paths]
    with pytest.raises(UserError, match="could not show"):
        viewer.show(paths)
