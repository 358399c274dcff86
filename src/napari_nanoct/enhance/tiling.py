"""One aligned grid of tiles over a slice.

Window attention answers differently where its windows lie differently. So every tile begins at a multiple of the
window period, counted from the first pixel of the slice: the windows are then the same in every tile, in the whole
slice and in any crop of it. A tile is read with a halo around the core that is kept; at the border of the slice it
simply ends there, as the whole slice does, and the network extends it to full windows by reflection.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""``(y0, y1, x0, x1)`` in input pixels of the slice, ends excluded."""


@dataclass(frozen=True)
class Tile:
    """What the network is given (`read`) and which part of its answer is kept (`keep`), in pixels of the slice."""

    read: Box
    keep: Box

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns that the network is given."""
        return self.read[1] - self.read[0], self.read[3] - self.read[2]

    @property
    def kept(self) -> int:
        """Number of pixels that are kept."""
        return (self.keep[1] - self.keep[0]) * (self.keep[3] - self.keep[2])


def plan(
    shape: tuple[int, int], *, period: int, halo: int, core: int, whole: int, crop: Box | None = None
) -> tuple[Tile, ...]:
    """Lay tiles over a slice.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the slice.
    period : int
        Window period; tiles begin at its multiples.
    halo : int
        Pixels around a core that its answer depends on, a multiple of `period`.
    core : int
        Largest side of a core; rounded up to a multiple of `period`.
    whole : int
        Number of pixels up to which everything is one tile.
    crop : Box, optional
        The part of the slice that is wanted; the halo around it is read from the slice.

    Returns
    -------
    tuple of Tile
        Their `keep` boxes cover the crop (or the slice) exactly once.
    """
    y0, y1, x0, x1 = crop or (0, shape[0], 0, shape[1])
    for side in (max(shape), core):
        # First one core for everything; the second turn is reached only where that is too large.
        rows = _spans(shape[0], y0, y1, period, halo, side)
        columns = _spans(shape[1], x0, x1, period, halo, side)
        tiles = tuple(Tile((*ry, *rx), (*ky, *kx)) for ry, ky in rows for rx, kx in columns)
        if len(tiles) == 1 and network_pixels(tiles, period) <= whole:
            break
    return tiles


def network_pixels(tiles: tuple[Tile, ...], period: int) -> int:
    """Return the input pixels that the network computes for these tiles, its own extension to full windows included."""
    return sum(ceil(t.shape[0] / period) * ceil(t.shape[1] / period) for t in tiles) * period**2


def cut(plane: NDArray[Any], box: Box) -> NDArray[Any]:
    """Return the part of a slice (y, x) that lies in the box, as a view."""
    return plane[box[0] : box[1], box[2] : box[3]]


def scaled(box: Box, scale: int, top: int, left: int) -> Box:
    """Return a box of input pixels in output pixels, counted from (top, left)."""
    y0, y1, x0, x1 = box
    return scale * (y0 - top), scale * (y1 - top), scale * (x0 - left), scale * (x1 - left)


def _spans(
    size: int, start: int, stop: int, period: int, halo: int, core: int
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Divide ``start:stop`` of an axis into pairs ``(read, keep)`` of about equal cores."""
    first, last = start // period, ceil(stop / period)
    count = ceil((last - first) / ceil(core / period))
    step = ceil((last - first) / count)
    spans = []
    for window in range(first, last, step):
        begin, end = window * period, min(window + step, last) * period
        read = max(begin - halo, 0), min(end + halo, size)
        spans.append((read, (max(begin, start), min(end, stop))))
    return spans
