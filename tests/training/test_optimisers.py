"""Muon: steps that are as large in every direction, and every weight in the hands of one optimiser."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from napari_nanoct.training.optimisers import Muon, adam, muon_and_adam, orthogonalised
from napari_nanoct.utsr import PRESETS, build


@given(rows=some.integers(2, 40), columns=some.integers(2, 40), seed=some.integers(0, 99), size=some.floats(1e-6, 1e6))
@settings(deadline=None, max_examples=40)
def test_singular_values_come_near_one_and_vectors_stay(rows: int, columns: int, seed: int, size: float) -> None:
    torch.manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows))
    right, _ = torch.linalg.qr(torch.randn(columns, columns))
    rank = min(rows, columns)
    matrix = size * left[:, :rank] @ torch.diag(torch.logspace(0, -1.5, rank)) @ right[:rank]
    found = left.T @ orthogonalised(matrix[None])[0] @ right.T
    values = found.diagonal()
    assert values.min() > 0.6
    assert values.max() < 1.3
    assert (found[:rank, :rank] - torch.diag(values)).abs().max() < 1e-2


def test_a_matrix_of_zeros_stays() -> None:
    assert torch.equal(orthogonalised(torch.zeros(1, 3, 5)), torch.zeros(1, 3, 5))


def test_a_step_depends_on_the_direction_of_a_gradient_and_has_the_size_of_adams() -> None:
    torch.manual_seed(0)
    gradient = torch.randn(32, 16, 3, 3)
    steps = []
    for size in (1.0, 1e-4):
        weight = torch.zeros(32, 16, 3, 3, requires_grad=True)
        weight.grad = size * gradient
        Muon([weight], rate=1e-2).step()
        steps.append(weight.detach())
    torch.testing.assert_close(steps[0], steps[1], atol=1e-5, rtol=0)
    assert (steps[0] * gradient).sum() < 0
    assert steps[0].square().mean().sqrt() == pytest.approx(0.2 * 1e-2, rel=0.3)


def test_stretched_valleys_are_descended_alike() -> None:
    """A direction whose gradient is a hundred times smaller is walked along as far."""
    weight = torch.nn.Parameter(torch.eye(2)[..., None, None].clone())
    stretch = torch.diag(torch.tensor([1.0, 0.1]))
    optimiser = Muon([weight], rate=0.05)
    for _ in range(20):
        optimiser.zero_grad()
        (stretch @ weight[..., 0, 0]).square().sum().backward()
        optimiser.step()
    steep, flat = (1 - weight[..., 0, 0].diagonal()).tolist()
    assert steep > 0.1
    assert flat > 0.6 * steep


@pytest.mark.parametrize("name", ["tiny", "utsr-light"])
def test_every_weight_has_one_optimiser(name: str) -> None:
    network = build(PRESETS[name], 2)
    for optimisers in (adam(network), muon_and_adam(network)):
        held = [id(p) for one in optimisers for group in one.param_groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in network.parameters())
    hidden = {id(p) for group in muon_and_adam(network)[0].param_groups for p in group["params"]}
    assert id(network.after[0].first.weight) in hidden
    assert not hidden & {id(network.head.weight), id(network.tail.weight)}
