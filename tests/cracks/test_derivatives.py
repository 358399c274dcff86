"""Gaussian derivatives: against closed forms, numpy's eigenvalues, and in a block as in the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.derivatives import eigenvalues, gradient, halo, hessian, kernel, smooth, smooth_axis


def noise(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))


def test_smoothing_is_the_gaussian_in_physical_units() -> None:
    rough = gaussian_filter(noise(24, 40, 40).numpy(), 2.0)
    expected = gaussian_filter(rough, (2 / 1.5, 2, 4), mode="reflect", truncate=6)
    assert np.abs(smooth(torch.from_numpy(rough), 2.0, (1.5, 1.0, 0.5)).numpy() - expected).max() < 0.002


@pytest.mark.parametrize("sigma", [0.2, 0.7, 1.0, 3.0])
def test_kernel_has_unit_sum_and_the_right_variance(sigma: float) -> None:
    weights = np.array(kernel(sigma, 1.0))
    both = np.concatenate([weights[:0:-1], weights])
    distance = np.arange(len(both)) - len(weights) + 1
    assert both.sum() == pytest.approx(1)
    assert (both * distance**2).sum() == pytest.approx(sigma**2, rel=0.05)


def test_derivatives_of_a_quadratic_are_exact() -> None:
    size = (4.0, 1.0, 0.5)
    z, y, x = (step * torch.arange(n) for step, n in zip(size, (24, 40, 60), strict=True))
    z, y, x = z[:, None, None], y[:, None], x
    volume = 0.01 * (z * z + 2 * y * y - 3 * x * x + 4 * z * y - 5 * z * x + 6 * y * x + 7 * z)
    smoothed = smooth(volume, 1.0, size)
    inner = (slice(None), slice(4, -4), slice(8, -8), slice(12, -12))
    second = hessian(smoothed, size)[inner]
    expected = 0.01 * torch.tensor([2.0, 4, -5, 4, 6, -6])
    assert torch.allclose(second, expected[:, None, None, None].expand_as(second), atol=1e-3)
    slope = (gradient(smoothed, size)[inner][0] - 0.01 * (2 * z + 4 * y - 5 * x + 7)[inner[1:]]).abs().max()
    assert slope < 1e-3


def test_eigenvalues_are_those_of_numpy_largest_first() -> None:
    parts = noise(6, 500)
    zz, zy, zx, yy, yx, xx = parts.numpy()
    matrices = np.stack([np.stack([zz, zy, zx], -1), np.stack([zy, yy, yx], -1), np.stack([zx, yx, xx], -1)], -2)
    assert np.allclose(eigenvalues(parts).numpy(), np.linalg.eigvalsh(matrices).T[::-1], atol=1e-3)


def test_eigenvalues_of_multiples_of_the_identity() -> None:
    parts = torch.tensor([2.0, 0, 0, 2, 0, 2])[:, None] * torch.tensor([0.0, 1, -3])
    assert torch.allclose(eigenvalues(parts), torch.tensor([0.0, 2, -6]).expand(3, 3))


def test_a_block_with_its_halo_is_bit_for_bit_the_whole() -> None:
    size, volume = (2.0, 1.0, 1.0), noise(40, 60, 61)
    z, y, x = halo(1.3, size)
    whole = eigenvalues(hessian(smooth(volume, 1.3, size), size))
    block = volume[16 - z : 24 + z, 20 - y : 33 + y, 17 - x : 40 + x]
    part = eigenvalues(hessian(smooth(block, 1.3, size), size))[:, z:-z, y:-y, x:-x]
    assert torch.equal(part, whole[:, 16:24, 20:33, 17:40])


def test_one_slice_has_no_derivative_across_it() -> None:
    smoothed = smooth(noise(1, 30, 30), 1.0, (1.0, 1.0, 1.0))
    assert torch.equal(gradient(smoothed, (1.0, 1.0, 1.0))[0], torch.zeros_like(smoothed))
    assert torch.equal(hessian(smoothed, (1.0, 1.0, 1.0))[:3], torch.zeros(3, 1, 30, 30))


def test_the_valid_part_is_the_inside_of_the_whole() -> None:
    volume, reach = noise(30, 8, 8), len(kernel(1.5, 1.0)) - 1
    valid = smooth_axis(volume, -3, 1.5, 1.0, valid=True)
    assert torch.equal(valid, smooth_axis(volume, -3, 1.5, 1.0)[reach:-reach])


def test_the_valid_part_of_derivatives_is_the_inside_of_the_whole() -> None:
    volume, size = noise(8, 9, 10), (2.0, 1.0, 0.5)
    assert torch.equal(gradient(volume, size, valid=True), gradient(volume, size)[:, 1:-1, 1:-1, 1:-1])
    assert torch.equal(hessian(volume, size, valid=True), hessian(volume, size)[:, 1:-1, 1:-1, 1:-1])
