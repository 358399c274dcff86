"""NIQE: how unlike natural pictures the statistics of an image are, without a truth to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, Mask, kept, planes
from napari_nanoct.quality.pristine import NiqeModel, load_model
from napari_nanoct.quality.reference import grey_range

BLOCK = 96
# Neighbours whose products are looked at: along x, along y, both diagonals.
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class Niqe:
    """A NIQE figure: its value (smaller is more natural), the pristine model used, and the blocks looked at."""

    value: float
    model: str
    blocks: int


def niqe(
    image: ArrayLike,
    data_range: float | None = None,
    mask: Mask | None = None,
    model: NiqeModel | str | PathLike[str] | None = None,
) -> Niqe:
    """Natural image quality evaluator (Mittal et al., IEEE Signal Process. Lett. 20, 2013, 209, eq. 10).

    The distance between two multivariate Gaussians, one fitted to the features of the image's blocks, one to those of
    sharp natural pictures. Natural pictures are not tomograms: figures of one specimen may be compared with one
    another, small differences mean nothing, and figures by different models may not be compared at all.

    Parameters
    ----------
    image
        A slice (y, x) or a volume (z, y, x), any real type. NaN is allowed: the blocks it touches are left out.
    data_range
        Grey values that count as the 255 steps of a picture; by default `grey_range` of the image. Their offset does
        not matter.
    mask
        Where to look; broadcast to the image's shape. Blocks that reach out of it are left out.
    model
        The pristine model, or a file of one: ``.npz``, or the published ``modelparameters.mat``. By default the one
        that ships, fitted by `fit_pristine` to this project's natural training pictures.

    Returns
    -------
    Niqe
        Mean over the slices that have two usable blocks of 96 x 96 pixels, in no unit; which model; how many blocks.

    Raises
    ------
    UserError
        If no slice has two usable blocks, or the file is not a model.
    """
    pristine = model if isinstance(model, NiqeModel) else load_model(model)
    # Masked pixels become NaN, and then their blocks drop out.
    values = np.array(image, dtype=np.float64)
    keep = kept(mask, values.shape)
    if keep is not None:
        values[~keep] = np.nan
    if not np.isfinite(values).any():
        raise UserError("The image has no finite value, so NIQE sees nothing.")
    values *= 255 / (grey_range(values) if data_range is None else float(data_range))
    distances, blocks = [], 0
    for _, plane in planes(values, "NIQE"):
        features, _ = niqe_features(plane)
        whole = ~np.isnan(features).any(axis=1)
        if whole.sum() >= 2:
            distances.append(_distance(features, pristine))
            blocks += int(whole.sum())
    if not distances:
        raise UserError(
            "NIQE needs two blocks of 96 x 96 pixels with structure in them, and no slice of the image of shape "
            f"{values.shape} has them; use a larger region."
        )
    return Niqe(float(np.mean(distances)), pristine.name, blocks)


def niqe_features(image: ArrayLike) -> tuple[Float, Float]:
    """Return what NIQE sees of one slice.

    Parameters
    ----------
    image
        Shape (y, x); grey values 0 to 255.

    Returns
    -------
    features
        Shape (blocks, 36), float64: 18 features at the full and 18 at half the resolution, for every block of 96 x 96
        pixels. NaN where a block has no structure or a value that is not finite.
    sharpness
        Shape (blocks,): mean local standard deviation, the measure by which blocks of natural pictures are chosen.
    """
    plane = np.asarray(image, dtype=np.float64)
    rows, columns = (extent // BLOCK for extent in plane.shape)
    if not rows * columns:
        return np.empty((0, 36)), np.empty(0)
    plane = plane[: rows * BLOCK, : columns * BLOCK]
    normalised, deviation = _normalise(plane)
    coarse, _ = _normalise(halve(plane))
    features = [_block_features(_blocks(normalised, BLOCK)), _block_features(_blocks(coarse, BLOCK // 2))]
    return np.concatenate(features, axis=1), _blocks(deviation, BLOCK).mean(axis=(1, 2))


def fit_aggd(samples: ArrayLike) -> tuple[Float, Float, Float]:
    """Fit asymmetric generalised Gaussians by matching moments (Lasmar et al., ICIP 2009; eq. 7 of the NIQE paper).

    Parameters
    ----------
    samples
        Shape (n, values).

    Returns
    -------
    shape, left, right
        Each of shape (n,): the exponent, between 0.2 and 10 in steps of 0.001, and the scale on each side of zero.
        NaN where a row is constant, lacks values on one side of zero, or holds NaN.
    """
    from scipy.special import gamma

    x = np.asarray(samples, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.sqrt((x**2).sum(axis=1, where=x < 0) / (x < 0).sum(axis=1))
        right = np.sqrt((x**2).sum(axis=1, where=x > 0) / (x > 0).sum(axis=1))
        skew = left / right
        ratio = np.abs(x).mean(axis=1) ** 2 / (x**2).mean(axis=1)
        ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    exponents, ratios = _table()
    after = np.clip(np.searchsorted(ratios, ratio), 1, len(ratios) - 1)
    shape = exponents[np.where(ratio - ratios[after - 1] <= ratios[after] - ratio, after - 1, after)]
    shape = np.where(np.isfinite(ratio), shape, np.nan)
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale


def halve(plane: Float) -> Float:
    """Halve the resolution as ``imresize(x, 0.5)`` does: bicubic, a = -0.5, anti-aliased, edges mirrored."""
    from scipy.ndimage import correlate1d

    distance = np.abs(np.arange(-3.5, 4)) / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    kernel = np.where(distance <= 1, near, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2)
    kernel /= kernel.sum()
    # Eight weights have their centre between two pixels; origin -1 puts it after the pixel that is kept.
    for axis in (0, 1):
        plane = correlate1d(plane, kernel, axis=axis, mode="reflect", origin=-1)
    return plane[::2, ::2]


def _normalise(plane: Float) -> tuple[Float, Float]:
    """Return mean-subtracted, contrast-normalised values (eq. 1) and the local standard deviation."""
    from scipy.ndimage import gaussian_filter

    mean = gaussian_filter(plane, 7 / 6, radius=3, mode="nearest")
    deviation = np.sqrt(np.abs(gaussian_filter(plane**2, 7 / 6, radius=3, mode="nearest") - mean**2))
    return (plane - mean) / (deviation + 1), deviation


def _blocks(plane: Float, size: int) -> Float:
    rows, columns = (extent // size for extent in plane.shape)
    return plane.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)


def _block_features(blocks: Float) -> Float:
    from scipy.special import gamma

    flat = blocks.reshape(len(blocks), -1)
    shape, left, right = fit_aggd(flat)
    features = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = fit_aggd(flat * np.roll(blocks, shift, axis=(1, 2)).reshape(flat.shape))
        features += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return np.stack(features, axis=1)


def _distance(features: Float, pristine: NiqeModel) -> float:
    mean, covariance = gaussian(features)
    between = pristine.mean - mean
    return float(np.sqrt(between @ np.linalg.pinv((pristine.covariance + covariance) / 2) @ between))


def gaussian(features: NDArray[Any]) -> tuple[Float, Float]:
    """Mean of what is not NaN and covariance of the rows without NaN, as the authors' program takes them."""
    whole = features[~np.isnan(features).any(axis=1)]
    return np.nanmean(features, axis=0), np.cov(whole, rowvar=False)


@cache
def _table() -> tuple[Float, Float]:
    """Exponents, and the ratio of moments of each, which grows with it."""
    from scipy.special import gamma

    exponents = np.arange(0.2, 10.0005, 0.001)
    return exponents, gamma(2 / exponents) ** 2 / (gamma(1 / exponents) * gamma(3 / exponents))
