"""Structural similarity over several scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, Mask, kept, pair, planes
from napari_nanoct.quality.reference import grey_range

# Wang et al. (2003): from fine to coarse.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW = 11
_BORDER = (_WINDOW - 1) // 2


def scales(shape: tuple[int, ...]) -> int:
    """How many of the five scales slices of ``shape`` (..., y, x) have room for: the coarsest holds 11 x 11 pixels."""
    return min(len(WEIGHTS), int(np.log2(max(min(shape[-2:]) // _WINDOW, 0.5))) + 1)


def ms_ssim(truth: ArrayLike, image: ArrayLike, data_range: float | None = None, mask: Mask | None = None) -> float:
    """Multi-scale structural similarity (Wang et al., Asilomar Conf. 2003, 1398, eq. 7), slice by slice.

    Contrast and structure are compared at every scale, luminance at the coarsest; a scale is the one before averaged
    over 2 x 2 pixels (an odd last row or column is dropped). Five scales need slices of 176 pixels. Smaller slices get
    the `scales` they have room for, the published weights of those divided by their sum: compare such figures only
    with figures of the same number of scales. A negative mean of contrast and structure, which has no power, counts 0.

    Parameters
    ----------
    truth, image
        Slices (y, x) or volumes (z, y, x) of one shape in the same grey values; at least 11 pixels in y and x.
    data_range
        The peak; by default `grey_range` of ``truth`` (of the whole volume).
    mask
        Where to look; broadcast to the arrays' shape. A coarse pixel counts where all its fine pixels do.

    Returns
    -------
    float
        Mean over slices, 1 for equal images.

    Raises
    ------
    UserError
        If the shapes differ, a slice is too small, or the mask leaves nothing at some scale.
    """
    a, b = pair(truth, image)
    if a.ndim not in (2, 3) or min(a.shape[-2:]) < _WINDOW:
        raise UserError(f"MS-SSIM needs slices of at least 11 x 11 pixels, (y, x) or (z, y, x), not shape {a.shape}.")
    keep = kept(mask, a.shape)
    data_range = grey_range(a) if data_range is None else float(data_range)
    values = [_slice(x, b[z], data_range, None if keep is None else keep[z]) for z, x in planes(a, "MS-SSIM")]
    return float(np.mean(values))


def _slice(a: Float, b: Float, data_range: float, mask: Mask | None) -> float:
    keep: NDArray[Any] = np.ones(a.shape, dtype=bool) if mask is None else mask
    weights = np.array(WEIGHTS[: scales(a.shape)])
    value = 1.0
    for scale, weight in enumerate(weights / weights.sum()):
        if scale:
            a, b = (_fine(x).mean(axis=(1, 3)) for x in (a, b))
            keep = np.asarray(_fine(keep).all(axis=(1, 3)))
        luminance, structure = _terms(a, b, data_range)
        seen = keep[_BORDER:-_BORDER, _BORDER:-_BORDER]
        if not seen.any():
            raise UserError(f"The mask leaves no pixel at scale {scale + 1} of MS-SSIM; widen it, or use SSIM.")
        mean = (structure if scale + 1 < len(weights) else luminance * structure)[seen].mean()
        value *= max(float(mean), 0.0) ** weight
    return value


def _fine(x: NDArray[Any]) -> NDArray[Any]:
    rows, columns = (extent // 2 for extent in x.shape)
    return x[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)


def _terms(a: Float, b: Float, data_range: float) -> tuple[Float, Float]:
    from scipy.ndimage import gaussian_filter

    def local(x: Float) -> Float:
        return gaussian_filter(x, 1.5, radius=_BORDER)[_BORDER:-_BORDER, _BORDER:-_BORDER]

    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_a, mean_b = local(a), local(b)
    variances = local(a * a) - mean_a**2 + local(b * b) - mean_b**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return luminance, (2 * (local(a * b) - mean_a * mean_b) + c2) / (variances + c2)
