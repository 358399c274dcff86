"""One slice and its place in another volume, or in its own: matched, refused with a reason, read as arrays."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.placing import Found, Placement, follow
from napari_nanoct.finetune.project import Match, Project, Region, Source
from napari_nanoct.finetune.scans import CERTAIN, Scan, is_flat
from napari_nanoct.training.pairs import SlicePair

if TYPE_CHECKING:
    from napari_nanoct.training.masked import Picture
    from napari_nanoct.volumes import IntensityRange, Volume

LEAST_AREA = 32 * 32
"""Usable pixels of a low-resolution slice below which there is nothing to learn from."""

ALIKE = 0.2
"""Agreement from which noisy slices without registration are taken to show the same thing."""

WORSE = 0.02
"""How much less a pair may agree when it is read than when it was found: places are kept to some digits."""


class PairRefused(UserError):
    """A slice that is not taken: the reason, and where it was looked for if it came that far."""

    def __init__(self, reason: str, match: Match | None = None) -> None:
        super().__init__(reason)
        self.match = match


def match_slice(low: Volume, high: Volume, z: int, placement: Placement) -> Match:
    """Find the place of one slice, starting from the placement of the volumes.

    Raises
    ------
    PairRefused
        If the slice cannot be learnt from: one sentence with the reason and the way out.
    """
    scans = Scan(low, placement.low_range), Scan(high, placement.high_range)
    _checked(scans[0], z)
    start = placement.high_slice(z)
    moving = scans[1].slab(start, placement.slice_ratio)
    if moving is None:
        raise PairRefused(
            f"Slice {z} of {low.name} lies outside of {high.name}, at slice {start:.1f} of 0 to {high.shape[0] - 1};"
            " choose a slice that both show."
        )
    if is_flat(moving):
        raise PairRefused(f"{high.name} is constant or not finite at slice {z} of {low.name}; choose another slice.")
    found = follow(*scans, Found(z, start, placement.similarity, 0.0), placement.slice_ratio)
    return _judged(found, *scans, placement)


def match_itself(project: Project, low: Volume, high: Volume | None, z: int) -> Match:
    """Take one slice for a method without registration: against the other half, its neighbour, or itself.

    Raises
    ------
    PairRefused
        If the slice cannot be learnt from: one sentence with the reason and the way out.
    """
    from napari_nanoct.training.masked import agreement
    from napari_nanoct.volumes import IntensityRange

    scan = Scan(low, IntensityRange(*project.low.range))
    fixed = _checked(scan, z)
    if project.method == "blind-spot":
        return Match(z, z, usable=round(float(np.isfinite(fixed).mean()), 4))
    if project.method == "neighbours":
        other_z, other = (z + 1 if z + 1 < low.shape[0] else z - 1), scan
    else:
        assert high is not None
        other_z, other = z, Scan(high, scan.range)
    moving = other.slice(other_z)
    quality, _ = agreement(fixed, moving)
    share = float((np.isfinite(fixed) & np.isfinite(moving)).mean())
    match = Match(z, other_z, quality=quality, usable=share)
    what = f"slice {other_z}" if project.method == "neighbours" else f"that of {other.volume.name}"
    if np.array_equal(fixed, moving, equal_nan=True):
        raise PairRefused(f"Slice {z} of {low.name} and {what} are identical: there is no noise to learn from.", match)
    if quality < ALIKE:
        raise PairRefused(
            f"Slice {z} of {low.name} and {what} do not show the same thing (agreement {quality:.2f}); choose another"
            " slice or method.",
            match,
        )
    return match


def new_project(low: Volume, high: Volume, placement: Placement, regions: tuple[Region, ...] = ()) -> Project:
    """A project of pairs without a slice yet."""
    one, other = source(low, placement.low_range), source(high, placement.high_range)
    if abs(_slice_ratio(one, other) / placement.slice_ratio - 1) > 1e-6:
        # not stated by the files: sizes in voxels of the second volume
        scale = float(round(placement.similarity.scale))
        one = replace(one, voxel_size=(placement.slice_ratio, scale, scale), unit="pixel")
        other = replace(other, voxel_size=(1.0, 1.0, 1.0), unit="pixel")
    return Project("pairs", placement.factor, one, other, (), regions)


def plain_project(low: Volume, high: Volume | None, method: str, regions: tuple[Region, ...] = ()) -> Project:
    """A project at factor 1 for a method without registration, without a slice yet.

    Raises
    ------
    UserError
        If two half-scans are not on one grid, or are the same.
    """
    from napari_nanoct.volumes import fingerprint, intensity_range

    grey = intensity_range(low)
    if high is not None:
        if low.shape != high.shape or not _one_grid(low, high):
            raise UserError(
                f"{low.name} {low.shape} and {high.name} {high.shape} are not on one grid; half-scans are reconstructed"
                " with the same shape, voxel size and origin."
            )
        if low.dtype == high.dtype and fingerprint(low) == fingerprint(high):
            raise UserError(f"{low.name} and {high.name} hold the same voxels; give the two half-scans.")
    elif method == "neighbours" and low.shape[0] < 2:
        raise UserError(f"{low.name} has a single slice and so no neighbours; use the method blind-spot.")
    return Project(method, 1, source(low, grey), source(high, grey) if high is not None else None, (), regions)


def source(volume: Volume, grey: IntensityRange) -> Source:
    """What a project keeps of a volume."""
    from napari_nanoct.volumes import fingerprint

    path = volume.source if volume.source == "array" else os.path.abspath(os.path.expanduser(volume.source))
    geometry = volume.geometry
    return Source(path, geometry.voxel_size, geometry.unit, (grey.low, grey.high), fingerprint(volume))


def slice_pair(project: Project, match: Match, low: Scan, high: Scan | None) -> SlicePair:
    """Read a slice and its target; ``high`` is the second volume of the project, where it has one."""
    return _read(project, match, low, high)[0]


def agreeing_pair(project: Project, match: Match, low: Scan, high: Scan | None) -> SlicePair:
    """Read a slice and its target, to learn from.

    Raises
    ------
    UserError
        If they do not show the same thing, as after a change of the file of pairs.
    """
    pair, quality = _read(project, match, low, high)
    if project.high and quality < min(CERTAIN, match.quality) - WORSE:
        raise UserError(
            f"Slice {match.low_slice} of {project.low.path} and its place in {project.high.path} do not show the same"
            f" thing (agreement {quality:.2f}, at least {CERTAIN} is needed): the file of pairs was changed; pair anew."
        )
    return pair


def _read(project: Project, match: Match, low: Scan, high: Scan | None) -> tuple[SlicePair, float]:
    """Read a slice and its target, and tell how well they agree where they were registered, else 1."""
    quality = 1.0
    fixed = low.slice(match.low_slice)
    if project.method == "pairs":
        assert high is not None
        assert project.high is not None
        ratio = _slice_ratio(project.low, project.high)
        target, usable, quality = _target(match, fixed, high, ratio, project.factor)
    else:
        other = high or low
        target = other.slice(round(match.high_slice))
        usable = np.isfinite(fixed) & np.isfinite(target)
    usable &= allowed(project.regions, match.low_slice, usable.shape)
    given = low.range.normalise_finite(np.asarray(low.volume.data[match.low_slice]))
    other_slice = round(match.high_slice) if project.method == "neighbours" else None
    return SlicePair(given, np.nan_to_num(target, nan=0.0), usable, match.low_slice, other_slice), quality


def allowed(regions: tuple[Region, ...], z: int, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a slice may be learnt from: in the polygons to use, if there are any, and outside of those to leave out."""
    from skimage.draw import polygon2mask

    here = [region for region in regions if region.low_slice in (None, z)]
    mask = np.full(shape, not any(region.use for region in here))
    for region in sorted(here, key=lambda one: not one.use):
        mask[polygon2mask(shape, np.array(region.polygon))] = region.use
    return mask


