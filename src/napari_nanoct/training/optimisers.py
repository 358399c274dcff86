"""Muon: steps of equal size in all directions of a weight matrix, and Adam for what is no matrix."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

MOMENTUM, BETAS = 0.95, (0.9, 0.99)
# Largest singular value 1, all others near it: the quintic of Jordan et al., five times over.
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
ADAM_LIKE = 0.2
"""Root mean square of Adam's usual step in units of its rate: with it the same rates do for both."""

Optimisers = Callable[[nn.Module], Sequence[Optimizer]]
"""From a network to what takes its steps, each for some of the weights."""


def orthogonalised(matrices: Tensor) -> Tensor:
    """Return matrices (n, rows, columns) with their singular vectors, and singular values of about 1.

    They lie between 0.6 and 1.3 where they were at least a thirtieth of the largest; smaller ones stay smaller.

    Parameters
    ----------
    matrices : Tensor, shape (n, rows, columns), float32

    Notes
    -----
    A Newton-Schulz iteration as Jordan et al. have it. Each of its steps multiplies the matrix by a polynomial of its
    Gram matrix, so the product of these is taken first, on the smaller, square matrices, and applied once.
    """
    if matrices.shape[-2] > matrices.shape[-1]:
        return orthogonalised(matrices.mT).mT
    a, b, c = QUINTIC
    matrices = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    gram = matrices @ matrices.mT
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    product = identity
    for _ in range(ITERATIONS):
        factor = a * identity + b * gram + c * (gram @ gram)
        product, gram = factor @ product, factor @ gram @ factor
    return product @ matrices


class Muon(Optimizer):
    """Momentum made orthogonal, matrix by matrix.

    Parameters
    ----------
    matrices : iterable of Tensor
        Weights of convolutions, (out, in, height, width); each output is a row.
    rate : float

    References
    ----------
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024); Liu et al., "Muon is scalable for
    LLM training", arXiv:2502.16982 (2025), for the size of the steps. PyTorch's own takes no convolutions.
    """

    def __init__(self, matrices: Iterable[Tensor], rate: float = 1e-3) -> None:
        super().__init__(matrices, {"lr": rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step; matrices of one shape are made orthogonal together, for small ones cost a call each."""
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                momentum = state["momentum"]
                momentum.lerp_(weight.grad, 1 - MOMENTUM)
                ahead = torch.lerp(weight.grad, momentum, MOMENTUM).flatten(1)
                alike[ahead.shape[0], ahead.shape[1]].append((weight, ahead))
            for shape, pairs in alike.items():
                steps = orthogonalised(torch.stack([ahead for _, ahead in pairs]))
                for (weight, _), step in zip(pairs, steps, strict=True):
                    weight.add_(step.view(weight.shape), alpha=-ADAM_LIKE * max(shape) ** 0.5 * group["lr"])


def adam(network: nn.Module) -> tuple[Optimizer, ...]:
    """Adam for all weights of a network."""
    return (Adam(network.parameters(), betas=BETAS),)


def muon_and_adam(network: nn.Module) -> tuple[Optimizer, ...]:
    """Muon for convolutions that mix hidden channels; Adam for the first, the last, depth-wise ones and biases."""
    hidden: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in network.named_parameters():
        inner = weight.ndim == 4 and min(weight.shape[:2]) > 1 and not name.startswith("tail")
        (hidden if inner else others).append(weight)
    return Muon(hidden), Adam(others, betas=BETAS)
