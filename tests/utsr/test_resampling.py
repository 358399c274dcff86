"""Bicubic enlargement and padding against independent implementations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_nanoct.utsr.resampling import bicubic_weights, enlarge_bicubic, pad_reflect


@pytest.mark.parametrize("factor", [2, 4])
def test_bicubic_equals_torch_inside(factor: int) -> None:
    x = torch.rand(1, 1, 12, 15)
    expected = torch.nn.functional.interpolate(x, scale_factor=factor, mode="bicubic", antialias=True)
    inner = slice(3 * factor, -3 * factor)
    torch.testing.assert_close(enlarge_bicubic(x, factor)[..., inner, inner], expected[..., inner, inner])


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_bicubic_keeps_a_constant(factor: int) -> None:
    torch.testing.assert_close(bicubic_weights(factor).sum(dim=1), torch.ones(factor, dtype=torch.float64))
    x = torch.full((1, 1, 3, 1), 0.7)
    torch.testing.assert_close(enlarge_bicubic(x, factor), torch.full((1, 1, 3 * factor, factor), 0.7))


@given(st.integers(1, 9), st.integers(1, 9), *[st.integers(0, 25)] * 4)
def test_reflection_of_any_width_is_numpys(
    height: int, width: int, top: int, bottom: int, left: int, right: int
) -> None:
    x = np.arange(height * width, dtype=np.float32).reshape(1, 1, height, width)
    expected = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), mode="reflect")
    assert np.array_equal(pad_reflect(torch.from_numpy(x), top, bottom, left, right).numpy(), expected)
