"""The loss against its definition."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from napari_nanoct.training.losses import restoration_loss, sobel_difference


def test_sobel_is_scipys() -> None:
    a, b = torch.rand(2, 1, 1, 20, 24)
    gradients = [ndimage.sobel((a - b)[0, 0].numpy(), axis)[1:-1, 1:-1] / 8 for axis in (0, 1)]
    assert sobel_difference(a, b).item() == pytest.approx(sum(abs(g).mean() for g in gradients), rel=1e-5)


def test_an_offset_costs_its_size_and_nothing_at_edges() -> None:
    a = torch.rand(1, 1, 16, 16)
    assert restoration_loss(a + 0.1, a).item() == pytest.approx(0.1, rel=1e-4)
