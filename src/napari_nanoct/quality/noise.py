"""Noise power spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, planes, spacing


@dataclass(frozen=True)
class NoisePower:
    """Power of noise by spatial frequency.

    Attributes
    ----------
    power
        Shape (y, x), grey value squared times unit squared; zero frequency in the middle, at ``n // 2``. Its integral
        over frequency is the variance.
    frequency_y, frequency_x
        Frequencies of the rows and columns of ``power``, cycles per unit.
    frequency, radial
        Shape (rings,): rings up to the Nyquist frequency, and the mean power on each.
    patches
        How many patches were averaged.
    """

    power: Float
    frequency_y: Float
    frequency_x: Float
    frequency: Float
    radial: Float
    patches: int


def noise_power_spectrum(
    noise: ArrayLike, voxel_size: float | tuple[float, float] = 1.0, patch: int | None = 64
) -> NoisePower:
    """Noise power spectrum of slices (ICRU Report 87, 2012; Siewerdsen et al., Med. Phys. 29, 2002, 2655).

    ``dy dx / (ny nx) <|DFT(patch - its plane)|^2>``, the mean over patches. From each patch a plane is taken off by
    least squares, so that slow shading does not count as noise; the lowest frequencies come out too small for it.

    Parameters
    ----------
    noise
        A slice (y, x) or slices (z, y, x) with noise alone: a region without structure, image minus truth, or two
        acquisitions' difference divided by the square root of 2. Patches with a value that is not finite are left out.
    voxel_size
        One, or (y, x).
    patch
        Side of the patches, which touch one another; None for whole slices.

    Raises
    ------
    UserError
        If patches are smaller than 8 x 8 pixels, or not one whole patch is left.
    """
    values = np.asarray(noise, dtype=np.float64)
    sizes = spacing(voxel_size, 2)
    side = values.shape[-2:] if patch is None else (patch, patch)
    if len(side) != 2 or min(side) < 8:
        raise UserError(f"The noise power spectrum needs patches of at least 8 x 8 pixels, not of shape {side}.")
    plane_of = _plane_projector(side)
    total, count = np.zeros(side), 0
    for _, plane in planes(values, "The noise power spectrum"):
        rows, columns = (extent // n for extent, n in zip(plane.shape, side, strict=True))
        cut = plane[: rows * side[0], : columns * side[1]].reshape(rows, side[0], columns, side[1]).swapaxes(1, 2)
        for piece in cut.reshape(-1, *side):
            if np.isfinite(piece).all():
                flat = piece.ravel()
                detrended = (flat - plane_of @ (plane_of.T @ flat)).reshape(side)
                total += np.abs(np.fft.fft2(detrended)) ** 2
                count += 1
    if not count:
        raise UserError(
            f"The noise power spectrum needs a finite patch of {side[0]} x {side[1]} pixels; make it smaller."
        )
    power = np.fft.fftshift(total) * (sizes[0] * sizes[1] / (side[0] * side[1] * count))
    y, x = (np.fft.fftshift(np.fft.fftfreq(n, size)) for n, size in zip(side, sizes, strict=True))
    return NoisePower(power, y, x, *_radial(power, y, x), count)


def _plane_projector(side: tuple[int, ...]) -> Float:
    """Return orthonormal columns that span constant, slope in y and slope in x."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in side), indexing="ij")
    return np.asarray(np.linalg.qr(np.stack([np.ones(y.size), y.ravel(), x.ravel()], axis=1))[0])


def _radial(power: Float, y: Float, x: Float) -> tuple[Float, Float]:
    width = max(y[1] - y[0], x[1] - x[0])
    rings = int(min(-y[0], -x[0]) / width + 1e-9)
    index = np.rint(np.hypot(y[:, None], x[None, :]) / width).astype(np.int64).ravel()
    sums = np.bincount(index, power.ravel(), rings + 1)[1 : rings + 1]
    return np.arange(1, rings + 1) * width, sums / np.bincount(index, minlength=rings + 1)[1 : rings + 1]
