"""What a tomograph does to a slice: projections, a detector that counts, and filtered back-projection.

Slices are (n, 1, h, w) float32 tensors whose intensity range is 0 to 1: the attenuation above that of air, in the
circle inscribed in the slice; outside there is air. One `Scan` holds all that was drawn, so that it gives the same
low-resolution slices again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Generator, Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.training.data import seeded
from napari_nanoct.training.projection import FILTERS, INTERPOLATIONS, back_project, project

_SLAB = 8


@dataclass(frozen=True)
class SinogramRange:
    """From where the ``sinogram`` degradation draws; lengths are in pixels of the (low-resolution) detector.

    Attributes
    ----------
    counts : tuple of float
        Photons per detector pixel and projection in the open beam; drawn log-uniformly, ``inf`` for no noise.
    depth : tuple of float
        Line integral of the attenuation through the middle of the sample, averaged over the angles.
    sample : tuple of float
        Diameter of the sample over that of the slice; drawn log-uniformly. Above 1 the slice is a region of interest:
        what surrounds it takes its share of ``depth`` evenly, so that the slice has as much noise as in the whole.
    psf_sigma : tuple of float
        Standard deviation of the detector's Gaussian point spread function.
    fringe : tuple of float
        Length of the edge fringes, ``sqrt(z delta / mu)`` of single-distance propagation; half of the scans have none.
    gain : tuple of float
        Standard deviation of what flat-fielding leaves of the pixels' gains; drawn log-uniformly. One pixel in fifty is
        four times worse.
    drift : tuple of float
        Standard deviation of the flux over the scan, smooth in the angle, as a fraction.
    jitter : tuple of float
        Standard deviation of each angle from where the reconstruction takes it to be, in degrees.
    angles : tuple of int
        Projections over 180 degrees.
    missing : tuple of float
        Wedge without projections, in degrees; half of the scans have none.
    windows, interpolations : tuple of str
        Of the back-projection, see `projection.back_project`.
    smoothing : tuple of float
        Standard deviation of a Gaussian in the back-projection's filter; half of the scans have none. The noise of most
        published slices is as smooth as 0.5 to 1 pixel makes it.
    """

    counts: tuple[float, float] = (400.0, 40000.0)
    depth: tuple[float, float] = (1.0, 1.5)
    sample: tuple[float, float] = (1.0, 3.0)
    psf_sigma: tuple[float, float] = (0.3, 0.9)
    fringe: tuple[float, float] = (0.0, 0.5)
    gain: tuple[float, float] = (0.0003, 0.005)
    drift: tuple[float, float] = (0.0, 0.02)
    jitter: tuple[float, float] = (0.0, 0.1)
    angles: tuple[int, int] = (180, 400)
    missing: tuple[float, float] = (0.0, 20.0)
    windows: tuple[str, ...] = FILTERS
    interpolations: tuple[str, ...] = INTERPOLATIONS
    smoothing: tuple[float, float] = (0.0, 1.2)


@dataclass(frozen=True)
class Scan:
    """One scan: what was drawn from a `SinogramRange`, in its units.

    ``missing_from`` is where the missing wedge begins, in degrees. ``seed`` determines the pixels' gains, the course of
    the flux, the angles' errors and, with the number of the slice, the photons.
    """

    counts: float
    depth: float
    sample: float
    psf_sigma: float
    fringe: float
    gain: float
    drift: float
    jitter: float
    angles: int
    missing: float
    missing_from: float
    window: str
    interpolation: str
    smoothing: float
    seed: int


def sinogram(
    high: Tensor, factor: int, generator: Generator, ranges: SinogramRange | None = None
) -> tuple[Tensor, Scan]:
    """Draw a scan and take slices of one sample through it: projected, counted, reconstructed on a coarser grid.

    Parameters
    ----------
    high : Tensor, shape (n, 1, h, w), float32
        Clean slices of one volume, intensity range 0 to 1; ``h`` and ``w`` are multiples of ``factor``. Computed on
        their device.
    factor : int
        1, 2 or 4.
    generator : Generator
        Source of all draws, on the CPU.
    ranges : SinogramRange, optional

    Returns
    -------
    Tensor, shape (n, 1, h / factor, w / factor), float32
        The same grey values. Outside the inscribed circle there is air, and the noise of the scan.
    Scan
        What was drawn.

    Raises
    ------
    UserError
        If the sides are no multiples of ``factor``, or shorter than eight pixels after it.
    """
    scan = draw_scan(ranges or SinogramRange(), generator)
    return reconstruct(high, factor, scan, attenuation(high, scan)), scan


def sinogram_volume(
    clean: NDArray[np.floating[Any]],
    factor: int,
    seed: int,
    ranges: SinogramRange | None = None,
    air: float | None = None,
) -> tuple[NDArray[np.float32], Mapping[str, Any]]:
    """Take a volume through one scan: gains, geometry and flux are one for all slices, photons differ by slice.

    Parameters
    ----------
    clean : ndarray, shape (z, y, x)
        Any finite grey values that grow with the attenuation; ``y`` and ``x`` are multiples of ``factor``.
    factor : int
        1, 2 or 4; z is kept.
    seed : int
        The same seed gives the same result.
    ranges : SinogramRange, optional
    air : float, optional
        Grey value without attenuation; by default the 0.5 percentile of the volume.

    Returns
    -------
    ndarray, shape (z, y / factor, x / factor), float32
        The same grey values.
    dict
        The scan, ``factor``, ``air`` and the attenuation of one grey value per clean pixel.

    Raises
    ------
    UserError
        As `sinogram` does.
    """
    if clean.ndim != 3:
        raise UserError(f"A scan is of a volume (z, y, x), not of an array of shape {clean.shape}.")
    low, top = (float(value) for value in np.percentile(clean, (0.5, 99.5)))
    base, span = low if air is None else air, (top - low) or 1.0
    slabs = [slice(z, min(z + _SLAB, len(clean))) for z in range(0, len(clean), _SLAB)]

    def slab(part: slice) -> Tensor:
        return torch.from_numpy(((clean[part] - base) / span).astype(np.float32))[:, None]

    scan = draw_scan(ranges or SinogramRange(), seeded(seed))
    # Attenuation goes inversely with a slab's mean grey value: this is that of the whole volume.
    grey = len(clean) / sum((part.stop - part.start) / attenuation(slab(part), scan) for part in slabs)
    result = [reconstruct(slab(part), factor, scan, grey, part.start)[:, 0].numpy() for part in slabs]
    record = {**asdict(scan), "factor": factor, "air": base, "attenuation": grey / span}
    return np.concatenate(result) * np.float32(span) + np.float32(base), record


def draw_scan(ranges: SinogramRange, generator: Generator) -> Scan:
    """Draw one scan; always the same number of draws."""

    def uniform(bounds: tuple[float, float]) -> float:
        share = torch.rand((), generator=generator).item()
        return bounds[0] if bounds[0] == bounds[1] else bounds[0] + (bounds[1] - bounds[0]) * share

    def log_uniform(bounds: tuple[float, float]) -> float:
        share = uniform((0.0, 1.0))
        return bounds[0] if bounds[0] == bounds[1] else bounds[0] ** (1 - share) * bounds[1] ** share

    def half_none(bounds: tuple[float, float]) -> float:
        value, there = uniform(bounds), uniform((0.0, 1.0)) < 0.5
        return value if there or bounds[0] else 0.0

    def whole(first: int, beyond: int) -> int:
        return int(torch.randint(first, beyond, (), generator=generator).item())

    return Scan(
        counts=log_uniform(ranges.counts),
        depth=uniform(ranges.depth),
        sample=log_uniform(ranges.sample),
        psf_sigma=uniform(ranges.psf_sigma),
        fringe=half_none(ranges.fringe),
        gain=log_uniform(ranges.gain),
        drift=uniform(ranges.drift),
        jitter=uniform(ranges.jitter),
        angles=whole(ranges.angles[0], ranges.angles[1] + 1),
        missing=half_none(ranges.missing),
        missing_from=uniform((0.0, 180.0)),
        window=ranges.windows[whole(0, len(ranges.windows))],
        interpolation=ranges.interpolations[whole(0, len(ranges.interpolations))],
        smoothing=half_none(ranges.smoothing),
        seed=whole(0, 2**31),
    )


def attenuation(high: Tensor, scan: Scan) -> float:
    """Attenuation per (high-resolution) pixel of the intensity 1 that gives slices (n, 1, h, w) the scan's depth."""
    diameter = min(high.shape[-2:])
    distance = _distance(high)
    # Averaged over the angles, the ray through the middle sees every pixel in proportion to 1 / (pi distance).
    weight = (distance <= diameter / 2) / (math.pi * distance.clamp(min=0.28))
    mean = float((high[:, 0] * weight).nan_to_num().sum() / (len(high) * weight.sum()))
    # A nearly empty slice is not scanned at a hundred times the contrast.
    return scan.depth / (max(mean, 0.1) * diameter * scan.sample)


