"""``nanoct enhance`` as it is run from a shell."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_nanoct import open_volume
from napari_nanoct.cli import app
from napari_nanoct.jobs import Done, Event, Failed, Progress, from_json, process_environment

COMMAND = [sys.executable, "-m", "napari_nanoct", "enhance"]
ENVIRONMENT = {**process_environment(), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a very small UTSR whose answer is not the input."""
    import torch

    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    torch.manual_seed(0)
    network = build(PRESETS["tiny"], 1)
    with torch.no_grad():
        network.tail.weight.normal_(std=0.05)
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_checkpoint(path, network, Card("tiny", 1, network.period, 32, {}))
    return path


@pytest.fixture
def tomogram(tmp_path: Path) -> Path:
    """A small tomogram on disk."""
    path = tmp_path / "in.npy"
    np.save(path, np.random.default_rng(0).integers(0, 1000, (20, 40, 50)).astype(np.uint16))
    return path


@pytest.fixture
def long_tomogram(tmp_path: Path) -> Path:
    """A tomogram that takes a minute or more."""
    path = tmp_path / "long.npy"
    np.save(path, np.random.default_rng(0).integers(0, 255, (500, 256, 256), dtype=np.uint8))
    return path


def test_from_the_shell_with_plain_lines(model: Path, tomogram: Path, tmp_path: Path) -> None:
    output = tmp_path / "o.ome.zarr"
    words = [str(tomogram), str(output), "--model", str(model), "--slices", "2:19", "--crop", "0:33,8:50"]
    result = subprocess.run([*COMMAND, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(f"{output} written in 0:")
    assert "slices  reading the intensity range" in result.stderr
    assert "Mvoxel/s" in result.stderr
    assert "\x1b" not in result.stderr
    assert open_volume(output).shape == (17, 33, 42)
    again = subprocess.run([*COMMAND, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    assert "Traceback" not in again.stderr


@contextmanager
def started(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Run the command beside the test, and end it with the test."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*COMMAND, *map(str, words)], env=ENVIRONMENT, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def test_json_lines_and_cancel_by_a_line(model: Path, long_tomogram: Path, tmp_path: Path) -> None:
    output = tmp_path / "o.zarr"
    events: list[Event] = []
    with started(long_tomogram, output, "--model", model, "--json") as process:
        assert process.stdin
        assert process.stdout
        for line in process.stdout:
            events.append(from_json(line))
            if isinstance(events[-1], Progress) and events[-1].done == 2:
                process.stdin.write("cancel\n")
                process.stdin.flush()
        assert process.wait(30) == 130
    *steps, last = events
    assert isinstance(last, Failed)
    assert last.cancelled
    assert str(output) in last.message
    assert all(isinstance(event, Progress) and event.done < 100 for event in steps)
    assert not output.exists()
    assert (tmp_path / "o.zarr.partial").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels(model: Path, long_tomogram: Path, tmp_path: Path, number: int) -> None:
    output = tmp_path / "o.zarr"
    with started(long_tomogram, output, "--model", model) as process:
        assert process.stderr
        assert any("Mvoxel/s" in line for line in process.stderr)
        process.send_signal(number)
        start = time.monotonic()
        rest = process.stderr.read()
        assert process.wait(30) == 130
    assert time.monotonic() - start < 10
    assert f"nanoct: cancelled; {output} was not written" in rest
    assert "Traceback" not in rest
    assert not output.exists()


def test_a_closed_stdin_does_not_cancel(model: Path, tomogram: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [*COMMAND, str(tomogram), str(tmp_path / "o.zarr"), "--model", str(model), "--json"],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    *steps, done = [from_json(line) for line in result.stdout.splitlines()]
    assert all(isinstance(event, Progress) for event in steps)
    assert isinstance(done, Done)
    assert done.record["settings"]["model"] == str(model)


@pytest.fixture
def _in_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put the signal handlers of the test process back, which the command replaces, and leave its stdin alone."""
    monkeypatch.setattr("napari_nanoct.cli.driving._cancel_on_line", lambda cancel: None)
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_in_process")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--slices", "5"], "--slices '5' is not understood"),
        (["--crop", "1:2"], "--crop '1:2' is not understood"),
        (["--scale", "3"], "scale 3 does not exist"),
        (["--device", "abacus"], "device 'abacus' does not exist here"),
        (["--dtype", "uint8"], "dtype 'uint8' does not exist"),
        (["--slices", "0:21"], "has 20 slices"),
    ],
)
def test_json_failures_are_one_sentence(
    model: Path, tomogram: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    arguments = ["enhance", str(tomogram), str(tmp_path / "o.zarr"), "--model", str(model), "--json", *words]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    event = from_json(result.stdout.splitlines()[-1])
    assert isinstance(event, Failed)
    assert not event.cancelled
    assert sentence in event.message
    assert not list(tmp_path.glob("o.zarr*"))


@pytest.mark.usefixtures("_in_process")
def test_an_unexpected_error_fails_in_json_too(
    model: Path, tomogram: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*rest: object) -> object:
        raise RuntimeError("the device vanished")

    monkeypatch.setattr("napari_nanoct.enhance.enhancer.Enhancer._answers", broken)
    output = tmp_path / "o.zarr"
    result = CliRunner().invoke(app, ["enhance", str(tomogram), str(output), "--model", str(model), "--json"])
    assert result.exit_code == 1
    event = from_json(result.stdout.splitlines()[-1])
    assert isinstance(event, Failed)
    assert event.message.startswith("unexpected RuntimeError: the device vanished; with NANOCT_DEBUG=1")
    assert (tmp_path / "o.zarr.partial").exists()
    monkeypatch.setenv("NANOCT_DEBUG", "1")
    again = ["enhance", str(tomogram), str(output), "--model", str(model), "--json", "--overwrite"]
    result = CliRunner().invoke(app, again)
    assert result.exit_code == 1
    assert isinstance(result.exception, RuntimeError)
    assert from_json(result.stdout.splitlines()[-1]) == event
