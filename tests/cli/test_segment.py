"""``nanoct segment`` as it is run from a shell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from napari_nanoct import open_volume
from napari_nanoct.cli import app
from napari_nanoct.jobs import Done, Failed, Progress, from_json, process_environment

COMMAND = [sys.executable, "-m", "napari_nanoct", "segment"]
ENVIRONMENT = {**process_environment(), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def cracked(tmp_path: Path) -> Path:
    """A bright block with one crack, on disk."""
    z, y, x = np.ogrid[:20, :48, :48]
    grey = np.where((np.abs(x - 24 + 0 * (y + z)) < 1.2) & (np.abs(y - 24) < 12), 0.0, 1.0)
    noise = np.random.default_rng(0).normal(0, 0.03, grey.shape)
    np.save(tmp_path / "in.npy", (1000 * (gaussian_filter(grey, 0.7) + noise + 0.2)).astype(np.uint16))
    return tmp_path / "in.npy"


def run(*words: str | Path, feed: str = "") -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *map(str, words)]
    return subprocess.run(
        command, input=feed, capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False
    )


def test_from_the_shell(cracked: Path, tmp_path: Path) -> None:
    done = run(cracked, tmp_path / "o.ome.zarr", "--measure", tmp_path / "c.csv")
    assert done.returncode == 0, done.stderr
    assert "One crack." in done.stdout
    assert np.asarray(open_volume(tmp_path / "o.ome.zarr").data).max() == 1
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 2


def test_events_as_json_lines(cracked: Path, tmp_path: Path) -> None:
    done = run(cracked, tmp_path / "o.ome.zarr", "--json")
    events = [from_json(line) for line in done.stdout.splitlines()]
    assert all(isinstance(event, Progress) for event in events[:-1])
    last = events[-1]
    assert isinstance(last, Done)
    assert last.record["cracks"] == 1


def test_a_line_on_stdin_cancels(cracked: Path, tmp_path: Path) -> None:
    np.save(cracked, np.tile(np.load(cracked), (20, 4, 4)))
    done = run(cracked, tmp_path / "o.ome.zarr", "--json", feed="cancel\n")
    last = from_json(done.stdout.splitlines()[-1])
    assert done.returncode == 130
    assert isinstance(last, Failed)
    assert last.cancelled
    assert not (tmp_path / "o.ome.zarr").exists()


def test_what_is_wrong_is_one_sentence(cracked: Path, tmp_path: Path) -> None:
    done = run(tmp_path / "nowhere.npy", tmp_path / "o.ome.zarr")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "nowhere.npy" in done.stderr


def test_the_options_are_told() -> None:
    told = CliRunner().invoke(app, ["segment", "--help"]).output
    assert all(option in told for option in ("--classifier", "--sensitivity", "--mask", "--measure", "--overwrite"))
