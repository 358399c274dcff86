"""Slices with pixels that hold no measurement, written as NaN: smoothing, reduction, resampling, agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_nanoct.training.register import Similarity

Picture = NDArray[np.float32]

SMOOTHING, WINDOW = 2.0, 8.0
"""Standard deviations, in pixels, of the blur that takes noise away and of the window of a local correlation."""

FLAT = 0.02
"""Share of the mean variance below which a window is too flat for its correlation to say anything."""


def measured(plane: NDArray[Any]) -> Picture:
    """Return a slice as float32, NaN where it holds no measurement.

    These are NaN and infinities, and what surrounds the reconstruction: the pixels that are joined to a corner by
    pixels of exactly its value, where all four corners have one value. A constant slice stays as it is.
    """
    from scipy.ndimage import label

    image = np.array(plane, np.float32)
    image[~np.isfinite(image)] = np.nan
    corners = (0, 0), (0, -1), (-1, 0), (-1, -1)
    value = image[0, 0]
    if np.all([image[corner] == value for corner in corners]):
        numbers = label(image == value)[0]
        # Corners of one value by chance are joined to next to nothing.
        outside = np.isin(numbers, [numbers[corner] for corner in corners])
        if not outside.all():
            image[outside] = np.nan
    return image


def smoothed(image: Picture, sigma: float, least: float = 0.9) -> Picture:
    """Blur with a Gaussian that knows only the measured pixels (normalised convolution, Knutsson and Westin, 1993).

    NaN where less than the share ``least`` of the Gaussian lies on measured pixels: also along the edges.
    """
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(image)
    weight = gaussian_filter(known.astype(np.float32), sigma, mode="constant")
    total = gaussian_filter(np.where(known, image, np.float32(0)), sigma, mode="constant")
    return np.where(weight >= least, total / np.maximum(weight, 1e-6), np.float32(np.nan))


def reduced(image: Picture, size: int) -> Picture:
    """Mean over blocks of ``size`` x ``size`` pixels; NaN where one of them is. Rows that fill no block are dropped."""
    height, width = (extent // size for extent in image.shape)
    blocks = image[: height * size, : width * size].reshape(height, size, width, size)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def warped(image: Picture, place: Similarity, shape: tuple[int, int], factor: float = 1.0, order: int = 3) -> Picture:
    """Sample an image where a similarity puts the pixels of a grid, by splines.

    Parameters
    ----------
    image : ndarray, shape (y, x)
    place : Similarity
        From pixels of the coarse grid to those of ``image``.
    shape : tuple of int
        Of the result, on a grid ``factor`` times finer with the same outer corner.
    """
    from scipy.ndimage import affine_transform

    matrix = place.matrix / factor
    first = place.apply(np.full(2, 0.5 / factor - 0.5))
    known = np.isfinite(image)
    whole = bool(known.all())
    filled = image if whole else np.where(known, image, np.float32(np.nanmean(image) if known.any() else 0))
    result = affine_transform(filled, matrix, first, shape, order=order, mode="constant", cval=np.nan)
    if not whole:
        share = affine_transform(known.astype(np.float32), matrix, first, shape, order=1, mode="constant")
        result[share < 0.99] = np.nan
    return np.asarray(result, np.float32)


def agreement(one: Picture, other: Picture) -> tuple[float, Picture]:
    """Correlate two images of one grid, as a whole and around every pixel.

    Both are blurred first, so that noise does not count, and compared to their local means, so that neither an outline
    nor shading does. The local correlation is regularised as in SSIM (Wang et al., IEEE Trans. Image Process. 13, 2004,
    600): 1 where both are flat.

    Returns
    -------
    whole : float
        -1 to 1; 0 where there is nothing to compare.
    local : ndarray, shape (y, x), float32
        -1 to 1; NaN where one of them has no value.
    """
    # one mask for both: what is missing in one would blur the two differently
    common = np.where(np.isfinite(one) & np.isfinite(other), np.float32(0), np.float32(np.nan))
    a, b = smoothed(one + common, SMOOTHING, 0.7), smoothed(other + common, SMOOTHING, 0.7)
    a, b = a - smoothed(a, WINDOW, 0), b - smoothed(b, WINDOW, 0)
    variance_a, variance_b, covariance = (smoothed(product, WINDOW, 0) for product in (a * a, b * b, a * b))
    known = np.isfinite(covariance) & np.isfinite(a)
    if not known.any():
        return 0.0, np.full(one.shape, np.nan, np.float32)
    mean_a, mean_b = float(variance_a[known].mean()), float(variance_b[known].mean())
    whole = float(covariance[known].mean()) / max(np.sqrt(mean_a * mean_b), 1e-12)
    flat_a, flat_b = FLAT * mean_a + 1e-12, FLAT * mean_b + 1e-12
    local = (covariance + np.sqrt(flat_a * flat_b)) / np.sqrt((variance_a + flat_a) * (variance_b + flat_b))
    return whole, np.where(known, local, np.float32(np.nan)).astype(np.float32)
