"""Parallel projection of slices and filtered back-projection, by the Fourier slice theorem.

The Fourier transform of a projection is a line through the slice's two-dimensional transform. Both directions go
through one non-uniform fast Fourier transform (oversampled twice; the kernel of Barnett, Magland, af Klinteberg, SIAM
J. Sci. Comput. 41, 2019, C479), which costs far less than turning the slice for every angle: the gridding
reconstruction of O'Sullivan, IEEE Trans. Med. Imaging 4, 1985, 200. Slices are taken as band-limited to half a cycle
per pixel.

Axes: the rotation axis goes through the middle of the slice's area, which is ((h - 1) / 2, (w - 1) / 2) in pixel
indices, and through the middle of the detector. At the angle a the detector coordinate is t = x cos(a) + y sin(a), with
x along columns and y along rows from the axis. A coarser detector and slice of the same extent keep the same axis, so
that their areas stay aligned.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

FILTERS = ("ramp", "shepp-logan", "hann")
INTERPOLATIONS = ("band-limited", "linear")

# Grid points that one frequency touches along an axis: relative error about 1e-4.
_TAPS = 5
_SHAPE = 2.3 * _TAPS


def project(slices: Tensor, angles: Tensor, detector: int) -> Tensor:
    """Line integrals through slices, in units of pixels.

    Parameters
    ----------
    slices : Tensor, shape (n, h, w), float32
        Zero beyond a circle of diameter ``detector`` about the axis.
    angles : Tensor, shape (a,), float64
        In radians.
    detector : int
        Number of detector pixels, each as wide as a pixel of the slice.

    Returns
    -------
    Tensor, shape (n, a, detector), float32
    """
    length = fast_even(detector + 2 * _TAPS)
    frequency = torch.arange(length // 2 + 1, device=slices.device, dtype=torch.float64) / length
    lines = _sample(slices, _polar(frequency, angles))
    lines = lines.reshape(len(slices), len(angles), -1) * _phase(frequency, -(detector - 1) / 2)
    return torch.fft.irfft(lines, n=length)[..., :detector]


def back_project(
    sinograms: Tensor,
    angles: Tensor,
    shape: tuple[int, int],
    spacing: float,
    window: str = "ramp",
    interpolation: str = "band-limited",
    smoothing: float = 0.0,
) -> Tensor:
    """Reconstruct slices from their projections by filtered back-projection.

    Parameters
    ----------
    sinograms : Tensor, shape (n, a, detector), float32
        Line integrals in units of pixels.
    angles : Tensor, shape (a,), float64
        In radians, within half a turn.
    shape : tuple of int
        (h, w) of the slices.
    spacing : float
        Between two angles, in radians; pi divided by their number where none is missing.
    window : str
        Roll-off of the ramp filter: ``ramp`` (none), ``shepp-logan`` or ``hann``.
    interpolation : str
        Between detector pixels: ``band-limited``, or ``linear``, whose smoothing most programs have.
    smoothing : float
        Standard deviation of a Gaussian that the filter is smoothed with besides, in detector pixels.

    Returns
    -------
    Tensor, shape (n, h, w), float32
    """
    detector = sinograms.shape[-1]
    # Within the detector's circle the filter reaches over twice the detector; to the corners nothing comes round twice.
    length = fast_even(max(2 * detector, math.ceil((math.hypot(*shape) + detector) / 2) + 1))
    frequency = torch.arange(length // 2 + 1, device=sinograms.device, dtype=torch.float64) / length
    lines = torch.fft.rfft(sinograms, n=length) * _filter(length, frequency, window, interpolation)
    lines = lines * torch.exp(-2 * (math.pi * smoothing * frequency) ** 2).float()
    # Both halves of each line count, and here only one is summed; the last frequency is its own other half.
    lines = lines * _phase(frequency, (detector - 1) / 2) * (2 * spacing / length)
    lines[..., 0] /= 2
    lines[..., -1] /= 2
    return _spread(lines.reshape(len(lines), -1), _polar(frequency, angles), shape)


def fast_even(length: int) -> int:
    """Smallest even length of at least ``length`` without prime factors above 5: a fast Fourier transform."""
    length += length % 2
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2


def _filter(length: int, frequency: Tensor, window: str, interpolation: str) -> Tensor:
    """The ramp |f| as it is for sampled projections (Kak, Slaney, 1988, eq. 3.61), under its window."""
    offset = torch.arange(length, device=frequency.device, dtype=torch.float64)
    offset = torch.minimum(offset, length - offset)
    kernel = torch.where(offset % 2 == 1, -1 / (math.pi * offset.clamp(min=1)) ** 2, 0.0)
    kernel[0] = 0.25
    result = torch.fft.rfft(kernel).real
    if window == "shepp-logan":
        result = result * torch.sinc(frequency)
    elif window == "hann":
        result = result * (math.pi * frequency).cos() ** 2
    if interpolation == "linear":
        result = result * torch.sinc(frequency) ** 2
    return result.float()


def _phase(frequency: Tensor, shift: float) -> Tensor:
    angle = 2 * math.pi * shift * frequency
    return torch.complex(angle.cos(), angle.sin()).to(torch.complex64)


def _polar(frequency: Tensor, angles: Tensor) -> Tensor:
    """Points (2, a * f) of the (y, x) frequency plane, in cycles per pixel."""
    angles = angles.to(frequency.device)
    return torch.stack([torch.outer(angles.sin(), frequency), torch.outer(angles.cos(), frequency)]).flatten(1)


def _sample(slices: Tensor, points: Tensor) -> Tensor:
    """Fourier transform (n, p) of slices (n, h, w) about their middle, at points (2, p) in cycles per pixel."""
    count, *shape = slices.shape
    side = fast_even(2 * max(shape))
    slices = slices / _apodisation(shape[0], side, slices.device)[:, None] / _apodisation(shape[1], side, slices.device)
    grid = torch.fft.fft2(_centred(slices, side)).reshape(count, -1).T.contiguous()
    rows, columns, weights_y, weights_x = _taps(points, side)
    result = grid.new_zeros(points.shape[1], count)
    for row, weight_y in zip(rows, weights_y, strict=True):
        line = torch.zeros_like(result)
        for column, weight_x in zip(columns, weights_x, strict=True):
            line += grid.index_select(0, row + column) * weight_x[:, None]
        result += line * weight_y[:, None]
    return result.T * _recentring(points, shape)


def _spread(values: Tensor, points: Tensor, shape: tuple[int, int]) -> Tensor:
    """Real part of the sum of waves: (n, p) amplitudes at points (2, p), summed over slices (n, h, w)."""
    count, side = len(values), fast_even(2 * max(shape))
    rows, columns, weights_y, weights_x = _taps(points, side)
    values = (values * _recentring(points, shape).conj()).T.contiguous()
    grid = values.new_zeros(side * side, count)
    for row, weight_y in zip(rows, weights_y, strict=True):
        line = values * weight_y[:, None]
        for column, weight_x in zip(columns, weights_x, strict=True):
            grid.index_add_(0, row + column, line * weight_x[:, None])
    waves = torch.fft.ifft2(grid.T.reshape(count, side, side), norm="forward").real
    y, x = ((torch.arange(extent, device=values.device) - extent // 2) % side for extent in shape)
    slices = waves[:, y[:, None], x[None, :]]
    return slices / _apodisation(shape[0], side, values.device)[:, None] / _apodisation(shape[1], side, values.device)


def _taps(points: Tensor, side: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Grid rows (already times ``side``) and columns around each point, and their weights; each (taps, p)."""
    place = points * side
    first = torch.ceil(place - _TAPS / 2)
    offset = torch.arange(_TAPS, device=points.device)[:, None]
    index = (first[:, None].long() + offset) % side
    distance = ((first - place)[:, None] + offset).float() * (2 / _TAPS)
    weights = torch.exp(_SHAPE * ((1 - distance**2).clamp(min=0).sqrt() - 1))
    return index[0] * side, index[1], weights[0], weights[1]


