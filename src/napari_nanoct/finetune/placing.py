"""How two volumes lie to each other: found on a few slices, one placement for all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.scans import CERTAIN, Expected, Scan, Triple, expectations, explain, inverted, is_flat
from napari_nanoct.training.register import Similarity

if TYPE_CHECKING:
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.training.masked import Picture
    from napari_nanoct.volumes import IntensityRange, Volume

FURTHEST, STRIDE = 24, 3
"""How far along z a slice is looked for, and in which steps, in low-resolution slices."""

NEAR = 25.0
"""How far, in low-resolution pixels, a common point may be off."""

STRAY = 3.0
"""How far, in low-resolution pixels, a slice may lie from the placement of the others."""


@dataclass(frozen=True)
class Placement:
    """One placement for all slices of two volumes, whose axes along z are parallel.

    Attributes
    ----------
    factor : int
        Enlargement that the network is to learn: 1, 2 or 4.
    similarity : Similarity
        From pixels of a low-resolution slice to pixels of the high-resolution volume.
    slice_ratio, slice_offset : float
        Low-resolution slice z is at ``slice_offset + slice_ratio * z`` of the high-resolution volume.
    low_range, high_range : IntensityRange
        The grey values that become 0 and 1.
    """

    factor: int
    similarity: Similarity
    slice_ratio: float
    slice_offset: float
    low_range: IntensityRange
    high_range: IntensityRange

    def high_slice(self, z: int) -> float:
        """Position of a low-resolution slice in slices of the high-resolution volume."""
        return self.slice_offset + self.slice_ratio * z


@dataclass(frozen=True)
class Found:
    """Where one slice was found."""

    z: int
    position: float
    similarity: Similarity
    agreement: float


def place_volumes(
    low: Volume,
    high: Volume,
    *,
    factor: int | None = None,
    common: tuple[Triple, Triple] | None = None,
    cancel: CancelToken | None = None,
) -> Placement:
    """Find how two volumes lie to each other.

    Parameters
    ----------
    low, high : Volume
    factor : int, optional
        1, 2 or 4; left out, from the voxel sizes or, where these are not stated, from the shapes.
    common : pair of (z, y, x), optional
        One place in voxels of the first and of the second volume, to about 20 low-resolution voxels.
    cancel : CancelToken, optional

    Raises
    ------
    UserError
        If the two show no common place: swapped, another factor, inverted contrast, constant, or nothing in common.
    """
    from napari_nanoct.volumes import fingerprint, intensity_range

    if low.shape == high.shape and fingerprint(low) == fingerprint(high):
        raise UserError(f"{low.name} and {high.name} hold the same voxels; give two scans of one place.")
    scans = Scan(low, intensity_range(low)), Scan(high, intensity_range(high))
    shape = (low.shape[1], low.shape[2])
    guess, found = max(
        ((guess, look(*scans, guess, common, cancel)) for guess in expectations(low, high, factor, common)),
        key=lambda both: together(both[1], both[0], shape)[1],
    )
    if not found:
        raise UserError(explain(*scans, guess))
    similarity, offset = consensus(found, guess, shape)
    return Placement(guess.factor, similarity, guess.slice_ratio, offset, scans[0].range, scans[1].range)


def look(
    low: Scan, high: Scan, guess: Expected, common: tuple[Triple, Triple] | None, cancel: CancelToken | None
) -> list[Found]:
    """Look for a few slices where they should be; the first is searched for, the others are expected beside it."""
    shape = (low.volume.shape[1], low.volume.shape[2])
    start = Similarity(guess.scale)
    if common:
        start = Similarity(guess.scale, 0.0, common[0][1:], common[1][1:])
    single = high.volume.shape[0] == 1
    closer = nearest if single else follow
    found: list[Found] = []
    for number, places in enumerate(references(low, high, guess)):
        if cancel:
            cancel.check()
        if found:
            similarity, offset = consensus(found, guess, shape)
            z = places[0][0]
            here: Found | None = Found(z, offset + guess.slice_ratio * z, similarity, 0.0)
        else:
            here = find(low, high, places, guess, start, NEAR if common else None, cancel)
        if here is not None and (here := closer(low, high, here, guess.slice_ratio)).agreement >= CERTAIN:
            found.append(here)
        # what two slices do not find the third will not
        if single if found else number == 1:
            break
    return found


def references(low: Scan, high: Scan, guess: Expected) -> list[list[tuple[int, float]]]:
    """Where to look, for each of a few slices: pairs of a low-resolution slice and a position in the other volume.

    Raises
    ------
    UserError
        If the volumes are too far apart along z.
    """
    depth, other = low.volume.shape[0], high.volume.shape[0]
    if other == 1:
        # the one slice is looked for in the whole volume, first where it should be
        expected = -guess.slice_offset / guess.slice_ratio
        return [[(z, 0.0) for z in sorted(range(0, depth, STRIDE), key=lambda z: abs(z - expected))]]
    reach = FURTHEST if depth > 1 else max(FURTHEST, other / guess.slice_ratio)
    first, last = sorted(((end - guess.slice_offset) / guess.slice_ratio) for end in (0, other - 1))
    if last < -reach or first > depth - 1 + reach:
        raise UserError(
            f"{low.volume.name} and {high.volume.name} do not overlap along z by what their files say; give one point"
            " that both show."
        )
    start, stop = max(first, 0.0), min(last, depth - 1.0)
    chosen = dict.fromkeys(
        int(np.clip(round(start + share * (stop - start)), 0, depth - 1)) for share in (0.5, 0.2, 0.8)
    )
    steps = sorted(range(-int(reach // STRIDE), int(reach // STRIDE) + 1), key=abs)
    return [
        [
            (z, position)
            for step in steps
            if -0.5 <= (position := guess.slice_offset + guess.slice_ratio * (z + STRIDE * step)) <= other - 0.5
        ]
        for z in chosen
    ]


def find(
    low: Scan,
    high: Scan,
    places: list[tuple[int, float]],
    guess: Expected,
    start: Similarity,
    reach: float | None,
    cancel: CancelToken | None,
) -> Found | None:
    """Look for a slice at some positions along z; the first that fits well is taken, else the best."""
    from napari_nanoct.training.register import CLEAR, STRETCHES, TURNS, locate

    best: Found | None = None
    for number, (z, position) in enumerate(places):
        if cancel:
            cancel.check()
        fixed, moving = low.slice(z), high.slab(position, guess.slice_ratio)
        if moving is None or is_flat(fixed) or is_flat(moving):
            continue
        turns, stretches = (TURNS, STRETCHES) if number == 0 else (TURNS[::2], STRETCHES[1:2])
        similarity, agreement = locate(
            fixed, moving, start, reach=reach, turns=turns, stretches=stretches, tries=3 if number == 0 else 1
        )
        if best is None or agreement > best.agreement:
            best = Found(z, position, similarity, agreement)
        if number == 0 and agreement < CERTAIN and locate(fixed, -moving, start, reach=reach)[1] > CLEAR:
            raise UserError(inverted(low, high))
        if agreement > CLEAR:
            break
    return best


def follow(low: Scan, high: Scan, start: Found, slice_ratio: float) -> Found:
    """Refine where a slice lies, along z and within the slice, from a place a few voxels off at most."""
    from napari_nanoct.training.masked import agreement
    from napari_nanoct.training.register import on_one_grid, refine

    fixed = low.slice(start.z)
    size = max(1, min(fixed.shape) // 400)
    slabs: dict[float, Picture | None] = {}

    def slab(position: float) -> Picture | None:
        if position not in slabs:
            slabs[position] = high.slab(position, slice_ratio)
        return slabs[position]

    def value(position: float, similarity: Similarity) -> float:
        image = slab(position)
        return -1.0 if image is None else agreement(*on_one_grid(fixed, image, similarity, size))[0]

    position, similarity = start.position, start.similarity
    moving = slab(position)
    if moving is None:
        return Found(start.z, position, similarity, -1.0)
    similarity = refine(fixed, moving, similarity, (6.0, 3.0))
    if high.volume.shape[0] > 1:
        values = {step: value(position + step * slice_ratio, similarity) for step in (-1, 0, 1)}
        while (best := max(values, key=lambda step: values[step])) in (min(values), max(values)) and len(values) < 8:
            step = best + (1 if best == max(values) else -1)
            values[step] = value(position + step * slice_ratio, similarity)
            if values[step] < 0 or abs(step) > STRIDE:
                break
        position += slice_ratio * (best + _vertex(values.get(best - 1, -1), values[best], values.get(best + 1, -1)))
        moving = slab(position)
        if moving is None:
            position, moving = start.position, slab(start.position)
    assert moving is not None
    similarity = refine(fixed, moving, similarity, (3.0, 1.2))
    return Found(start.z, position, similarity, agreement(*on_one_grid(fixed, moving, similarity))[0])


def nearest(low: Scan, high: Scan, start: Found, slice_ratio: float) -> Found:
    """Find which slice the only one of the other volume shows best, from one that it resembles."""
    while True:
        near = range(max(0, start.z - STRIDE), min(low.volume.shape[0], start.z + STRIDE + 1))
        there = [follow(low, high, replace(start, z=z), slice_ratio) for z in near]
        best = max(there, key=lambda found: found.agreement)
        if best.z == start.z or best.agreement <= start.agreement:
            return best
        start = best


def together(found: list[Found], guess: Expected, shape: tuple[int, int]) -> tuple[list[Found], float]:
    """Return the largest group of slices that agree on a placement to ``STRAY`` pixels, and how far it can be trusted.

    That is their agreement, less how far they lie apart along z, in slices of the high-resolution volume: a wrong
    distance of the slices shows there.
    """
    corners = np.array([(y, x) for y in (0, shape[0] - 1) for x in (0, shape[1] - 1)], float)

    def along(one: Found) -> float:
        return one.position / guess.slice_ratio - one.z

    def close(one: Found, other: Found) -> bool:
        apart = np.hypot(*(one.similarity.apply(corners) - other.similarity.apply(corners)).T).max() / guess.scale
        return bool(max(apart, abs(along(one) - along(other))) <= STRAY)

    groups = [[other for other in found if close(one, other)] for one in found]
    group = max(groups, key=lambda some: (len(some), max(one.agreement for one in some)), default=[])
    places = [guess.slice_ratio * along(one) for one in group] or [0.0]
    return group, sum(one.agreement for one in group) - (max(places) - min(places))


def consensus(found: list[Found], guess: Expected, shape: tuple[int, int]) -> tuple[Similarity, float]:
    """One placement from several slices: the mean of those that agree.

    Returns
    -------
    Similarity
        About the middle of the low-resolution slice.
    float
        Position of low-resolution slice 0 in slices of the high-resolution volume.
    """
    group, _ = together(found, guess, shape)
    middle = (np.array(shape) - 1) / 2
    places = [one.similarity.about(middle) for one in group]
    centre = np.mean([place.centre_high for place in places], axis=0)
    similarity = Similarity(
        float(np.mean([place.scale for place in places])),
        float(np.mean([place.rotation for place in places])),
        places[0].centre_low,
        (float(centre[0]), float(centre[1])),
    )
    return similarity, float(np.mean([one.position - guess.slice_ratio * one.z for one in group]))


def _vertex(before: float, middle: float, after: float) -> float:
    """Where, from -0.5 to 0.5, a parabola through values at -1, 0 and 1 is largest; 0 where a value is missing."""
    bend = before - 2 * middle + after
    if min(before, after) <= -1 or bend >= 0:
        return 0.0
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
