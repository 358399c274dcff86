"""Pairs with a known answer, and a network small enough to be tuned in a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_nanoct.training.pairs import SlicePair


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def make_pairs() -> Callable[..., list[SlicePair]]:
    """Make pairs of smooth blobs: the input is the target, binned, blurred and darkened, with noise."""

    def make(count: int, factor: int = 1, side: int = 64, noise: float = 0.02) -> list[SlicePair]:
        pairs = []
        for number in range(count):
            random = np.random.default_rng(number)
            high = gaussian_filter(random.standard_normal((factor * side, factor * side)), 2.0 * factor)
            high = (0.5 + 0.2 * high / high.std()).astype(np.float32)
            low = high.reshape(side, factor, side, factor).mean((1, 3))
            low = 0.7 * gaussian_filter(low, 1.5) + noise * random.standard_normal(low.shape)
            pairs.append(SlicePair(low.astype(np.float32), high, np.ones((side, side), bool), 10 * number))
        return pairs

    return make


@pytest.fixture(scope="session")
def tiny_parents(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Weights files of very small untrained networks, by factor."""
    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    folder, paths = tmp_path_factory.mktemp("parents"), {}
    for factor in (1, 2):
        torch.manual_seed(factor)
        network = build(PRESETS["tiny"], factor)
        paths[factor] = folder / f"tiny-x{factor}.safetensors"
        save_checkpoint(paths[factor], network, Card("tiny", factor, network.period, 2 * network.period, {}))
    return paths
