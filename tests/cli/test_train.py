"""``nanoct train``: from the shell to weights, logs and their picture, in pieces."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_nanoct.cli import app
from napari_nanoct.errors import UserError
from napari_nanoct.phantoms import Cathode
from napari_nanoct.utsr import read_card

RECIPE = """network = "tiny"
scale = 2
seed = 5
[[stage]]
steps = 3
natural = 0.5
rate = 1e-3
patch = 16
batch = 2
"""


def test_a_training_in_pieces(data: Path, tmp_path: Path) -> None:
    recipe, output = tmp_path / "mine.toml", tmp_path / "run"
    recipe.write_text(RECIPE)
    words = ["train", str(recipe), "--data", str(data), "--output", str(output)]
    first = CliRunner().invoke(app, [*words, "--minutes", "0"], catch_exceptions=False)
    assert first.exit_code == 0
    assert "Stopped after 0 min; continue with: nanoct train" in first.output
    second = CliRunner().invoke(app, [*words, "--resume"], catch_exceptions=False)
    assert "step 3 of 3" in second.output
    gains = read_card(output / "tiny-x2.safetensors").quality["validation_gain_db"]
    assert set(gains) == {"bicubic", "blind", "sinogram"}
    assert all(np.isfinite(gain) for gain in gains.values())
    table = np.genfromtxt(output / "validation.csv", delimiter=",", names=True)
    assert table["step"] == pytest.approx([1, 3])
    assert (output / "log.png").read_bytes().startswith(b"\x89PNG")


def test_phantoms_are_counted_and_natural_pictures_needed_for_their_share_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(data / "natural")
    recipe, output = tmp_path / "mine.toml", tmp_path / "run"
    words = ["train", str(recipe), "--data", str(data), "--output", str(output)]
    recipe.write_text(RECIPE)
    with pytest.raises(UserError, match=r"natural.index\.csv does not exist; give the data folder"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    blocks = np.kron(np.random.default_rng(0).random((24, 12, 12)), np.ones((1, 8, 8)))
    widest = []

    def phantom(shape: tuple[int, ...], *, seed: int, cathode: Cathode) -> SimpleNamespace:
        widest.append(cathode.cracks.aperture[1])
        return SimpleNamespace(clean=blocks)

    monkeypatch.setattr("napari_nanoct.phantoms.phantom", phantom)
    recipe.write_text(
        RECIPE.replace("natural = 0.5", "natural = 0.0\nphantom = 0.5").replace("seed", "phantoms = 2\nseed")
    )
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert "phantom 1 of 2\nphantom 2 of 2\nstep 3 of 3" in result.output
    assert widest[1] < widest[0] / 2  # every second one has thin cracks alone


def test_a_device_that_does_not_exist_is_named_before_anything_is_made(data: Path, tmp_path: Path) -> None:
    words = ["train", "utsr-light-x2", "--data", str(data), "--output", str(tmp_path / "run"), "--device", "cuda:99"]
    with pytest.raises(UserError, match=r"device 'cuda:99' does not exist here; choose auto or .*cpu"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not (tmp_path / "run").exists()


def test_stopping_before_the_first_step_takes_effect_at_once(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, output = tmp_path / "mine.toml", tmp_path / "run"
    recipe.write_text(RECIPE.replace("seed", "phantoms = 9\nseed"))
    monkeypatch.setattr("napari_nanoct.cli.driving.cancel_on_signals", lambda cancel: cancel.cancel())
    monkeypatch.setattr("napari_nanoct.phantoms.phantom", lambda *_, **__: pytest.fail("goes on"))
    result = CliRunner().invoke(app, ["train", str(recipe), "--data", str(data), "--output", str(output)])
    assert result.exit_code == 130
    assert result.stderr == "Stopped; nothing was trained yet\n"