def _target(
    match: Match, fixed: Picture, high: Scan, slice_ratio: float, factor: int
) -> tuple[Picture, NDArray[np.bool_], float]:
    from napari_nanoct.training.pairs import resampled, trusted

    slab = high.slab(match.high_slice, slice_ratio)
    shape = (fixed.shape[0], fixed.shape[1])
    if slab is None:
        return np.full([factor * extent for extent in shape], np.nan, np.float32), np.zeros(shape, bool), 0.0
    target = (match.gain * resampled(slab, match.similarity, shape, factor) + match.offset).astype(np.float32)
    quality, usable = trusted(fixed, target, factor)
    return target, usable, quality


def _judged(found: Found, low: Scan, high: Scan, placement: Placement) -> Match:
    """Return the match of a slice that was found.

    Raises
    ------
    PairRefused
        If it does not agree, or little of it can be learnt from.
    """
    from napari_nanoct.training.masked import reduced
    from napari_nanoct.training.pairs import grey_match, noisier, resampled, trusted

    fixed, slab = low.slice(found.z), high.slab(found.position, placement.slice_ratio)
    assert slab is not None
    shape = (fixed.shape[0], fixed.shape[1])
    target = resampled(slab, found.similarity, shape, placement.factor)
    where = f"Slice {found.z} of {low.volume.name}"
    if np.isfinite(reduced(target, placement.factor)).sum() < LEAST_AREA:
        raise PairRefused(f"{where} and {high.volume.name} overlap too little; choose another slice.")
    match = Match(found.z, round(found.position, 3), found.similarity)
    try:
        gain, offset = grey_match(fixed, reduced(target, placement.factor))
    except ValueError:
        raise PairRefused(f"{where} meets a constant part of {high.volume.name}; choose another slice.") from None
    target = gain * target + offset
    quality, usable = trusted(fixed, target, placement.factor)
    match = replace(match, gain=gain, offset=offset, quality=round(quality, 4), usable=round(float(usable.mean()), 4))
    if gain < 0 and quality > -CERTAIN and found.agreement < -CERTAIN:
        raise PairRefused(f"{where} and {high.volume.name} have inverted contrast; give scans of one contrast.", match)
    if found.agreement < CERTAIN:
        raise PairRefused(
            f"{where} and its place in {high.volume.name} do not show the same thing (agreement"
            f" {found.agreement:.2f}, at least {CERTAIN} is needed); choose another slice or give a common point.",
            match,
        )
    if usable.sum() < LEAST_AREA:
        raise PairRefused(f"{where} agrees with {high.volume.name} in too few places; choose another slice.", match)
    if noisier(fixed, target, usable, placement.factor):
        raise PairRefused(
            f"{high.volume.name} is clearly noisier than {low.volume.name} at slice {found.z}, and no sharper: the two"
            " seem to be swapped; exchange them.",
            match,
        )
    return match


def _checked(scan: Scan, z: int) -> Picture:
    depth = scan.volume.shape[0]
    if not 0 <= z < depth:
        raise PairRefused(f"{scan.volume.name} has no slice {z}; its slices are 0 to {depth - 1}.")
    image = scan.slice(z)
    if not np.isfinite(image).any():
        raise PairRefused(f"Slice {z} of {scan.volume.name} has no finite grey value; choose another slice.")
    if is_flat(image):
        raise PairRefused(f"Slice {z} of {scan.volume.name} is constant; choose another slice.")
    return image


def _slice_ratio(low: Source, high: Source) -> float:
    """Slices of the second volume that are as thick as one of the first."""
    from napari_nanoct.volumes.units import METRES

    units = METRES.get(low.unit, 1.0) / METRES.get(high.unit, 1.0)
    return low.voxel_size[0] / high.voxel_size[0] * units


def _one_grid(low: Volume, high: Volume) -> bool:
    one, other = low.geometry, high.geometry
    near = 0.01 * min(one.voxel_size)
    return one.unit == other.unit and np.allclose(
        [*one.voxel_size, *one.origin], [*other.voxel_size, *other.origin], rtol=0, atol=near
    )
