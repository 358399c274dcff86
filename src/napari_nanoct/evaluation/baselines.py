"""Methods without training to compare with: each estimates the noise and smooths in proportion to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.evaluation.scores import Method, baseline

Image = NDArray[np.float32]

SMALLEST_BM3D = 16
"""Rows and columns that BM3D is given at least."""


@dataclass(frozen=True)
class Denoiser:
    """A method that smooths by ``strength`` times the noise that it finds.

    Attributes
    ----------
    smooth : callable
        Maps a slice (y, x) of range 0 to 1 and an amount, in units of its grey values, to a smoothed slice.
    strength : float
        Amount per standard deviation of the noise: the best on validation slices, as ``docs/baselines.py`` finds it.
    """

    smooth: Callable[[Image, float], Image]
    strength: float


def noise_level(image: Image) -> float:
    """Standard deviation of the noise in a slice (y, x), by the median of its finest diagonal differences.

    Donoho and Johnstone, Biometrika 81 (1994) 425, with the Haar wavelet.
    """
    height, width = (extent // 2 * 2 for extent in image.shape)
    quads = image[:height, :width].reshape(height // 2, 2, width // 2, 2)
    diagonal = (quads[:, 0, :, 0] - quads[:, 0, :, 1] - quads[:, 1, :, 0] + quads[:, 1, :, 1]) / 2
    return float(np.median(np.abs(diagonal)) / 0.6745)


def non_local_means(image: Image, amount: float) -> Image:
    """Smooth by non-local means (Buades et al., CVPR 2005), patches of 5, search of 13 pixels."""
    from skimage.restoration import denoise_nl_means

    smoothed = denoise_nl_means(image, patch_size=5, patch_distance=6, h=amount, fast_mode=True)
    return np.asarray(smoothed, dtype=np.float32)


def total_variation(image: Image, amount: float) -> Image:
    """Smooth by total variation (Chambolle, J. Math. Imaging Vis. 20, 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    return np.asarray(denoise_tv_chambolle(image, weight=amount), dtype=np.float32)


def bm3d(image: Image, amount: float) -> Image:
    """Smooth by block matching (Dabov et al., IEEE Trans. Image Process. 16, 2007), by its authors' package.

    Reference blocks lie 4 pixels apart in place of 3: a third less time for 0.01 dB (mean of `blind` and `sinogram`; at
    worst 0.03). Its licence allows non-commercial use alone, so it is not a dependency.
    """
    from bm3d import BM3DProfile
    from bm3d import bm3d as run

    profile = BM3DProfile()
    profile.step_ht = profile.step_wiener = 4
    height, width = image.shape
    # It brings the interpreter down where its blocks of 8 pixels have no room to move.
    roomy = np.pad(image, [(0, max(SMALLEST_BM3D - extent, 0)) for extent in image.shape], mode="symmetric")
    return np.asarray(run(roomy, sigma_psd=amount, profile=profile)[:height, :width], dtype=np.float32)


DENOISERS = {
    "non-local means": Denoiser(non_local_means, 1.0),
    "total variation": Denoiser(total_variation, 1.0),
    "bm3d": Denoiser(bm3d, 1.0),
}


def denoise(denoiser: Denoiser, factor: int, low: Image) -> Image:
    """Smooth a low-resolution slice by what a denoiser finds in it, then enlarge it bicubically."""
    return baseline(factor)(denoiser.smooth(low, max(denoiser.strength * noise_level(low), 1e-6)))


def untrained(factor: int) -> dict[str, Method]:
    """Return every method without training that is installed, by name, for a factor."""
    absent = missing()
    return {name: partial(denoise, denoiser, factor) for name, denoiser in DENOISERS.items() if name not in absent}


def missing() -> list[str]:
    """Names of the methods whose package is not installed."""
    return [name for name in ("bm3d",) if find_spec(name) is None]
