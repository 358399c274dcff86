"""A teacher: its answers are mixed with the truth, and what it could do is not forgotten."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_nanoct.training.recipe import load_recipe
from napari_nanoct.training.teacher import held
from napari_nanoct.training.trainer import Trainer
from napari_nanoct.utsr import PRESETS, build


class Twice(nn.Module):
    """Makes twice of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def test_truths_give_way_by_their_share() -> None:
    torch.manual_seed(0)
    low, high = torch.rand(3, 1, 8, 8), torch.rand(3, 1, 8, 8)
    before = high.clone()
    mixed = held(Twice(), low, high, torch.tensor([0.0, 0.75, 1.0]))
    assert torch.equal(mixed[0], high[0])
    torch.testing.assert_close(mixed[1], 0.25 * high[1] + 0.75 * 2 * low[1])
    torch.testing.assert_close(mixed[2], 2 * low[2])
    assert torch.equal(high, before)
    assert not mixed.requires_grad
    assert held(Twice(), low, high, torch.zeros(3)) is high


def test_what_is_held_to_is_not_forgotten() -> None:
    low = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    changes = []
    for share in (0.0, 1.0):
        torch.manual_seed(0)
        trainer = Trainer(load_recipe("utsr-light-x1"), build(PRESETS["tiny"]), torch.device("cpu"))
        for _ in range(30):
            trainer.update(low, low + 0.1, 1e-2)
        teacher = trainer.averaged()
        with torch.no_grad():
            before = teacher(low[1:])
        for _ in range(30):
            trainer.update(low, held(teacher, low, low - 0.1, torch.tensor([0.0, share])), 1e-2)
        with torch.no_grad():
            changes.append(float((trainer.network(low[1:]) - before).abs().mean()))
    assert changes[1] < 0.7 * changes[0]
