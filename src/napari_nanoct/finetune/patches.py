"""Patches of the user's pairs: where nearly all can be used, turned, mirrored and slightly changed in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.training.pairs import SlicePair

# Least usable share of a patch; what is not usable in it does not count in the loss.
USABLE = 0.95
# Patches begin at every second pixel.
STRIDE = 2
# Another scan of the same kind has its range elsewhere by so much.
GAIN, OFFSET = (0.95, 1.05), (-0.03, 0.03)
# Pixels that are hidden from the network at once, and from how far away their stand-ins come (Krull et al., CVPR 2019).
HIDDEN, REACH = 0.02, 2


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches ``low`` (n, 1, h, w), their targets ``high`` on the finer grid, and on it ``weight``: 1 where to look."""

    low: Tensor
    high: Tensor
    weight: Tensor


class Patches:
    """Draws patches of pairs, the same again for the same step.

    Parameters
    ----------
    pairs : sequence of SlicePair
    patch : int
        Side in low-resolution pixels.
    method : str
        Of the project. ``halves`` and ``neighbours``: either of the two is input as often as target. ``blind-spot``:
        a few pixels are hidden, and looked at alone.
    seed : int

    Raises
    ------
    UserError
        If no patch of any pair is usable.
    """

    def __init__(self, pairs: Sequence[SlicePair], patch: int, method: str, seed: int) -> None:
        self.pairs, self.patch, self.method, self.seed = pairs, patch, method, seed
        self.places = [_places(pair.usable, patch) for pair in pairs]
        # A slice counts by the root of what is usable in it: large ones more, small ones not never.
        roots = np.sqrt([len(places) for places in self.places])
        if not roots.any():
            raise UserError(
                f"no square of {patch} x {patch} pixels is usable in any pair; widen the regions, or pair slices that "
                "overlap more"
            )
        self.share = roots / roots.sum()

    def draw(self, step: int, count: int) -> Batch:
        """Return ``count`` patches of a step."""
        random = np.random.default_rng([self.seed, step])
        cuts = [self._cut(random) for _ in range(count)]
        low, high, weight = (torch.from_numpy(np.stack(part)[:, None]) for part in zip(*cuts, strict=True))
        batch = Batch(low, high, weight)
        return blind_spots(batch, random) if self.method == "blind-spot" else batch

    def _cut(self, random: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        number = random.choice(len(self.pairs), p=self.share)
        pair, side = self.pairs[number], self.patch
        factor = pair.high.shape[0] // pair.low.shape[0]
        y, x = self.places[number][random.integers(len(self.places[number]))]
        low = pair.low[y : y + side, x : x + side]
        high = pair.high[factor * y : factor * (y + side), factor * x : factor * (x + side)]
        weight = pair.usable[y : y + side, x : x + side].repeat(factor, 0).repeat(factor, 1)
        turns, mirrored = int(random.integers(4)), random.random() < 0.5
        gain, offset = random.uniform(*GAIN), random.uniform(*OFFSET)
        parts = []
        for part in (low * gain + offset, high * gain + offset, weight):
            turned = np.rot90(np.nan_to_num(part, posinf=0.0, neginf=0.0), turns)
            parts.append(np.ascontiguousarray(turned[:, ::-1] if mirrored else turned, dtype=np.float32))
        if self.method in ("halves", "neighbours") and random.random() < 0.5:
            parts[0], parts[1] = parts[1], parts[0]
        return tuple(parts)


def blind_spots(batch: Batch, random: np.random.Generator) -> Batch:
    """Hide a few pixels of the input behind a random neighbour each; the loss is to look at them alone.

    References
    ----------
    Krull, Buchholz, Jug, "Noise2Void", CVPR 2019. It holds where the noise of neighbouring pixels is independent.
    """
    shape = batch.low.shape
    hidden = random.random(shape) < HIDDEN
    # Any place of the square around but its middle.
    moves = np.array([(y, x) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1) if (y, x) != (0, 0)])
    image, _, row, column = np.nonzero(hidden)
    move = moves[random.integers(len(moves), size=len(row))]
    # At the border by reflection, so that a pixel never stands in for itself.
    rows, columns = _reflected(row + move[:, 0], shape[2]), _reflected(column + move[:, 1], shape[3])
    low = batch.low.clone()
    low[image, 0, row, column] = batch.low[image, 0, rows, columns]
    return Batch(low, batch.high, batch.weight * torch.from_numpy(hidden))


def _reflected(place: NDArray[np.int64], extent: int) -> NDArray[np.int64]:
    return np.where(place < 0, -place, np.where(place >= extent, 2 * (extent - 1) - place, place))


def _places(usable: NDArray[np.bool_], side: int) -> NDArray[np.int32]:
    """Return first row and column (n, 2) of the squares that are usable enough."""
    sums = np.pad(usable, ((1, 0), (1, 0))).astype(np.int64).cumsum(0).cumsum(1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return (STRIDE * np.argwhere(inside[::STRIDE, ::STRIDE] >= USABLE * side**2)).astype(np.int32)
