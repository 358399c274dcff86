"""The network: shapes, gradients, precision, cost, and attention against a written-out reference."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from napari_nanoct.utsr import PRESETS, build
from napari_nanoct.utsr.attention import GroupedWindowAttention
from napari_nanoct.utsr.feedforward import DoubleConvFeedForward
from napari_nanoct.utsr.resampling import enlarge_bicubic


def awake(network: nn.Module) -> nn.Module:
    """Give the zero-initialised tail weights, so that the network does something."""
    torch.manual_seed(0)
    nn.init.normal_(network.tail.weight, std=0.1)
    return network


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("size", [(1, 1), (7, 33), (64, 64), (65, 70)])
def test_any_input_size(scale: int, size: tuple[int, int]) -> None:
    network = awake(build(PRESETS["tiny"], scale))
    with torch.inference_mode():
        result = network(torch.rand(2, 1, *size))
    assert result.shape == (2, 1, scale * size[0], scale * size[1])
    assert result.dtype == torch.float32
    assert result.isfinite().all()


@pytest.mark.parametrize("preset", ["tiny", "utsr-light"])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_untrained_is_bicubic(preset: str, scale: int) -> None:
    x = torch.rand(1, 1, 20, 31)
    with torch.inference_mode():
        assert torch.equal(build(PRESETS[preset], scale)(x), enlarge_bicubic(x, scale))


@pytest.mark.parametrize("settings", [PRESETS["utsr-light"], replace(PRESETS["tiny"], detail_channels=0)])
def test_every_parameter_gets_a_gradient(settings) -> None:
    network = awake(build(settings, 2))
    network(torch.rand(1, 1, 64, 64)).square().mean().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # A key's bias shifts all scores of a query alike, which softmax ignores; only its own share of the bias is silent.
    assert silent == []


def test_autocast_agrees_with_float32() -> None:
    network = awake(build(PRESETS["utsr-light"], 2)).eval()
    x = torch.rand(1, 1, 64, 64)
    with torch.inference_mode():
        exact = network(x)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(x)
    residual = (exact - enlarge_bicubic(x, 2)).square().mean().sqrt()
    assert fast.dtype == torch.float32
    assert (fast - exact).square().mean().sqrt() < 0.03 * residual


def test_translation_by_a_period_moves_the_result() -> None:
    network = awake(build(PRESETS["tiny"], 1)).eval()
    period = network.period
    x = torch.rand(1, 1, 16 * period, 16 * period)
    with torch.inference_mode():
        whole, moved = network(x), network(x[..., period:, period:])
    inner = slice(6 * period, -6 * period)
    torch.testing.assert_close(moved[..., inner, inner], whole[..., period:, period:][..., inner, inner])


def test_grouped_attention_equals_each_window_on_its_own() -> None:
    torch.manual_seed(1)
    channels, windows = 12, (2, 4, 8)
    attention = GroupedWindowAttention(channels, windows, shifted=False)
    x = torch.randn(2, channels, 16, 8)
    with torch.no_grad():
        q, k, v = attention.query_key_value(x).split(channels, dim=1)
        expected = torch.empty_like(x)
        for group, window in enumerate(windows):
            part = slice(4 * group, 4 * group + 4)
            for y in range(0, 16, window):
                for z in range(0, 8, window):
                    area = (slice(None), part, slice(y, y + window), slice(z, z + window))
                    query, key, value = (t[area].flatten(2).transpose(1, 2) for t in (q, k, v))
                    scores = torch.softmax(query @ key.transpose(1, 2) / 4**0.5, dim=-1)
                    expected[area] = (scores @ value).transpose(1, 2).reshape(2, 4, window, window)
        fused = attention(x)
    torch.testing.assert_close(fused, expected)
    torch.testing.assert_close(attention(x), expected)  # written out, as in training


def test_shifted_windows_never_join_opposite_borders() -> None:
    attention = GroupedWindowAttention(6, (4, 4, 4), shifted=True)
    x = torch.randn(1, 6, 16, 16)
    y = x.clone()
    y[..., -2:] += 10
    with torch.inference_mode():
        assert torch.equal(attention(x)[..., :8], attention(y)[..., :8])


def test_feed_forward_is_equation_1() -> None:
    block = DoubleConvFeedForward(4, 2)
    x = torch.randn(1, 4, 6, 5)
    with torch.inference_mode():
        hidden = block.expand(x)
        expected = block.contract(nn.GELU()(block.activated(hidden)) + block.mix(block.linear(hidden)))
        torch.testing.assert_close(block(x), expected)


def test_multiply_adds_of_the_full_network() -> None:
    """45.72 G at a 64 x 64 input, without the attention products, as the paper counts (Table 1)."""
    network = build(PRESETS["utsr"])
    total = 0

    def count(module: nn.Conv2d, _: object, output: torch.Tensor) -> None:
        nonlocal total
        total += module.weight.numel() * output.shape[-2] * output.shape[-1]

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.rand(1, 1, 64, 64))
    assert total == pytest.approx(45.72e9, rel=0.02)
    assert 20e6 < sum(p.numel() for p in network.parameters()) < 25e6
