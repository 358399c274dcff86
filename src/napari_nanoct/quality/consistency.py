"""Does a volume keep its grey values, and do its slices agree with their neighbours?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, Mask, kept
from napari_nanoct.quality.reference import grey_range

# The second difference (1, -2, 1) of independent values has this many times their standard deviation.
_GAIN = np.sqrt(6)


@dataclass(frozen=True)
class Flicker:
    """Disagreement of neighbouring slices, in shares of the grey range.

    Attributes
    ----------
    level
        Of the slices' means: the standard deviation of an offset drawn anew for every slice.
    texture
        Of single voxels: the standard deviation of noise drawn anew for every slice, plus what structure changes.
    """

    level: float
    texture: float


def grey_drift(
    image: ArrayLike, reference: ArrayLike | None = None, data_range: float | None = None, mask: Mask | None = None
) -> Float:
    """By how much the mean grey value of each slice is off, in shares of the grey range.

    Parameters
    ----------
    image
        Shape (z, y, x), any real type; values that are not finite are left out.
    reference
        What the means should be: the input of an enhancement, or the truth, with as many slices; y and x may differ
        where there is no mask. By default the mean of the whole image, and the drift is that along z.
    data_range
        By default `grey_range` of the reference, or of the image.
    mask
        Where to look; broadcast to the image's shape, for example `circle_mask`.

    Returns
    -------
    ndarray, shape (z,), float64
        Positive where a slice is too bright; NaN where a slice has no finite value.

    Raises
    ------
    UserError
        If there is no z axis, the number of slices differs, or the mask leaves nothing.
    """
    means = _means(image, mask)
    scale = grey_range(image if reference is None else reference) if data_range is None else float(data_range)
    expected = np.full(1, np.nanmean(means)) if reference is None else _means(reference, mask)
    if expected.size not in (1, means.size):
        raise UserError(f"Image and reference must have as many slices, not {means.size} and {expected.size}.")
    return (means - expected) / scale


def flicker(image: ArrayLike, data_range: float | None = None, mask: Mask | None = None) -> Flicker:
    """How much neighbouring slices disagree (slice-to-slice consistency of a volume that is enhanced slice by slice).

    Both figures are the root mean square of the second difference along z, ``x[z-1] - 2 x[z] + x[z+1]``, divided by
    the square root of 6 and by the grey range: of the slices' means, and of single voxels. A linear drift cancels.
    Structure that changes along z counts in ``texture``: compare the figure of an enhancement with that of its input,
    than which it should be less, and with that of the truth, if there is one.

    Parameters
    ----------
    image
        Shape (z, y, x), at least 3 slices, any real type; values that are not finite are left out.
    data_range
        By default `grey_range` of the image. Give that of the input to compare volumes.
    mask
        Where to look; broadcast to the image's shape.

    Raises
    ------
    UserError
        If there are fewer than 3 slices, or nothing finite is left.
    """
    values = np.asarray(image)
    means = _means(values, mask)
    if len(means) < 3:
        raise UserError(f"Flicker needs at least 3 slices, and the image has {len(means)}.")
    keep = kept(mask, values.shape)
    scale = (grey_range(values) if data_range is None else float(data_range)) * _GAIN
    total, count = 0.0, 0
    for z in range(1, len(values) - 1):
        before, here, after = (plane.astype(np.float64) for plane in values[z - 1 : z + 2])
        second = before - 2 * here + after
        seen = np.isfinite(second) if keep is None else np.isfinite(second) & keep[z - 1 : z + 2].all(axis=0)
        total, count = total + float((second[seen] ** 2).sum()), count + int(seen.sum())
    if not count:
        raise UserError("No three neighbouring slices share a finite voxel, so their flicker cannot be seen.")
    level = np.nanmean((means[:-2] - 2 * means[1:-1] + means[2:]) ** 2)
    return Flicker(float(np.sqrt(level)) / scale, float(np.sqrt(total / count)) / scale)


def _means(image: ArrayLike, mask: Mask | None) -> Float:
    values = np.asarray(image)
    if values.ndim != 3:
        raise UserError(f"Slices are compared in volumes (z, y, x), not in shape {values.shape}.")
    keep = kept(mask, values.shape)
    means = np.full(len(values), np.nan)
    for z, plane in enumerate(values):
        seen = np.isfinite(plane) if keep is None else np.isfinite(plane) & keep[z]
        if seen.any():
            means[z] = plane[seen].mean(dtype=np.float64)
    if np.isnan(means).all():
        raise UserError("No slice has a finite value where the mask looks.")
    return means
