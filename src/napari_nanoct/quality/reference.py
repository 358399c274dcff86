"""How close an image is to a known truth: PSNR and SSIM."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import kept, pair

# Wang et al. (2004): Gaussian window of s.d. 1.5, cut at 3.5 s.d., so 11 pixels wide.
_SSIM: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
_SSIM_WINDOW = 11


def psnr(
    truth: ArrayLike, image: ArrayLike, data_range: float | None = None, mask: NDArray[np.bool_] | None = None
) -> float:
    """Peak signal-to-noise ratio, ``10 log10(data_range^2 / mean squared error)``.

    Parameters
    ----------
    truth, image
        Arrays of one shape, any number of axes, any real type, in the same grey values.
    data_range
        The peak; by default `grey_range` of ``truth``.
    mask
        Where to look; of the arrays' shape or broadcast to it, for example `circle_mask` for every slice.

    Returns
    -------
    float
        Decibel; infinite where the two are equal.

    Raises
    ------
    UserError
        If the shapes differ or nothing is left under the mask.
    """
    a, b = pair(truth, image)
    keep = kept(mask, a.shape)
    data_range = grey_range(a) if data_range is None else float(data_range)
    error = (a - b) ** 2
    mean = float(error.mean() if keep is None else error[keep].mean())
    return float(10 * np.log10(data_range**2 / mean)) if mean else float("inf")


def ssim(
    truth: ArrayLike, image: ArrayLike, data_range: float | None = None, mask: NDArray[np.bool_] | None = None
) -> float:
    """Structural similarity (Wang et al., IEEE Trans. Image Process. 13, 2004, 600), slice by slice.

    The published settings: Gaussian window of standard deviation 1.5 (11 x 11 pixels), K1 = 0.01, K2 = 0.03. Half a
    window at the border is left out, as there the window has no whole neighbourhood.

    Parameters
    ----------
    truth, image
        Slices (y, x) or volumes (z, y, x) of one shape in the same grey values; at least 11 pixels in y and x.
    data_range
        The peak; by default `grey_range` of ``truth`` (of the whole volume).
    mask
        Where to look; broadcast to the arrays' shape.

    Returns
    -------
    float
        Mean over all pixels looked at, 1 for equal images.

    Raises
    ------
    UserError
        If the shapes differ, a slice is too small, or nothing is left under the mask.
    """
    from skimage.metrics import structural_similarity

    a, b = pair(truth, image)
    if a.ndim not in (2, 3) or min(a.shape[-2:]) < _SSIM_WINDOW:
        raise UserError(f"SSIM needs slices of at least 11 x 11 pixels, (y, x) or (z, y, x), not shape {a.shape}.")
    keep = kept(mask, a.shape)
    data_range = grey_range(a) if data_range is None else float(data_range)
    border = (_SSIM_WINDOW - 1) // 2
    whole = (..., slice(border, -border), slice(border, -border))
    total, count = 0.0, 0
    for z in np.ndindex(a.shape[:-2]):
        _, similarity = structural_similarity(a[z], b[z], data_range=data_range, full=True, **_SSIM)
        inner = similarity[whole] if keep is None else similarity[whole][keep[z][whole]]
        total, count = total + float(inner.sum()), count + inner.size
    if not count:
        raise UserError("The mask leaves no pixel that is half a window away from the border, so SSIM sees nothing.")
    return total / count


def grey_range(truth: ArrayLike) -> float:
    """Distance of the 0.5 and 99.5 percentile of the finite values, the usual peak of figures; 1 if constant."""
    values = np.asarray(truth)
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    low, high = np.percentile(values, [0.5, 99.5])
    return float(high - low) if high > low else 1.0


def circle_mask(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies in the circle inscribed in a slice of ``shape`` (y, x): what a reconstruction fills."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in shape)
    return np.asarray(np.hypot(y[:, None], x[None, :]) <= min(shape) / 2)
