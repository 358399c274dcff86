"""The degradations that the project is judged by, at fixed levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from napari_nanoct.training.degrade import BlindRange
    from napari_nanoct.training.degrade_sinogram import SinogramRange

# Noise as a share of the range, and photons at its top.
BLIND_LEVELS = ((0.03, 2600.0), (0.06, 740.0), (0.12, 230.0))
# Photons per detector pixel and projection in the open beam.
SINOGRAM_LEVELS = (10_000.0, 2_000.0, 500.0)
PROTOCOLS = {"bicubic": 1, "blind": len(BLIND_LEVELS), "sinogram": len(SINOGRAM_LEVELS)}
"""Number of levels of each protocol, mild to strong."""


def degrade(truth: NDArray[np.float32], protocol: str, level: int, factor: int, seed: int) -> NDArray[np.float32]:
    """Make the low-resolution slice that a method is given.

    Parameters
    ----------
    truth : ndarray, shape (y, x), float32
        Range 0 to 1; y and x are multiples of ``factor``.
    protocol : str
        ``bicubic``, ``blind`` or ``sinogram``; the last leaves nothing of the truth outside the inscribed circle.
    level : int
        From 0, the mildest.
    factor : int
        1, 2 or 4.
    seed : int

    Returns
    -------
    ndarray, shape (y / factor, x / factor), float32

    Raises
    ------
    UserError
        If there is no such protocol, or it does nothing at this factor.
    """
    import torch

    from napari_nanoct.training.data import seeded
    from napari_nanoct.training.degrade import bicubic, blind
    from napari_nanoct.training.degrade_sinogram import sinogram

    if protocol not in PROTOCOLS:
        raise UserError(f"There is no degradation '{protocol}'; there are: {', '.join(PROTOCOLS)}.")
    high = torch.from_numpy(np.ascontiguousarray(truth))[None, None]
    if protocol == "bicubic":
        if factor == 1:
            raise UserError("The degradation 'bicubic' changes nothing at factor 1; choose blind or sinogram.")
        return np.asarray(bicubic(high, factor)[0, 0].numpy())
    if protocol == "sinogram":
        return np.asarray(sinogram(high, factor, seeded(seed, level), _sinogram(level))[0][0, 0].numpy())
    return np.asarray(blind(high, factor, seeded(seed, level), _blind(level))[0][0, 0].numpy())


def _blind(level: int) -> BlindRange:
    from napari_nanoct.training.degrade import BlindRange

    noise, photons = BLIND_LEVELS[level]
    return BlindRange((0.6, 2.0), (noise, noise), (photons, photons), ring=0.04, shading=0.05, axis=0.05)


def _sinogram(level: int) -> SinogramRange:
    """361 angles, the whole sample in view, reconstructed as scikit-image's ``iradon`` does it by default."""
    from napari_nanoct.training.degrade_sinogram import SinogramRange

    counts = SINOGRAM_LEVELS[level]
    return SinogramRange(
        counts=(counts, counts),
        depth=(1.25, 1.25),
        sample=(1.0, 1.0),
        psf_sigma=(0.5, 0.5),
        fringe=(0.0, 0.0),
        gain=(0.002, 0.002),
        drift=(0.01, 0.01),
        jitter=(0.0, 0.0),
        angles=(361, 361),
        missing=(0.0, 0.0),
        windows=("ramp",),
        interpolations=("linear",),
        smoothing=(0.0, 0.0),
    )
