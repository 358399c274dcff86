"""The loss against its definition."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from napari_nanoct.training.losses import image_losses, relative_loss, restoration_loss, sobel_difference


def test_sobel_is_scipys() -> None:
    a, b = torch.rand(2, 1, 1, 20, 24)
    gradients = [ndimage.sobel((a - b)[0, 0].numpy(), axis)[1:-1, 1:-1] / 8 for axis in (0, 1)]
    assert sobel_difference(a, b).item() == pytest.approx(sum(abs(g).mean() for g in gradients), rel=1e-5)


def test_an_offset_costs_its_size_and_nothing_at_edges() -> None:
    a = torch.rand(1, 1, 16, 16)
    assert restoration_loss(a + 0.1, a).item() == pytest.approx(0.1, rel=1e-4)


def test_the_loss_of_a_batch_is_the_mean_of_its_images() -> None:
    a, b = torch.rand(2, 3, 1, 20, 24)
    alone = [restoration_loss(x[None], y[None]).item() for x, y in zip(a, b, strict=True)]
    assert image_losses(a, b).tolist() == pytest.approx(alone, rel=1e-5)
    assert restoration_loss(a, b).item() == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_a_clean_image_counts_as_much_as_a_noisy_one() -> None:
    losses = torch.tensor([0.3, 0.03], requires_grad=True)
    relative_loss(losses).backward()
    assert losses.grad is not None
    assert (losses * losses.grad)[0].item() == pytest.approx((losses * losses.grad)[1].item(), rel=0.1)
    assert relative_loss(torch.zeros(2)).isfinite()