def measure(high: Tensor, factor: int, scan: Scan, grey: float, first: int = 0) -> tuple[Tensor, Tensor]:
    """Scan slices: the line integrals that the detector's counts say, and the angles that they are taken to be of.

    Parameters
    ----------
    high : Tensor, shape (n, 1, h, w), float32
    factor : int
    scan : Scan
    grey : float
        Attenuation per high-resolution pixel of the intensity 1.
    first : int
        Number of the first slice in its volume.

    Returns
    -------
    Tensor, shape (n, angles, min(h, w) / factor), float32
        Line integrals without what surrounds the slice.
    Tensor, shape (angles,), float64
        In radians.
    """
    height, width = high.shape[-2:]
    if height % factor or width % factor or min(height, width) < 8 * factor:
        raise UserError(
            f"Slices of {height} x {width} pixels cannot be scanned at factor {factor}: "
            f"crop them to multiples of {factor}, at least {8 * factor}."
        )
    shared = seeded(scan.seed)
    detector = min(height, width) // factor
    nominal = math.pi / scan.angles * torch.arange(scan.angles, dtype=torch.float64)
    error = torch.randn(scan.angles, generator=shared, dtype=torch.float64) * math.radians(scan.jitter)
    knots = torch.randn(1, 1, 1, 6, generator=shared) * scan.drift
    flux = functional.interpolate(knots, size=(1, scan.angles), mode="bicubic", align_corners=True)[0, 0, 0].exp()
    worse = 1 + 3 * (torch.rand(detector, generator=shared) < 0.02)
    gain = (scan.gain * worse * torch.randn(detector, generator=shared)).exp()
    kept = (nominal.rad2deg() - scan.missing_from) % 180 >= scan.missing

    beam = transmission(high, factor, scan, grey, (nominal + error)[kept])
    surround = scan.depth * (1 - 1 / scan.sample)
    expected = beam.cpu() * (flux[kept, None] * gain)
    if math.isfinite(scan.counts):
        open_beam = scan.counts * math.exp(-surround)
        counted = [torch.poisson(e * open_beam, seeded(scan.seed, first + z)) for z, e in enumerate(expected)]
        # A pixel that counts nothing is taken to have seen half a photon.
        expected = torch.stack(counted).clamp(min=0.5) / open_beam
    return -expected.log().to(high.device), nominal[kept]


