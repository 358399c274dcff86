"""A teacher: older weights, whose answers are held to where there is more to lose than to learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn


@torch.no_grad()
def answers(teacher: nn.Module, low: Tensor) -> Tensor:
    """Return what a teacher makes of patches (n, 1, h, w): by steps in bfloat16, as float32, where the patches are."""
    device = next(teacher.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        return teacher(low.to(device)).float().to(low.device)


def held(teacher: nn.Module, low: Tensor, high: Tensor, shares: Tensor) -> Tensor:
    """Mix the truth of a batch with what a teacher makes of its input.

    Parameters
    ----------
    teacher : Module
        From (n, 1, h, w) to (n, 1, scale * h, scale * w).
    low, high : Tensor, shape (n, 1, h, w) and (n, 1, scale * h, scale * w)
    shares : Tensor, shape (n,)
        How much of each truth gives way, 0 to 1.

    Returns
    -------
    Tensor, shape (n, 1, scale * h, scale * w)

    References
    ----------
    Li and Hoiem, "Learning without forgetting", ECCV 2016: a network that is taught one thing forgets another, unless
    older answers are among what it is taught.
    """
    (which,) = shares.nonzero(as_tuple=True)
    if not len(which):
        return high
    mixed = high.clone()
    taught = answers(teacher, low[which].to(memory_format=torch.channels_last))
    mixed[which] = high[which].lerp(taught, shares[which, None, None, None])
    return mixed
