"""A screen for the tests of the docks, and a small network."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

if sys.platform.startswith("linux"):
    # "offscreen" has no OpenGL: the canvas would stay blank without a word.
    os.environ["QT_QPA_PLATFORM"] = "xcb"


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Weights of a small random network, by factor."""
    import torch

    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    paths = {}
    for scale in (1, 2, 4):
        network = build(PRESETS["tiny"], scale=scale)
        for value in network.parameters():  # a fresh network adds nothing to its input: make it do something
            torch.nn.init.normal_(value, std=0.1)
        paths[scale] = folder / f"tiny-x{scale}.safetensors"
        save_checkpoint(paths[scale], network, Card(name="tiny", scale=scale, period=16, halo=16, network={}))
    return paths


@pytest.fixture
def tomogram() -> np.ndarray:
    """A uint16 volume (6, 70, 90) with a bright block, saturated at both ends."""
    rng = np.random.default_rng(0)
    volume = rng.normal(20_000, 3_000, (6, 70, 90))
    volume[1:5, 20:50, 30:60] += 30_000
    volume[:, :8, :8] = 0
    volume[:, -8:, -8:] = 65_535
    return volume.clip(0, 65_535).astype(np.uint16)


@pytest.fixture
def model_folder(tiny_models: dict[int, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small networks as the user's own models."""
    folder = tiny_models[1].parent
    monkeypatch.setenv("NANOCT_MODELS", str(folder))
    return folder


@pytest.fixture
def open_dock(make_napari_viewer: Callable, model_folder: Path) -> Callable:
    """Return a function that opens the enhance dock in a viewer, with the small network chosen."""

    def open_it(viewer: object = None) -> tuple:
        viewer = viewer or make_napari_viewer()
        _, dock = viewer.window.add_plugin_dock_widget("napari-nanoct", "Enhance")
        choose_model(dock, "tiny")
        return viewer, dock

    return open_it


def choose_model(dock: object, name: str) -> None:
    """Choose a model by its name in the list."""
    position = dock.ui.model.findText(name)
    assert position >= 0
    dock.ui.model.setCurrentIndex(position)


@pytest.fixture
def open_cracks(make_napari_viewer: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Return a function that opens the cracks dock in a viewer; what goes to the home folder goes to a new one."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))

    def open_it(viewer: object = None) -> tuple:
        from napari_nanoct.docks.cracks.dock import CracksDock

        viewer = viewer or make_napari_viewer()
        dock = CracksDock(viewer)
        viewer.window.add_dock_widget(dock, name="Cracks")
        return viewer, dock

    return open_it


@pytest.fixture
def scans() -> tuple[np.ndarray, np.ndarray]:
    """A blurred, noisy uint16 volume (8, 80, 80), and the inner part of what it shows, in voxels half as large."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    truth = gaussian_filter(rng.normal(size=(16, 160, 160)), (2, 3, 3))
    truth = (truth > 0) * 20_000 + 20_000 + 80_000 * gaussian_filter(rng.normal(size=truth.shape), 1.5)
    low = gaussian_filter(truth, (0, 1.5, 1.5)).reshape(8, 2, 80, 2, 80, 2).mean((1, 3, 5))
    low += rng.normal(0, 800, low.shape)
    return tuple(part.clip(0, 65_535).astype(np.uint16) for part in (low, truth[2:, 10:, 6:150]))


@pytest.fixture
def open_finetune(
    make_napari_viewer: Callable, tiny_models: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable:
    """Return a function that opens the fine-tune dock; the small networks are models of the user, in a new folder."""
    import shutil

    folder = tmp_path / "models"
    shutil.copytree(tiny_models[1].parent, folder)
    monkeypatch.setenv("NANOCT_MODELS", str(folder))

    def open_it(viewer: object = None) -> tuple:
        from napari_nanoct.docks.finetune.dock import FinetuneDock

        viewer = viewer or make_napari_viewer()
        dock = FinetuneDock(viewer)
        viewer.window.add_dock_widget(dock, name="Fine-tune")
        return viewer, dock

    return open_it
