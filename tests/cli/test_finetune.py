"""``nanoct finetune``: from a file of pairs to weights that ``nanoct models`` lists."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tifffile import imwrite
from typer.testing import CliRunner

from napari_nanoct import finetune_model
from napari_nanoct.cli import app
from napari_nanoct.errors import UserError
from napari_nanoct.finetune import tuning
from napari_nanoct.finetune.pairing import pair_slices
from napari_nanoct.finetune.project import save_project
from napari_nanoct.finetune.settings import PRESETS as LENGTHS
from napari_nanoct.finetune.settings import Preset
from napari_nanoct.jobs import Done, Loss, Preview, from_json
from napari_nanoct.utsr import read_card


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that tune a very small network on a noisy volume, whose phantoms are blobs, for a few steps."""
    import torch

    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    random = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    slices = [np.sin(y / 5) + np.sin(x / 7 + z / 20) + 0.4 * random.standard_normal((64, 64)) for z in range(6)]
    imwrite(tmp_path / "scan.tif", np.asarray(slices, np.float32))
    paired = pair_slices(str(tmp_path / "scan.tif"), method="neighbours")
    save_project(paired.project, tmp_path / "pairs.json")
    torch.manual_seed(0)
    network = build(PRESETS["tiny"], 1)
    parent = tmp_path / "parent.safetensors"
    save_checkpoint(parent, network, Card("tiny", 1, network.period, network.period, {}))
    blobs = (np.asarray(0.5 + 0.25 * (np.sin(np.mgrid[:192, :192][0] / 6)), np.float32),)
    monkeypatch.setattr("napari_nanoct.finetune.replay.slices", lambda seed, side: blobs)
    monkeypatch.setattr("napari_nanoct.finetune.judge.slices", lambda seed, side: blobs)
    monkeypatch.setattr(tuning, "RATE", 3e-3)
    monkeypatch.setitem(LENGTHS, "quick", Preset(60.0, 8))
    monkeypatch.setenv("NANOCT_MODELS", str(tmp_path / "models"))
    output = tmp_path / "models" / "mine-x1.safetensors"
    return ["finetune", str(tmp_path / "pairs.json"), "-o", str(output), "--parent", str(parent), "--device", "cpu"]


def test_from_pairs_to_a_model_that_is_listed(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--notes", "a remark"], catch_exceptions=False)
    assert result.exit_code == 0
    assert re.match(r"At most \d+\.\d min, for about \d+ steps; memory: about \d+ MB\n", result.output)
    assert re.search(r"steps  loss \d\.\d+, best [+-]\d\.\d+ dB  0:\d\d left\n", result.output)
    verdict = "is better" if read_card(words[3]).quality["better_than_parent"] else "is NOT better"
    assert f"mine ×1 {verdict} than tiny: mean squared error" in result.output
    assert "squared error to noisy pixels" in result.output
    assert "SSIM" not in result.output  # there is no truth to compare with
    listed = CliRunner().invoke(app, ["models"]).output
    assert "mine x1" in listed
    assert "parent    tiny x1" in listed
    assert "a remark" in listed
    assert "move" not in result.output
    assert Path(words[3]).with_suffix(".png").read_bytes().startswith(b"\x89PNG")


def test_a_model_elsewhere_says_how_it_comes_to_be_offered(words: list[str], tmp_path: Path) -> None:
    words[3] = str(tmp_path / "mine-x1.safetensors")
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert f"move {words[3]} to {tmp_path / 'models'}" in result.output.replace("\n", " ")


def test_events_as_json_lines(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    events = [from_json(line) for line in result.stdout.splitlines()]
    assert {Loss, Preview, Done} <= {type(event) for event in events}
    done = events[-1]
    assert isinstance(done, Done)
    json.dumps(done.record, allow_nan=False)
    assert done.record["pairs"]["volumes"]["low"]["name"] == "scan.tif"
    assert not list(Path(words[3]).parent.glob("*.training"))


def test_from_python(words: list[str]) -> None:
    seen: list[object] = []
    card = finetune_model(words[1], words[3], parent=words[5], device="cpu", name="own", progress=seen.append)
    assert card.name == "own"
    assert card.quality["better_than_parent"] is (card.quality["gain_db"] > 0.05)
    assert isinstance(seen[-1], Done)


def test_a_project_that_cannot_be_read_is_named(words: list[str]) -> None:
    Path(words[1]).write_text("{}")
    with pytest.raises(UserError, match=r"pairs\.json is not a file of pairs"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not Path(words[3]).exists()
