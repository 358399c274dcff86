"""Two volumes to be paired: which factor, which slice of one lies where in the other, and reading of slices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from napari_nanoct.training.masked import Picture
    from napari_nanoct.volumes import Geometry, IntensityRange, Volume

Triple = tuple[float, float, float]

FACTORS = (1, 2, 4)

CERTAIN = 0.5
"""Agreement from which two slices are taken to show the same thing; unrelated ones stay below 0.3."""

DISTANCES = 8
"""Slices from which the places of some tell how far they are apart; fewer are taken to be as thick in both volumes."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A volume and the grey values that become 0 and 1."""

    volume: Volume
    range: IntensityRange

    def slice(self, z: int) -> Picture:
        """One slice in the range of the volume, NaN where it holds no measurement."""
        from napari_nanoct.training.masked import measured

        return measured(self.range.normalise(np.asarray(self.volume.data[z])))

    def slab(self, position: float, thickness: float) -> Picture | None:
        """Mean over the thickness of a slice of the other scan.

        Parameters
        ----------
        position : float
            Its middle, in slices of this volume.
        thickness : float
            In slices of this volume; below 1, neighbours are interpolated. No more than there are.

        Returns
        -------
        ndarray, shape (y, x), float32, or None
            None where less than half of the slab lies in the volume.
        """
        half = min(max(thickness, 1.0), float(self.volume.shape[0])) / 2
        first, last = int(np.floor(position - half + 0.5)), int(np.ceil(position + half - 0.5))
        numbers = [z for z in range(first, last + 1) if 0 <= z < self.volume.shape[0]]
        shares = [min(z + 0.5, position + half) - max(z - 0.5, position - half) for z in numbers]
        shares = [share if share > 0.02 else 0.0 for share in shares]
        if sum(shares) < 0.98 * half:
            return None
        total = sum(share * self.slice(z) for z, share in zip(numbers, shares, strict=True) if share)
        return np.asarray(total / np.float32(sum(shares)), np.float32)


@dataclass(frozen=True)
class Expected:
    """How two volumes should lie to each other by what their files or the user say.

    Attributes
    ----------
    factor : int
        Enlargement that the network is to learn.
    scale : float
        High-resolution pixels per low-resolution pixel.
    slice_ratio, slice_offset : float
        Low-resolution slice z is at ``slice_offset + slice_ratio * z`` of the high-resolution volume.
    """

    factor: int
    scale: float
    slice_ratio: float
    slice_offset: float


def expected(low: Volume, high: Volume, factor: int | None, common: tuple[Triple, Triple] | None) -> Expected:
    """Say how two volumes should lie to each other.

    By their voxel sizes where both files state them; else by the factor, or, where none is given, by their shapes.

    Raises
    ------
    UserError
        If they are swapped, the factor does not fit the voxel sizes, or nothing says what the factor is.
    """
    sizes = _sizes(low, high)
    if sizes:
        (low_z, low_y, low_x), (high_z, high_y, high_x) = sizes
        scale, slice_ratio = (low_y / high_y * low_x / high_x) ** 0.5, low_z / high_z
        if scale < 0.85:
            raise UserError(
                f"The voxels of {high.name} are {1 / scale:.3g} times as large as those of {low.name}: the two are"
                " swapped; give the coarser volume first."
            )
        fitting = max(option for option in FACTORS if option <= 1.15 * scale or option == 1)
        if factor is not None and factor > 1.15 * scale:
            raise UserError(
                f"Factor {factor} asks for voxels {factor} times finer than those of {low.name}, but those of"
                f" {high.name} are only {scale:.3g} times finer; give factor {fitting} or correct the voxel sizes."
            )
        factor = factor or fitting
    else:
        factor = factor or _factor_of_shapes(low, high)
        scale = float(factor)
        slice_ratio = 1.0 if low.shape[0] == high.shape[0] else scale
    if factor not in FACTORS:
        raise UserError(f"Factor {factor} is not one of 1, 2 and 4; give one of these.")
    if common:
        offset = common[1][0] - slice_ratio * common[0][0]
    elif sizes and low.geometry.origin != high.geometry.origin:
        metres = _metres(high.geometry)
        offset = (low.geometry.origin[0] * _metres(low.geometry) / metres - high.geometry.origin[0]) / (
            high.geometry.voxel_size[0]
        )
    else:
        offset = 0.5 * slice_ratio - 0.5
    return Expected(factor, scale, slice_ratio, offset)


