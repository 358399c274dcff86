"""Degradations: seeded, of the right shape, and of the strength that they say."""

from __future__ import annotations

import pytest
import torch
from scipy import ndimage

from napari_nanoct.training.data import seeded
from napari_nanoct.training.degrade import GRAIN, BlindRange, bicubic, blind, gaussian_blur, grained, rings, shading

SILENT = {"noise": (1e-9, 1e-9), "photons": (1e12, 1e12), "ring": 0.0, "shading": 0.0}


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_shape_and_seed(factor: int) -> None:
    high = torch.rand(3, 1, 64, 128)
    low, _ = blind(high, factor, seeded(1, 2))
    assert low.shape == (3, 1, 64 // factor, 128 // factor)
    assert torch.equal(low, blind(high, factor, seeded(1, 2))[0])
    assert not torch.equal(low, blind(high, factor, seeded(1, 3))[0])
    assert bicubic(high, factor).shape == low.shape


def test_grain_is_faint_and_smooth() -> None:
    flat = torch.full((40, 1, 64, 64), 0.5)
    grain = grained(flat, seeded(3)) - flat
    sizes = grain.std(dim=(1, 2, 3))
    assert sizes.min() >= GRAIN[0] * 0.99
    assert sizes.max() <= GRAIN[1] * 1.01
    assert sizes.max() > 4 * sizes.min()
    steps = grain.diff(dim=-1).std(dim=(1, 2, 3)) / sizes
    # Neighbours of white noise differ by the square root of two times its size.
    assert steps.max() < 1.1
    assert torch.equal(grained(flat, seeded(3)), flat + grain)


def test_bicubic_keeps_areas_aligned() -> None:
    ramp = torch.arange(64.0).expand(1, 1, 64, 64)
    # The centre of low-resolution pixel i is 2 i + 0.5.
    torch.testing.assert_close(bicubic(ramp, 2)[0, 0, 10, 4:-4], 2 * torch.arange(4.0, 28.0) + 0.5)


def test_blur_is_scipys() -> None:
    image = torch.rand(1, 1, 40, 40)
    result = gaussian_blur(image, torch.tensor([[1.7, 1.7]]), torch.tensor([0.3]))
    expected = ndimage.gaussian_filter(image[0, 0].numpy(), 1.7, mode="mirror", truncate=6 / 1.7 + 0.01)
    torch.testing.assert_close(result[0, 0], torch.from_numpy(expected), atol=2e-4, rtol=0)


def test_anisotropic_blur_turns_with_its_angle() -> None:
    point = torch.zeros(2, 1, 31, 31)
    point[:, :, 15, 15] = 1
    spread = gaussian_blur(point, torch.tensor([[2.0, 0.7], [2.0, 0.7]]), torch.tensor([0.0, torch.pi / 2]))
    torch.testing.assert_close(spread[0], spread[1].transpose(-1, -2), atol=1e-6, rtol=1e-4)
    along = (spread[0, 0].sum(0) * (torch.arange(31) - 15) ** 2).sum().sqrt()
    assert along.item() == pytest.approx(2.0, rel=0.02)


def test_noise_has_the_given_strength_and_grows_with_frequency() -> None:
    flat = torch.full((4, 1, 128, 128), 0.5)
    low, _ = blind(flat, 1, seeded(4), BlindRange(**SILENT | {"noise": (0.06, 0.06)}))
    noise = low - flat
    assert noise.std().item() == pytest.approx(0.06, rel=0.01)
    power = torch.fft.rfft2(noise).abs().square().mean(dim=(0, 1))
    assert power[:6, :6].mean() < 0.5 * power[24:30, 24:30].mean()


def test_counting_noise_follows_the_signal() -> None:
    bright = torch.ones(2, 1, 96, 96)
    ranges = BlindRange(**SILENT | {"photons": (740.0, 740.0)})
    assert (blind(bright, 1, seeded(5), ranges)[0] - 1).std().item() == pytest.approx(740**-0.5, rel=0.02)
    assert (blind(bright / 4, 1, seeded(5), ranges)[0] - 0.25).std().item() == pytest.approx(0.5 * 740**-0.5, rel=0.02)


def test_the_record_tells_what_was_drawn() -> None:
    high = torch.rand(8, 1, 64, 64)
    ranges = BlindRange(**SILENT | {"psf_sigma": (0.6, 2.0)})
    low, drawn = blind(high, 1, seeded(8), ranges)
    assert ((drawn.psf_sigma >= 0.6) & (drawn.psf_sigma <= 2.0)).all()
    assert (drawn.psf_sigma[:, 0] == drawn.psf_sigma[:, 1]).any()
    torch.testing.assert_close(low, gaussian_blur(high, drawn.psf_sigma, drawn.psf_angle), atol=1e-4, rtol=0)
    _, noisy = blind(high, 1, seeded(9), BlindRange())
    for values, (least, most) in ((noisy.noise, BlindRange().noise), (noisy.photons, BlindRange().photons)):
        assert values.shape == (8,)
        assert least <= values.min() < values.max() <= most


def test_rings_and_shading_stay_within_their_amplitude() -> None:
    shape = torch.Size((16, 1, 64, 64))
    assert 0.01 < rings(shape, 0.04, 8.0, seeded(6)).abs().max() <= 0.16
    field = shading(shape, 0.05, seeded(7))
    assert 0.01 < field.abs().max() < 0.075
    assert (field[..., 1:] - field[..., :-1]).abs().max() < 0.01
