"""What an instrument does to a slice: seeded degradations of clean high-resolution images.

Images are (n, 1, h, w) float32 tensors whose intensity range is 0 to 1. Every function draws from the generator that
it is given, so that a seed gives the same low-resolution images again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Generator, Tensor

GRAIN, GRAIN_SIGMA = (0.01, 0.06), (0.7, 2.0)


@dataclass(frozen=True)
class BlindRange:
    """From where the ``blind`` degradation draws.

    Attributes
    ----------
    psf_sigma : tuple of float
        Standard deviation of the Gaussian point spread function along each of its axes, in high-resolution pixels.
    noise : tuple of float
        Standard deviation of the ramp-coloured noise, as a fraction of the intensity range; drawn log-uniformly.
    photons : tuple of float
        Photons at the top of the intensity range, for the signal-dependent noise; drawn log-uniformly.
    ring, shading : float
        Largest amplitude of a ring and of the smooth shading, as fractions of the range.
    axis : float
        How far the rotation axis may lie from the middle of the image, in image sides: far for a patch, near for a
        whole slice.
    """

    psf_sigma: tuple[float, float] = (0.5, 2.1)
    noise: tuple[float, float] = (0.02, 0.14)
    photons: tuple[float, float] = (200.0, 4000.0)
    ring: float = 0.045
    shading: float = 0.06
    axis: float = 8.0


@dataclass(frozen=True)
class BlindDraw:
    """What `blind` drew for each image, in the units of `BlindRange`.

    ``psf_sigma`` has shape (n, 2), ``psf_angle`` (radians, of the first axis against x), ``noise`` and ``photons`` have
    shape (n,). The fields of noise, the rings and the shading are determined by the generator's state before the call.
    """

    psf_sigma: Tensor
    psf_angle: Tensor
    noise: Tensor
    photons: Tensor


def bicubic(high: Tensor, factor: int) -> Tensor:
    """Reduce by ``factor`` with the anti-aliased bicubic kernel (a = -0.5, areas aligned); factor 1 copies.

    Nothing is drawn.
    """
    if factor == 1:
        return high.clone()
    return functional.interpolate(high, scale_factor=1 / factor, mode="bicubic", antialias=True)


def blind(
    high: Tensor, factor: int, generator: Generator, ranges: BlindRange | None = None
) -> tuple[Tensor, BlindDraw]:
    """Blur, reduce and add what detectors and reconstruction add, all of unknown strength.

    Anisotropic Gaussian point spread function; mean over ``factor`` x ``factor`` pixels; ramp-coloured noise, as
    filtered back-projection leaves it; signal-dependent noise; a few thin rings; smooth shading.

    Parameters
    ----------
    high : Tensor, shape (n, 1, h, w), float32
        Clean slices, intensity range 0 to 1; ``h`` and ``w`` are multiples of ``factor``.
    factor : int
        1, 2 or 4.
    generator : Generator
        Source of all draws; each image has its own.
    ranges : BlindRange, optional

    Returns
    -------
    Tensor, shape (n, 1, h / factor, w / factor), float32
    BlindDraw
    """
    ranges = ranges or BlindRange()
    count = high.shape[0]
    sigma = _uniform((count, 2), ranges.psf_sigma, generator)
    # A few instruments are nearly isotropic: half of the images have one sigma.
    isotropic = torch.rand(count, generator=generator) < 0.5
    sigma[isotropic, 1] = sigma[isotropic, 0]
    angle = _uniform((count,), (0.0, math.pi), generator)
    low = gaussian_blur(high, sigma, angle)
    if factor > 1:
        low = functional.avg_pool2d(low, factor)
    level = _log_uniform(count, ranges.noise, generator)
    photons = _log_uniform(count, ranges.photons, generator)
    counting = (low.clamp(0, 1.5) / photons).sqrt() * _coloured_noise(low.shape, (0.0, 0.6), generator)
    ramp = level * _coloured_noise(low.shape, (0.4, 1.0), generator)
    low = low + counting + ramp + rings(low.shape, ranges.ring, ranges.axis, generator)
    low = low + shading(low.shape, ranges.shading, generator)
    return low, BlindDraw(sigma, angle, level.flatten(), photons.flatten())


def softened(high: Tensor, factor: int, generator: Generator) -> Tensor:
    """Smooth each image (n, 1, h, w) isotropically, as a detector whose pixels are finer than its resolution does.

    Sigma is at most 0.4 + 0.5 ``factor`` pixels: beyond, a reduction by ``factor`` takes nothing away.
    """
    sigma = _uniform((len(high), 1), (0.4, 0.4 + 0.5 * factor), generator).expand(-1, 2)
    return gaussian_blur(high, sigma, torch.zeros(len(high)))


def grained(high: Tensor, generator: Generator) -> Tensor:
    """Add to each image (n, 1, h, w) faint, smooth noise, as the best of slices have it themselves.

    0.01 to 0.06 of the range, drawn log-uniformly, behind a Gaussian with a sigma of 0.7 to 2 pixels.
    """
    sigma = _uniform((len(high), 1), GRAIN_SIGMA, generator).expand(-1, 2)
    noise = gaussian_blur(torch.randn(high.shape, generator=generator), sigma, torch.zeros(len(high)))
    return high + _log_uniform(len(high), GRAIN, generator) * noise / noise.std(dim=(1, 2, 3), keepdim=True)


def gaussian_blur(images: Tensor, sigma: Tensor, angle: Tensor) -> Tensor:
    """Convolve each image with its own anisotropic Gaussian, edges reflected.

    Parameters
    ----------
    images : Tensor, shape (n, 1, h, w)
    sigma : Tensor, shape (n, 2)
        Standard deviations along the two axes of the Gaussian, in pixels.
    angle : Tensor, shape (n,)
        Of the first axis against x, in radians.
    """
    radius = min(math.ceil(3.5 * float(sigma.max())), min(images.shape[-2:]) - 1)
    offset = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = offset[:, None], offset[None, :]
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    along, across = x * cos + y * sin, y * cos - x * sin
    exponent = (along / sigma[:, 0, None, None]) ** 2 + (across / sigma[:, 1, None, None]) ** 2
    kernels = torch.exp(-0.5 * exponent)
    kernels /= kernels.sum(dim=(1, 2), keepdim=True)
    padded = functional.pad(images, (radius,) * 4, mode="reflect").transpose(0, 1)
    return functional.conv2d(padded, kernels[:, None], groups=len(kernels)).transpose(0, 1)


def rings(shape: torch.Size, amplitude: float, axis: float, generator: Generator) -> Tensor:
    """Return up to four thin rings about a rotation axis up to ``axis`` image sides away from the middle."""
    count, _, height, width = shape
    extent = float(max(height, width))
    centre = _uniform((count, 2, 1, 1), ((0.5 - axis) * extent, (0.5 + axis) * extent), generator)
    y = torch.arange(height, dtype=torch.float32)[None, :, None] - centre[:, 0]
    x = torch.arange(width, dtype=torch.float32)[None, None, :] - centre[:, 1]
    radius = torch.hypot(y, x)
    result = torch.zeros(count, height, width)
    for _ in range(4):
        # A ring passes through a random pixel of the patch; one in two is there.
        row = torch.randint(height, (count,), generator=generator)
        column = torch.randint(width, (count,), generator=generator)
        through = radius[torch.arange(count), row, column][:, None, None]
        strength = _uniform((count, 1, 1), (-amplitude, amplitude), generator)
        strength *= torch.rand((count, 1, 1), generator=generator) < 0.5
        thickness = _uniform((count, 1, 1), (0.4, 1.2), generator)
        result += strength * torch.exp(-0.5 * ((radius - through) / thickness) ** 2)
    return result[:, None]


def shading(shape: torch.Size, amplitude: float, generator: Generator) -> Tensor:
    """Return a smooth additive field, as beam hardening and drift leave it."""
    coarse = _uniform((shape[0], 1, 3, 3), (-amplitude, amplitude), generator)
    return functional.interpolate(coarse, size=shape[-2:], mode="bicubic", align_corners=True)


def _coloured_noise(shape: torch.Size, exponent: tuple[float, float], generator: Generator) -> Tensor:
    """Unit-variance noise whose amplitude spectrum grows as frequency to a drawn power, with a drawn roll-off.

    Filtered back-projection gives noise power in proportion to frequency, an amplitude exponent of 1/2, times the
    square of the filter's window (Riederer, Pelc, Chesler, Phys. Med. Biol. 23, 1978).
    """
    count, _, height, width = shape
    frequency = torch.hypot(torch.fft.fftfreq(height)[:, None], torch.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1 / max(height, width)
    power = _uniform((count, 1, 1, 1), exponent, generator)
    roll_off = _uniform((count, 1, 1, 1), (0.0, 4.0), generator)
    envelope = frequency**power * torch.exp(-roll_off * frequency**2)
    noise = torch.fft.irfft2(torch.fft.rfft2(torch.randn(shape, generator=generator)) * envelope, s=(height, width))
    return noise / noise.std(dim=(1, 2, 3), keepdim=True)


def _uniform(shape: tuple[int, ...], bounds: tuple[float, float], generator: Generator) -> Tensor:
    return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(shape, generator=generator)


def _log_uniform(count: int, bounds: tuple[float, float], generator: Generator) -> Tensor:
    return _uniform((count, 1, 1, 1), (math.log(bounds[0]), math.log(bounds[1])), generator).exp()