def transmission(high: Tensor, factor: int, scan: Scan, grey: float, angles: Tensor) -> Tensor:
    """Share of the beam that reaches each detector pixel: fringes, blur and binning of what the sample lets through.

    The fringes are those of a sample of one material at a small distance: the intensity is ``1 - l^2 laplacian`` of
    what leaves the sample (Paganin et al., J. Microsc. 206, 2002, 33), ``l`` the scan's ``fringe``.

    Returns
    -------
    Tensor, shape (n, angles, min(h, w) / factor), float32
    """
    size = min(high.shape[-2:])
    inside = torch.where(_distance(high) <= size / 2, high[:, 0] * grey, 0.0)
    margin = math.ceil(4 * factor * (scan.psf_sigma + scan.fringe)) + 4
    stopped = 1 - (-project(inside, angles, size + 2 * margin)).exp()
    frequency = 2 * math.pi * torch.fft.rfftfreq(size + 2 * margin, device=high.device)
    transfer = 1 + (factor * scan.fringe * frequency) ** 2
    transfer = transfer * torch.exp(-0.5 * (factor * scan.psf_sigma * frequency) ** 2)
    stopped = torch.fft.irfft(torch.fft.rfft(stopped) * transfer, n=size + 2 * margin)[..., margin:-margin]
    return (1 - functional.avg_pool1d(stopped, factor)).clamp(min=1e-6)


def reconstruct(high: Tensor, factor: int, scan: Scan, grey: float, first: int = 0) -> Tensor:
    """Scan slices (n, 1, h, w) as `measure` does and reconstruct them, shape (n, 1, h / factor, w / factor)."""
    lines, angles = measure(high, factor, scan, grey, first)
    shape = (high.shape[-2] // factor, high.shape[-1] // factor)
    # Where angles are missing the others stand for them, as programs do it: grey values keep their level.
    spacing = math.pi / len(angles)
    slices = back_project(lines, angles, shape, spacing, scan.window, scan.interpolation, scan.smoothing)
    return slices[:, None] / (grey * factor)


def _distance(high: Tensor) -> Tensor:
    """Distance of each pixel (h, w) from the rotation axis."""
    y, x = (torch.arange(extent, device=high.device) - (extent - 1) / 2 for extent in high.shape[-2:])
    return torch.hypot(y[:, None], x[None, :])
