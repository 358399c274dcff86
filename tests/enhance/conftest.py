"""Small networks whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from napari_nanoct.enhance import Enhancer


@dataclass(frozen=True)
class SmallCard:
    """What an enhancer asks of a card."""

    scale: int = 1
    period: int = 8
    halo: int = 8
    name: str = "small"
    sha256: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)


class Bounded(nn.Module):
    """The input, enlarged by repetition, plus a residual that depends on three pixels around."""

    def __init__(self, scale: int = 1, strength: float = 0.1) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.scale, self.strength = scale, strength
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GELU(), nn.Conv2d(4, 4, 3, padding=1), nn.GELU())
        self.last = nn.Conv2d(4, scale**2, 3, padding=1)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
        self.calls: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Enhance ``x`` of shape (n, 1, h, w)."""
        self.calls.append(tuple(x.shape))
        residual = nn.functional.pixel_shuffle(self.last(self.layers(x)).float(), self.scale)
        return nn.functional.interpolate(x, scale_factor=self.scale) + self.strength * residual


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small() -> Callable[..., Enhancer]:
    """Make an enhancer around a bounded network on the CPU; keywords go to the enhancer."""

    def make(scale: int = 1, network: nn.Module | None = None, **keywords: Any) -> Enhancer:
        precision = keywords.pop("precision", "float32")
        return Enhancer(network or Bounded(scale), SmallCard(scale), "cpu", precision, **keywords)

    return make


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Weights files of a very small UTSR whose answer is not the input, by scale."""
    from napari_nanoct.utsr import PRESETS, Card, build, save_checkpoint

    folder, paths = tmp_path_factory.mktemp("models"), {}
    for scale in (1, 2, 4):
        torch.manual_seed(scale)
        network = build(PRESETS["tiny"], scale)
        with torch.no_grad():
            network.tail.weight.normal_(std=0.05)
        paths[scale] = folder / f"tiny-x{scale}.safetensors"
        card = Card("tiny", scale, network.period, 4 * network.period, {}, training={"steps": 0})
        save_checkpoint(paths[scale], network, card)
    return paths
