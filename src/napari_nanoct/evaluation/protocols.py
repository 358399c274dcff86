"""The degradations that the project is judged by, at fixed levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from napari_nanoct.training.degrade import BlindRange

# Noise as a share of the range, and photons at its top.
BLIND_LEVELS = ((0.03, 2600.0), (0.06, 740.0), (0.12, 230.0))
PROTOCOLS = {"bicubic": 1, "blind": len(BLIND_LEVELS)}
"""Number of levels of each protocol, mild to strong."""


def degrade(truth: NDArray[np.float32], protocol: str, level: int, factor: int, seed: int) -> NDArray[np.float32]:
    """Make the low-resolution slice that a method is given.

    Parameters
    ----------
    truth : ndarray, shape (y, x), float32
        Range 0 to 1; y and x are multiples of ``factor``.
    protocol : str
        ``bicubic`` or ``blind``.
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

    if protocol not in PROTOCOLS:
        raise UserError(f"There is no degradation '{protocol}'; there are: {', '.join(PROTOCOLS)}.")
    high = torch.from_numpy(np.ascontiguousarray(truth))[None, None]
    if protocol == "bicubic":
        if factor == 1:
            raise UserError("The degradation 'bicubic' changes nothing at factor 1; choose blind.")
        return np.asarray(bicubic(high, factor)[0, 0].numpy())
    return np.asarray(blind(high, factor, seeded(seed, level), _blind(level))[0, 0].numpy())


def _blind(level: int) -> BlindRange:
    from napari_nanoct.training.degrade import BlindRange

    noise, photons = BLIND_LEVELS[level]
    return BlindRange((0.6, 2.0), (noise, noise), (photons, photons), ring=0.04, shading=0.05, axis=0.05)