def expectations(
    low: Volume, high: Volume, factor: int | None, common: tuple[Triple, Triple] | None
) -> tuple[Expected, ...]:
    """Return what `expected` does, and, where no voxel sizes tell, that slices as many may be finer as the pixels are.

    So they are in a zoom scan on the same detector, which shows about the middle of the coarse one.
    """
    guess = expected(low, high, factor, common)
    depth = low.shape[0]
    if _sizes(low, high) or guess.scale == 1 or not depth == high.shape[0] >= DISTANCES:
        return (guess,)
    z, w = (common[0][0], common[1][0]) if common else ((depth - 1) / 2, (depth - 1) / 2)
    return guess, replace(guess, slice_ratio=guess.scale, slice_offset=w - guess.scale * z)


def _sizes(low: Volume, high: Volume) -> tuple[Triple, Triple] | None:
    """Voxel sizes of both volumes in one unit, or None where one is not stated."""
    one, other = low.geometry, high.geometry
    if any(place.unit == "pixel" and place.voxel_size == (1.0, 1.0, 1.0) for place in (one, other)):
        return None
    if (one.unit == "pixel") != (other.unit == "pixel"):
        return None
    ratio = _metres(one) / _metres(other)
    z, y, x = (ratio * size for size in one.voxel_size)
    return (z, y, x), other.voxel_size


def _metres(geometry: Geometry) -> float:
    from napari_nanoct.volumes.units import METRES

    return METRES.get(geometry.unit, 1.0)


def _factor_of_shapes(low: Volume, high: Volume) -> int:
    ratios = [high.shape[axis] / low.shape[axis] for axis in (1, 2)]
    for factor in FACTORS:
        if all(abs(ratio / factor - 1) < 0.05 for ratio in ratios):
            return factor
    if all(abs(ratio * factor - 1) < 0.05 for ratio in ratios for factor in (2,)) or all(
        abs(ratio * 4 - 1) < 0.05 for ratio in ratios
    ):
        raise UserError(
            f"{high.name} has fewer pixels than {low.name}: the two seem to be swapped; give the coarser volume"
            " first, or the factor."
        )
    raise UserError(
        f"The voxel sizes of {low.name} and {high.name} are not both known; give the factor between them (1, 2 or 4)."
    )


def is_flat(image: Picture) -> bool:
    """Whether the measured pixels of a slice have one value, or there are hardly any."""
    values = image[np.isfinite(image)]
    return values.size < 64 or float(np.ptp(values)) <= 1e-6 * float(np.abs(values).max())


def inverted(low: Scan, high: Scan) -> str:
    """Return the sentence for two volumes of inverted contrast."""
    return (
        f"The contrast of {high.volume.name} is inverted against {low.volume.name}: what is bright in one is dark in"
        " the other; give scans of one contrast."
    )


def explain(low: Scan, high: Scan, guess: Expected) -> str:
    """Return why two volumes, or one slice of each, may not match, from their middle slices: one sentence."""
    from napari_nanoct.training.register import Similarity, locate

    names = low.volume.name, high.volume.name
    z = low.volume.shape[0] // 2
    fixed = low.slice(z)
    position = float(np.clip(guess.slice_offset + guess.slice_ratio * z, 0, high.volume.shape[0] - 1))
    moving = high.slab(position, guess.slice_ratio)
    for name, image in zip(names, (fixed, moving), strict=True):
        if image is None or not np.isfinite(image).any():
            return f"{name} has no finite grey value; give a volume that shows the sample."
        if is_flat(image):
            return f"{name} is constant; give a volume that shows the sample."
    assert moving is not None
    if locate(fixed, -moving, Similarity(guess.scale))[1] >= CERTAIN:
        return inverted(low, high)
    # where the scale is wrong, so is the position along z: the middles are the better guess
    moving = high.slice(high.volume.shape[0] // 2)
    for scale in (1.0, 2.0, 4.0, 0.5, 0.25):
        if abs(scale / guess.scale - 1) > 0.1 and locate(fixed, moving, Similarity(scale))[1] >= CERTAIN:
            if scale < 0.9:
                return f"{names[0]} is finer than {names[1]}: the two are swapped; give the coarser volume first."
            return (
                f"{names[1]} has {scale:g} pixels for one of {names[0]}, not {guess.scale:.3g}: correct the voxel"
                f" sizes, or give factor {scale:g}."
            )
    return (
        f"No place was found that {names[0]} and {names[1]} both show; check that they overlap and that their voxel"
        " sizes are right, or give one point that both show."
    )
