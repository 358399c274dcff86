"""Projection and back-projection: right against formulas and scikit-image, and aligned."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage.transform import iradon, radon
from torch import Tensor

from napari_nanoct.training.projection import FILTERS, back_project, fast_even, project

# Row, column, standard deviation (pixels), height.
BLOBS = ((10.0, -20.0, 3.0, 1.0), (0.3, 5.0, 7.0, 0.5), (-27.0, 12.0, 2.5, 2.0))


def blobs(height: int, width: int) -> NDArray[np.float32]:
    y, x = (np.arange(extent) - (extent - 1) / 2 for extent in (height, width))
    spots = (a * np.exp(-((y[:, None] - cy) ** 2 + (x - cx) ** 2) / (2 * s**2)) for cy, cx, s, a in BLOBS)
    return np.asarray(sum(spots), dtype=np.float32)


def line_integrals(angles: Tensor, detector: int) -> Tensor:
    t = torch.arange(detector) - (detector - 1) / 2
    result = torch.zeros(len(angles), detector, dtype=torch.float64)
    for cy, cx, s, a in BLOBS:
        middle = cx * angles.cos() + cy * angles.sin()
        result += a * s * math.sqrt(2 * math.pi) * torch.exp(-((t - middle[:, None]) ** 2) / (2 * s**2))
    return result.float()


def half_turn(count: int) -> Tensor:
    return math.pi / count * torch.arange(count, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(96, 96), (97, 97), (96, 111)])
def test_projection_is_the_line_integral(shape: tuple[int, int]) -> None:
    angles = half_turn(40)
    result = project(torch.from_numpy(blobs(*shape))[None], angles, 96)[0]
    torch.testing.assert_close(result, line_integrals(angles, 96), atol=2e-3, rtol=0)


@pytest.mark.parametrize("shape", [(96, 96), (97, 97), (111, 96)])
def test_back_projection_of_line_integrals_is_the_slice(shape: tuple[int, int]) -> None:
    angles = half_turn(181)
    result = back_project(line_integrals(angles, 96)[None], angles, shape, math.pi / 181)[0]
    y, x = (np.arange(extent) - (extent - 1) / 2 for extent in shape)
    inside = torch.from_numpy(np.hypot(y[:, None], x) < 47)
    torch.testing.assert_close(result[inside], torch.from_numpy(blobs(*shape))[inside], atol=1e-3, rtol=0)


def test_projection_is_scikit_images() -> None:
    # scikit-image turns about pixel n // 2, the middle of an odd slice, and its y goes up. Its linear interpolation
    # smooths: what differs is below 1.5 % of the highest line integral.
    degrees = np.arange(60) * 3.0
    image = blobs(97, 97) * (np.hypot(*(np.mgrid[:97, :97] - 48)) < 47)
    expected = radon(image, degrees).T
    result = project(torch.from_numpy(image)[None], torch.from_numpy(-np.deg2rad(degrees)), 97)[0].numpy()
    assert np.abs(result - expected).max() < 0.015 * expected.max()


@pytest.mark.parametrize("window", FILTERS)
def test_back_projection_is_scikit_images(window: str) -> None:
    degrees = np.arange(60) * 3.0
    angles = torch.from_numpy(-np.deg2rad(degrees))
    inside = np.hypot(*(np.mgrid[:97, :97] - 48)) < 46
    lines = line_integrals(angles, 97)
    result = back_project(lines[None], angles, (97, 97), math.pi / 60, window, "linear")[0].numpy()
    expected = iradon(lines.numpy().T, degrees, filter_name=window)
    assert np.abs(result - expected)[inside].max() < 0.005 * expected.max()
    # Of white noise scikit-image also keeps what its interpolation folds over, a tenth of the ramp's.
    noise = torch.randn(60, 97, generator=torch.Generator().manual_seed(1))
    result = back_project(noise[None], angles, (97, 97), math.pi / 60, window, "linear")[0].numpy()
    expected = iradon(noise.numpy().T, degrees, filter_name=window)
    assert result[inside].std() == pytest.approx(expected[inside].std(), rel=0.15)
    assert np.corrcoef(result[inside], expected[inside])[0, 1] > 0.9


def test_slices_do_not_mix() -> None:
    slices = torch.from_numpy(np.stack([blobs(64, 64), blobs(64, 64).T, 0 * blobs(64, 64)]))
    angles = half_turn(20)
    together = project(slices, angles, 64)
    for one, line in zip(slices, together, strict=True):
        torch.testing.assert_close(project(one[None], angles, 64)[0], line, atol=1e-4, rtol=0)


def test_lengths_are_even_and_fast() -> None:
    assert [fast_even(length) for length in (7, 8, 11, 127, 251)] == [8, 8, 12, 128, 256]