def _apodisation(extent: int, side: int, device: torch.device) -> Tensor:
    """The kernel's transform at the pixels of an axis: what spreading does to a slice, and is divided out."""
    nodes = (torch.arange(200, dtype=torch.float64) + 0.5) / 100 - 1
    kernel = torch.exp(_SHAPE * ((1 - nodes**2).sqrt() - 1)) * (_TAPS / 200)
    pixels = (torch.arange(extent) - extent // 2) / side
    return (torch.cos(math.pi * _TAPS * torch.outer(pixels.double(), nodes)) @ kernel).float().to(device)


def _centred(slices: Tensor, side: int) -> Tensor:
    """Pad to (n, side, side) with the middle pixel at index 0."""
    height, width = slices.shape[1:]
    padded = pad(slices, (0, side - width, 0, side - height))
    return padded.roll((-(height // 2), -(width // 2)), dims=(1, 2))


def _recentring(points: Tensor, shape: list[int] | tuple[int, int]) -> Tensor:
    """Phase that moves the origin from pixel (h // 2, w // 2) to the middle of the slice's area."""
    shift = [(extent - 1) / 2 - extent // 2 for extent in shape]
    angle = 2 * math.pi * (points[0] * shift[0] + points[1] * shift[1])
    return torch.complex(angle.cos(), angle.sin()).to(torch.complex64)
