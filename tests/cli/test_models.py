"""``nanoct models``: what is at hand, with its cards, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from napari_nanoct.cli import app


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with one trained model and one file that is none."""
    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    network = build(PRESETS["tiny"], 2)
    training = {"data": {"ct": 12}, "steps": 500, "stages": [{"rate": 0.001, "patch": 64}, {"rate": 1e-4}], "start": ""}
    card = Card("my-cathodes", 2, 8, 32, {}, training, {"val": {"psnr": 31.23456}})
    save_checkpoint(tmp_path / "mine.safetensors", network, card)
    (tmp_path / "other.safetensors").write_bytes(b"PK not weights")
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path))
    return tmp_path


def test_cards_are_listed(folder: Path) -> None:
    result = CliRunner().invoke(app, ["models"])
    assert result.exit_code == 0
    assert "my-cathodes x2" in result.stdout
    assert str(folder / "mine.safetensors") in result.stdout
    assert "training  data (ct 12), steps 500, stages (rate 0.001, patch 64) (rate 0.0001)\n" in result.stdout
    assert "val (psnr 31.23)" in result.stdout
    assert "windows repeat every 8 pixels, tiles overlap by 32" in result.stdout
    assert "other" not in result.stdout
    assert f"Left out: {folder / 'other.safetensors'} is a pickled PyTorch file" in result.stderr


def test_fine_tuned_weights_name_their_parent_and_their_gain(folder: Path) -> None:
    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    training = {
        "parent": {"name": "utsr-light", "scale": 2, "sha256": "ab" * 32},
        "method": "pairs",
        "steps": 40,
        "curve": [[40, 0.1234567, 30.0]],
        "notes": "long exposures",
    }
    quality = {
        "held_out": {"utsr-light": {"psnr": 30.0}, "tuned": {"psnr": 31.25}},
        "gain_db": 1.25,
        "better_than_parent": True,
    }
    card = Card("tuned", 2, 8, 32, {}, training, quality)
    save_checkpoint(folder / "tuned-x2.safetensors", build(PRESETS["tiny"], 2), card)
    text = CliRunner().invoke(app, ["models"]).stdout
    assert "parent    utsr-light x2, sha256 abababababababab...\n" in text
    assert "gain      +1.25 dB on held-out slices: better than its parent\n" in text
    assert "notes     long exposures\n" in text
    assert "training  method pairs, steps 40\n" in text
    assert "quality   utsr-light (psnr 30), tuned (psnr 31.25)\n" in text
    assert "curve" not in text


def test_json_holds_the_whole_cards(folder: Path) -> None:
    result = CliRunner().invoke(app, ["models", "--json"])
    (mine,) = [entry for entry in json.loads(result.stdout) if entry["name"] == "my-cathodes"]
    assert mine["path"] == str(folder / "mine.safetensors")
    assert mine["scale"] == 2
    assert mine["quality"] == {"val": {"psnr": 31.23456}}
    assert len(mine["sha256"]) == 64


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from napari_nanoct.cli import app; "
        "result = CliRunner().invoke(app, ['models']); assert result.exit_code == 0, result.output; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
