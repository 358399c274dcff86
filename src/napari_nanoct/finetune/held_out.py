"""What is trained on and what is kept out of it, to tell a gain from learning by heart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.training.pairs import SlicePair

SHARE = 0.25
# Between the parts of a single slice, in low-resolution pixels: farther than what a point spread function reaches.
GAP = 16


@dataclass(frozen=True, eq=False)
class Split:
    """Pairs to learn from, pairs to judge by, and a sentence on how they were told apart."""

    learnt: tuple[SlicePair, ...]
    held: tuple[SlicePair, ...]
    note: str


def checked(pairs: Sequence[SlicePair], patch: int) -> int:
    """Return the factor of the pairs.

    Raises
    ------
    UserError
        If there are none, or one of them cannot be learnt from; the sentence names its slice.
    """
    if not pairs:
        raise UserError("there is no pair to learn from; pair slices with 'nanoct pair' or in the dock")
    factors = set()
    for pair in pairs:
        place = f"the pair of slice {pair.low_slice}"
        height, width = pair.low.shape
        factor = pair.high.shape[0] // max(height, 1)
        factors.add(factor)
        if factor not in (1, 2, 4) or pair.high.shape != (factor * height, factor * width):
            raise UserError(
                f"{place} has a target of {pair.high.shape[0]} x {pair.high.shape[1]} pixels for {height} x {width}, "
                "which is no factor of 1, 2 or 4; pair the slices anew"
            )
        if pair.usable.shape != pair.low.shape or not pair.usable.any():
            raise UserError(
                f"{place} has no usable pixel: nowhere in the regions that are used do its two sides agree; pair it "
                "anew, leave it out, or widen the regions"
            )
        if min(height, width) < patch:
            raise UserError(
                f"{place} has {height} x {width} pixels, less than the {patch} x {patch} of a patch; give larger slices"
            )
        fine = pair.usable.repeat(factor, 0).repeat(factor, 1)
        for kind, values in (("input", pair.low[pair.usable]), ("target", pair.high[fine])):
            if not np.isfinite(values).all():
                raise UserError(
                    f"{place} has values that are not finite (NaN or infinite) in its {kind}; exclude the region or "
                    "leave the pair out"
                )
            if np.ptp(values) == 0:
                raise UserError(f"{place} is constant in its {kind}, so nothing can be learnt from it; leave it out")
    if len(factors) > 1:
        raise UserError(
            f"the pairs have factors {' and '.join(map(str, sorted(factors)))}; pair slices of one factor alone"
        )
    return factors.pop()


def kept_out(count: int) -> int:
    """Return how many of so many slices are held out."""
    return max(1, round(SHARE * count))


def split(pairs: Sequence[SlicePair], patch: int) -> Split:
    """Hold out whole slices, about a quarter, spread over the volume; of a single slice its last third.

    Nothing is learnt from a pair that shows a slice which a held-out one shows. Where that leaves out any, the last
    slices are held out in place of spread ones, which leaves out fewer.

    Parameters
    ----------
    pairs : sequence of SlicePair
    patch : int
        Side of a training patch in low-resolution pixels: either part of a single slice must hold one.
    """
    pairs = sorted(pairs, key=lambda pair: pair.low_slice)
    count = len(pairs)
    keep = kept_out(count)
    spread = {int((i + 0.5) * count / keep) for i in range(keep)}
    for chosen in (spread, set(range(count - keep, count))):
        held = tuple(pair for i, pair in enumerate(pairs) if i in chosen)
        seen = set[int]().union(*(pair.shows for pair in held))
        learnt = tuple(pair for pair in pairs if not pair.shows & seen)
        if len(learnt) == count - keep:
            break
    if learnt:
        slices = ", ".join(str(pair.low_slice) for pair in held)
        note = f"held out of {count} slices: number{'s' if keep > 1 else ''} {slices}"
        if lost := count - keep - len(learnt):
            note += f"; {lost} more {'is' if lost == 1 else 'are'} not learnt from, as they share a slice with these"
        return Split(learnt, held, note)
    pair = pairs[0]
    which = "the only pair" if count == 1 else "the first pair, as all share a slice"
    # Along the longer extent of what is usable; either part gets a third at least.
    rows, columns = (np.flatnonzero(pair.usable.any(axis)) for axis in (1, 0))
    axis = 0 if rows[-1] - rows[0] >= columns[-1] - columns[0] else 1
    used = (rows, columns)[axis]
    first, last = int(used[0]), int(used[-1]) + 1
    border = first + round((last - first) * 2 / 3)
    if min(border - GAP - first, last - border) < patch:
        raise UserError(
            f"{which}, of slice {pair.low_slice}, is usable over {last - first} pixels, too few to hold a third out; "
            "add a second pair or a larger slice"
        )
    note = f"held out of {which}, of slice {pair.low_slice}: its last third, so how far the gain carries is not known"
    return Split((_part(pair, axis, first, border - GAP),), (_part(pair, axis, border, last),), note)


def window(pair: SlicePair, side: int) -> SlicePair:
    """Return the part of a pair, at most ``side`` low-resolution pixels a side, with the most usable pixels."""
    height, width = (min(side, extent) for extent in pair.low.shape)
    sums = np.pad(pair.usable, ((1, 0), (1, 0))).astype(np.int64).cumsum(0).cumsum(1)
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    # Among equals the one nearest to the middle.
    y, x = (np.abs(np.arange(extent) - (extent - 1) / 2) for extent in inside.shape)
    rank = inside - 0.5 * np.hypot(y[:, None], x[None, :]) / (np.hypot(*inside.shape) + 1)
    top, left = (int(place) for place in np.unravel_index(int(np.argmax(rank)), rank.shape))
    return _part(_part(pair, 0, top, top + height), 1, left, left + width)


def _part(pair: SlicePair, axis: int, start: int, stop: int) -> SlicePair:
    factor = pair.high.shape[0] // pair.low.shape[0]

    def cut(first: int, last: int) -> tuple[slice, ...]:
        return (slice(first, last),) if axis == 0 else (slice(None), slice(first, last))

    low, fine = cut(start, stop), cut(factor * start, factor * stop)
    return replace(pair, low=pair.low[low], high=pair.high[fine], usable=pair.usable[low])
