"""Contrast and sharpness without a truth: contrast to noise of two regions, width of an edge."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, Mask, kept, spacing

# Distance between the 10 and 90 % points of an error function, in standard deviations.
RISE = 2.5631031310892007


def cnr(image: ArrayLike, first: Mask, second: Mask) -> float:
    """Contrast to noise of two regions, ``|m1 - m2| / sqrt((s1^2 + s2^2) / 2)``.

    ``m`` and ``s`` are mean and standard deviation of the finite values of a region: with equal noise in both it is
    the contrast in standard deviations of the noise. Other authors divide by ``sqrt(s1^2 + s2^2)``, which is smaller
    by the square root of 2, or by the noise of one region alone. Structure inside a region counts as noise.

    Parameters
    ----------
    image
        Any shape, any real type.
    first, second
        Masks of the image's shape, or broadcast to it.

    Returns
    -------
    float
        Without a unit; infinite for regions without noise, 0 where there is no contrast either.

    Raises
    ------
    UserError
        If a region has no finite pixel.
    """
    values = np.asarray(image, dtype=np.float64)
    means, variances = [], []
    for mask in (first, second):
        region = values[kept(mask, values.shape)]
        region = region[np.isfinite(region)]
        if not region.size:
            raise UserError("A region of the contrast-to-noise ratio has no finite pixel.")
        means.append(region.mean())
        variances.append(region.var())
    contrast, noise = abs(means[0] - means[1]), np.sqrt(np.mean(variances))
    if noise:
        return float(contrast / noise)
    return float("inf") if contrast else 0.0


def edge_width(image: ArrayLike, voxel_size: float | tuple[float, ...] = 1.0) -> float:
    """Distance over which a straight edge rises from 10 to 90 %, by an error function fitted to all pixels.

    An edge blurred by a Gaussian of standard deviation s has the width 2.563 s. The direction across the edge is the
    one in which the smoothed image changes most (first eigenvector of its structure tensor), so that the edge may lie
    at any angle; the fit then takes every pixel at its distance along that direction.

    Parameters
    ----------
    image
        A profile (n,), or a region (y, x) or (z, y, x) with one straight edge and both plateaus. NaN is left out of
        the fit of a profile; regions must be finite.
    voxel_size
        Of each axis, or one for all.

    Returns
    -------
    float
        In the unit of the voxel size, pixels by default.

    Raises
    ------
    UserError
        If there is no edge to be fitted, or it is wider than the region.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.ndim not in (1, 2, 3) or min(values.shape) < 8:
        raise UserError(
            f"The width of an edge needs 8 pixels along every axis, and the region has shape {values.shape}."
        )
    sizes = spacing(voxel_size, values.ndim)
    axes = [(np.arange(n) - (n - 1) / 2) * size for n, size in zip(values.shape, sizes, strict=True)]
    across = _across(values, sizes)
    grids = np.meshgrid(*axes, indexing="ij")
    distance = sum(part * grid for part, grid in zip(across, grids, strict=True))
    keep = np.isfinite(values)
    return RISE * _sigma(np.asarray(distance)[keep], values[keep])


def _across(values: Float, sizes: tuple[float, ...]) -> Float:
    if values.ndim == 1:
        return np.ones(1)
    if not np.isfinite(values).all():
        raise UserError("The width of an edge needs a region of finite values.")
    from scipy.ndimage import gaussian_filter

    axes = range(values.ndim)
    gradient = np.stack([gaussian_filter(values, 1.5, order=[int(i == j) for j in axes]) / sizes[i] for i in axes])
    # At the border the filter invents neighbours and bends the direction.
    inner = gradient[(slice(None), *(slice(3, -3) if n > 12 else slice(2, -2) for n in values.shape))]
    flat = inner.reshape(values.ndim, -1)
    return np.asarray(np.linalg.eigh(flat @ flat.T)[1][:, -1])


def _sigma(distance: Float, values: Float) -> float:
    from scipy.optimize import OptimizeWarning, curve_fit
    from scipy.special import erf

    no_edge = UserError("No edge was found: the region needs one straight edge with a plateau on either side.")
    if len(values) < 8 or np.ptp(values) == 0:
        raise no_edge

    def model(x: Float, middle: float, half: float, place: float, log_sigma: float) -> Float:
        return middle + half * erf((x - place) / (np.sqrt(2) * np.exp(log_sigma)))

    extent = np.ptp(distance)
    order = np.argsort(distance)
    ends = [values[part].mean() for part in np.array_split(order, 8)]
    start = ((ends[0] + ends[-1]) / 2, (ends[-1] - ends[0]) / 2, float(np.median(distance)), np.log(extent / 10))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)
            (_, half, place, log_sigma), covariance = curve_fit(model, distance, values, start)
    except (RuntimeError, OptimizeWarning) as error:
        raise no_edge from error
    sigma = float(np.exp(log_sigma))
    inside = distance.min() < place < distance.max()
    # A slope without plateaus, or noise, gives a width that the region cannot hold or an edge lost in its own error.
    if not inside or RISE * sigma > extent or abs(half) < 3 * np.sqrt(covariance[1, 1]):
        raise no_edge
    return sigma
