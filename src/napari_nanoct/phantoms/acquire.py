"""What an instrument does to a clean volume, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError


@dataclass(frozen=True)
class Instrument:
    """Ranges that an acquisition is drawn from; amounts are shares of the clean volume's 0.5-99.5 percentile range.

    Attributes
    ----------
    psf
        Smallest and largest standard deviation of the Gaussian point spread function in clean pixels; one is drawn for
        each of two directions, and the angle between them and the grid.
    noise
        Smallest and largest standard deviation of the noise that back-projection colours.
    photons
        Fewest and most photons per pixel at the top of the range (the noise that grows with the signal).
    rings, ring_height
        Most rings per slice, and their largest height.
    shading
        Largest deviation of the smooth shading (cupping and a slope).
    """

    psf: tuple[float, float] = (0.6, 2.0)
    noise: tuple[float, float] = (0.03, 0.06)
    photons: tuple[float, float] = (740.0, 2600.0)
    rings: int = 4
    ring_height: float = 0.04
    shading: float = 0.05


@dataclass(frozen=True)
class Acquisition:
    """A degraded volume.

    Attributes
    ----------
    data
        uint16 (z, y // factor, x // factor).
    grey_range
        Attenuation at the grey values 0 and 65535.
    record
        What was drawn, in plain numbers, together with the settings.
    """

    data: NDArray[np.uint16]
    grey_range: tuple[float, float]
    record: Mapping[str, Any]

    def to_grey(self, attenuation: NDArray[np.floating]) -> NDArray[np.uint16]:
        """The grey values that this acquisition gives to ``attenuation``: rounded, saturated."""
        return to_grey(attenuation, self.grey_range)


def to_grey(attenuation: NDArray[np.floating], grey_range: tuple[float, float]) -> NDArray[np.uint16]:
    """Attenuation as uint16, from 0 at the first to 65535 at the second value of ``grey_range``: rounded, saturated."""
    low, high = grey_range
    grey = np.rint((np.asarray(attenuation, dtype=np.float64) - low) * (65535 / (high - low)))
    return np.asarray(np.clip(grey, 0, 65535), dtype=np.uint16)


def acquire(
    clean: NDArray[np.floating],
    *,
    factor: int = 1,
    seed: int = 0,
    instrument: Instrument | None = None,
    grey_range: tuple[float, float] | None = None,
) -> Acquisition:
    """Degrade a clean volume as an instrument does: blur, coarser pixels, noise, rings, shading, 16-bit grey values.

    In this order, slice by slice: an anisotropic Gaussian point spread function; the mean over ``factor`` x ``factor``
    pixels; noise whose variance grows with the signal; noise with the power spectrum that filtered back-projection
    gives white projection noise (proportional to the frequency, rolled off by the filter's window; Riederer et al.,
    Phys. Med. Biol. 23, 1978, 446); thin rings about the centre; shading. Noise and rings of a slice depend on the seed
    and the slice's index alone; blur and shading are one for the volume.

    Parameters
    ----------
    clean
        Attenuation (z, y, x); y and x at least ``factor``.
    factor
        Clean pixels per pixel of the result in y and x; z is kept. Rows and columns that fill no pixel are dropped.
    seed
        The same seed gives the same result.
    instrument
        Ranges of the draws; by default the milder two of the three levels that models are judged at.
    grey_range
        Attenuation at the grey values 0 and 65535; by default wide enough for the noise not to saturate.

    Returns
    -------
    Acquisition
        The volume, its grey range and what was drawn.

    Raises
    ------
    UserError
        If the volume is not three-dimensional or smaller than a pixel, or factor or grey range are not positive.
    """
    if clean.ndim != 3 or factor < 1 or min(clean.shape[1:]) < factor or len(clean) < 1:
        raise UserError(
            f"A volume of shape {clean.shape} cannot be acquired at factor {factor}: give (z, y, x) and 1 or 2."
        )
    instrument = instrument or Instrument()
    low, high = _percentiles(clean)
    span = high - low
    grey_range = grey_range or (low - 0.4 * span, high + 0.4 * span)
    if not grey_range[1] > grey_range[0]:
        raise UserError(f"The grey range {grey_range} is empty: give a low and a higher attenuation.")

    rng = np.random.default_rng([seed, 0])
    sigma = rng.uniform(*instrument.psf, 2)
    angle = rng.uniform(0, np.pi)
    noise = _log_uniform(rng, instrument.noise)
    photons = _log_uniform(rng, instrument.photons)
    cupping, slope, direction = rng.uniform(-1, 1), rng.uniform(-1, 1), rng.uniform(0, 2 * np.pi)

    height, width = clean.shape[1] // factor, clean.shape[2] // factor
    y, x = _centred(height, width)
    shading = cupping * (2 * (x**2 + y**2) - 1) + slope * (np.cos(direction) * x + np.sin(direction) * y)
    shading *= instrument.shading * span / 2
    spectrum = _backprojection_spectrum(height, width)
    data = np.empty((len(clean), height, width), dtype=np.uint16)
    for z, plane in enumerate(clean):
        draw = np.random.default_rng([seed, 1, z])
        image = _blurred(plane.astype(np.float64), sigma, angle)[: height * factor, : width * factor]
        image = image.reshape(height, factor, width, factor).mean(axis=(1, 3))
        signal = np.clip((image - low) / span, 0, None)
        image = image + span * np.sqrt(signal / photons) * draw.standard_normal(image.shape)
        image += span * noise * np.fft.irfft2(np.fft.rfft2(draw.standard_normal(image.shape)) * spectrum, image.shape)
        image += span * _rings(draw, height, width, instrument) + shading
        data[z] = to_grey(image, grey_range)
    record = {
        **asdict(instrument),
        "factor": factor,
        "seed": seed,
        "psf_sigma": [float(s) for s in sigma],
        "psf_angle": float(angle),
        "noise_drawn": noise,
        "photons_drawn": photons,
        "cupping": float(cupping),
        "slope": float(slope),
        "percentile_range": [low, high],
        "grey_range": [float(grey_range[0]), float(grey_range[1])],
    }
    return Acquisition(data, (float(grey_range[0]), float(grey_range[1])), record)


def _percentiles(clean: NDArray[np.floating]) -> tuple[float, float]:
    """0.5 and 99.5 percentile; 1 apart where the volume is constant."""
    low, high = (float(p) for p in np.percentile(clean, [0.5, 99.5]))
    return (low, high) if high > low else (low, low + 1.0)


def _log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(limits))))


def _centred(height: int, width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates (height, 1) and (1, width) from -1 to 1 over the shorter side, 0 at the centre."""
    half = min(height, width) / 2
    y, x = (np.linspace(-(n - 1), n - 1, n) / (2 * half) for n in (height, width))
    return y[:, None], x[None, :]


def _blurred(plane: NDArray[np.float64], sigma: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """A plane after a Gaussian of two standard deviations (pixels), the first at ``angle`` to x; edges reflected."""
    pad = int(np.ceil(4 * sigma.max())) + 1
    padded = np.pad(plane, pad, mode="symmetric")
    v, u = np.fft.fftfreq(padded.shape[0])[:, None], np.fft.rfftfreq(padded.shape[1])[None, :]
    along, across = np.cos(angle) * u + np.sin(angle) * v, np.cos(angle) * v - np.sin(angle) * u
    transfer = np.exp(-2 * np.pi**2 * ((sigma[0] * along) ** 2 + (sigma[1] * across) ** 2))
    return np.fft.irfft2(np.fft.rfft2(padded) * transfer, padded.shape)[pad:-pad, pad:-pad]


def _backprojection_spectrum(height: int, width: int) -> NDArray[np.float64]:
    """Amplitude by frequency for ``rfft2`` of white noise: root of a ramp under a Hann window, unit variance."""
    v, u = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(u, v)
    amplitude = np.sqrt(frequency) * np.where(frequency < 0.5, np.cos(np.pi * frequency) ** 2, 0)
    # Columns but the first (and the last of an even width) stand for two frequencies of the whole spectrum.
    twice = np.full(u.shape, 2.0)
    twice[0, 0] = 1
    if width % 2 == 0:
        twice[0, -1] = 1
    power = float((amplitude**2 * twice).sum() / (height * width))
    return np.asarray(amplitude / np.sqrt(power)) if power > 0 else amplitude


def _rings(rng: np.random.Generator, height: int, width: int, instrument: Instrument) -> NDArray[np.float64]:
    """Thin rings about the centre of a slice; bright or dark, a pixel or two wide."""
    y, x = _centred(height, width)
    half = min(height, width) / 2
    radius = np.hypot(y, x) * half
    total = np.zeros((height, width))
    for _ in range(int(rng.integers(0, instrument.rings + 1))):
        middle = half * np.sqrt(rng.uniform(0.01, 1))
        ring = np.exp(-0.5 * ((radius - middle) / rng.uniform(0.5, 0.9)) ** 2)
        total += instrument.ring_height * rng.uniform(-1, 1) * ring
    return total
