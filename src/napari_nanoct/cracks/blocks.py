"""A volume seen block by block: the halo around a block; connected pieces joined across slabs, small ones dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Box = tuple[slice, slice, slice]
"""Part of a volume (z, y, x)."""

PARTLY, CLEARLY, BARELY = 0.15, 0.2, 0.03
"""Share of a piece that is deep, of a clear one, and of one that is sure: cracks that end at a body's surface are not
deep there, gaps between bodies hardly anywhere; a crack may be joined to a web of gaps."""

LEVELS = 1000
"""Planarity is summed in whole thousandths, so that the sum does not depend on where a volume was cut."""


def whole_box(shape: tuple[int, ...]) -> Box:
    """Return the box that is all of a volume."""
    z, y, x = (slice(0, length) for length in shape)
    return (z, y, x)


def padded(box: Box, shape: tuple[int, ...], halo: tuple[int, int, int]) -> tuple[Box, Box]:
    """Return a box with a halo around it, as far as the volume reaches, and where the box lies in that."""
    low = [max(0, part.start - reach) for part, reach in zip(box, halo, strict=True)]
    high = [min(n, part.stop + reach) for part, reach, n in zip(box, halo, shape, strict=True)]
    z, y, x = (slice(a, b) for a, b in zip(low, high, strict=True))
    dz, dy, dx = (slice(part.start - a, part.stop - a) for part, a in zip(box, low, strict=True))
    return (z, y, x), (dz, dy, dx)


@dataclass(frozen=True)
class Rule:
    """Which voxels make a piece, and which pieces are kept.

    Attributes
    ----------
    low, high : float
        A piece is made of connected voxels whose score is at least `low`, one of them at least `high` (hysteresis).
    smallest : int
        Fewest voxels of a piece.
    planarity : float
        Least mean planarity of a piece, 0 to 1.
    clear : int
        Fewest deep voxels of the clear pieces together, those that are deep for a good part; with less none is kept.
    sure : float
        Score that a sure piece reaches somewhere; gaps between bodies seldom do.
    """

    low: float
    high: float
    smallest: int = 1
    planarity: float = 0.0
    clear: int = 0
    sure: float = 0.0


class Pieces:
    """Pieces of a volume, by a union-find over its slabs; memory grows with their number, not with the volume.

    Give the slabs to `add` from the first slice to the last; when all are seen `numbers` tells which of the provisional
    labels belong to which piece that is kept. The result does not depend on where the slabs begin.

    Parameters
    ----------
    rule : Rule
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._parent = np.zeros(1, np.int64)
        self._voxels = np.zeros(1, np.int64)
        self._planar = np.zeros(1, np.int64)
        self._deep = np.zeros(1, np.int64)
        self._peak = np.zeros(1, np.float32)
        self._last: NDArray[np.int64] | None = None
        self._gate: Pieces | None = None

    def add(
        self,
        score: NDArray[np.float32],
        planarity: NDArray[np.float32] | None = None,
        deep: NDArray[np.bool_] | None = None,
        gate: NDArray[np.float32] | None = None,
    ) -> NDArray[np.int64]:
        """Return the provisional labels of the next slab: 0 background, else higher than any before.

        Parameters
        ----------
        score : ndarray, shape (z, y, x), float32
        planarity : ndarray, same shape, optional
            Of every voxel, 0 to 1; without it every piece is planar.
        deep : ndarray of bool, same shape, optional
            Where nothing but a crack can be, inside a body; without it everywhere.
        gate : ndarray, same shape, float32, optional
            A more careful score; by the pieces of this it is decided whether there are clear ones.
        """
        from scipy.ndimage import label, maximum

        if gate is not None:
            self._gate = self._gate or Pieces(self.rule)
            self._gate.add(gate, planarity, deep)
        found, count = label(score >= self.rule.low, np.ones((3, 3, 3)))
        first = len(self._parent)
        inside = found > 0
        numbers = found[inside]
        parts = np.full(len(numbers), LEVELS) if planarity is None else np.rint(LEVELS * planarity[inside]).astype(int)
        # Sums of whole numbers below 2^53 are exact in float64.
        planar = np.bincount(numbers, parts, count + 1)[1:].astype(np.int64)
        sunk = np.bincount(numbers if deep is None else numbers[deep[inside]], minlength=count + 1)[1:]
        peaks = maximum(score, found, np.arange(1, count + 1)) if count else np.empty(0)
        self._parent = np.concatenate([self._parent, np.arange(first, first + count)])
        self._voxels = np.concatenate([self._voxels, np.bincount(numbers, minlength=count + 1)[1:]])
        self._planar = np.concatenate([self._planar, planar])
        self._deep = np.concatenate([self._deep, sunk])
        self._peak = np.concatenate([self._peak, np.asarray(peaks, np.float32)])
        labels = np.where(inside, found.astype(np.int64) + first - 1, 0)
        if self._last is not None:
            for one, other in _touching(self._last, labels[0]):
                self._join(one, other)
        self._last = labels[-1].copy()
        return labels

    def numbers(self) -> NDArray[np.int32]:
        """Return the final label of every provisional one: 1..n by a piece's first voxel, 0 where it is dropped."""
        roots = np.array([self._root(label) for label in range(len(self._parent))])
        count = len(roots)
        voxels = np.bincount(roots, self._voxels, count)
        planar = np.bincount(roots, self._planar, count)
        peak = np.zeros(count, np.float32)
        np.maximum.at(peak, roots, self._peak)
        keep = (voxels >= max(1, self.rule.smallest)) & (peak >= self.rule.high)
        keep &= planar >= self.rule.planarity * LEVELS * voxels
        deep = np.bincount(roots, self._deep, count)
        sure = peak >= self.rule.sure
        keep &= deep >= np.where(sure, BARELY, PARTLY) * voxels
        keep[0] = False
        if self._gate is not None:
            keep &= bool(self._gate.numbers().any())
        else:
            keep &= deep[keep & (deep >= CLEARLY * voxels)].sum() >= self.rule.clear
        final = np.cumsum(keep) * keep
        return np.asarray(final[roots], np.int32)

    def _root(self, label: int) -> int:
        while (above := int(self._parent[label])) != label:
            self._parent[label] = self._parent[above]
            label = above
        return label

    def _join(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parent[second] = first


def pieces_of(
    rule: Rule,
    score: NDArray[np.float32],
    planarity: NDArray[np.float32] | None = None,
    deep: NDArray[np.bool_] | None = None,
    gate: NDArray[np.float32] | None = None,
) -> NDArray[np.int32]:
    """Return the final labels of a volume that is whole in memory; arguments as of `Pieces.add`."""
    pieces = Pieces(rule)
    labels = pieces.add(score, planarity, deep, gate)
    return np.asarray(pieces.numbers()[labels])


def _touching(below: NDArray[np.int64], above: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Every pair of labels of two neighbouring slices that touch, diagonals included."""
    height, width = below.shape
    pairs = []
    for dy, dx in product((-1, 0, 1), repeat=2):
        here = below[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
        there = above[max(0, dy) : height - max(0, -dy), max(0, dx) : width - max(0, -dx)]
        both = (here > 0) & (there > 0)
        pairs.append(np.stack([here[both], there[both]], axis=1))
    yield from np.unique(np.concatenate(pairs), axis=0).tolist()
