"""GMSA: grouped multi-scale window self-attention."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from einops import rearrange
from torch import Tensor, nn


def window_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Softmax attention ``softmax(q k^T / sqrt(d)) v`` inside each window.

    Parameters
    ----------
    query, key, value : Tensor, shape (windows, tokens, channels)

    Returns
    -------
    Tensor, shape (windows, tokens, channels)

    Notes
    -----
    Written out where gradients are needed on a CPU: there the backward pass of the fused kernel is an order of
    magnitude slower. Everywhere else the fused kernel saves the memory of the score matrices.
    """
    if torch.is_grad_enabled() and query.device.type == "cpu":
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        return scores.softmax(dim=-1) @ value
    # The kernel wants a head axis; one head a window group.
    return functional.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]


class GroupedWindowAttention(nn.Module):
    """Self-attention in square windows of another size for each group of channels (GMSA).

    Query, key and value are separate 1x1 convolutions. The channels are split into one group (one head) per window
    size; each group attends within windows of its size; the groups are concatenated.

    Parameters
    ----------
    channels : int
        Divisible by the number of windows.
    windows : tuple of int
        Window side of each group, in pixels of this level; the height and width of the input are multiples of each.
    shifted : bool
        Move every window by half its side. The map is extended by reflection and cropped, so that opposite borders
        never meet, as they would in a circular shift.

    References
    ----------
    Zhang et al., "Efficient long-range attention network for image super-resolution", ECCV 2022 (grouped windows);
    Peng et al., Nuclear Techniques 49 (2026) 250034, eq. 2 (separate q, k, v).
    """

    def __init__(self, channels: int, windows: tuple[int, ...], shifted: bool) -> None:
        super().__init__()
        if channels % len(windows):
            raise ValueError(f"{channels} channels cannot be split into {len(windows)} window groups")
        self.windows = windows
        self.shifted = shifted
        self.query_key_value = nn.Conv2d(channels, 3 * channels, 1)
        # A small value branch keeps a deep stack without normalisation close to the identity at the start.
        with torch.no_grad():
            self.query_key_value.weight[2 * channels :] *= 0.1

    def forward(self, x: Tensor) -> Tensor:
        """Attend within the windows; ``x`` and the result have shape (n, channels, h, w)."""
        groups = rearrange(self.query_key_value(x), "n (t g c) h w -> g t n c h w", t=3, g=len(self.windows))
        return torch.cat([self._attend(g, w) for g, w in zip(groups, self.windows, strict=True)], dim=1)

    def _attend(self, group: Tensor, window: int) -> Tensor:
        height, width = group.shape[-2:]
        margin = window // 2 if self.shifted else 0
        if margin:
            batch = group.shape[1]
            group = functional.pad(group.flatten(0, 1), (margin,) * 4, mode="reflect").unflatten(0, (3, batch))
        rows = group.shape[-2] // window
        query, key, value = rearrange(group, "t n c (h a) (w b) -> t (n h w) (a b) c", a=window, b=window)
        attended = rearrange(
            window_attention(query, key, value),
            "(n h w) (a b) c -> n c (h a) (w b)",
            n=group.shape[1],
            h=rows,
            a=window,
        )
        return attended[..., margin : margin + height, margin : margin + width]
