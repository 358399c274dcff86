"""Cracks without a label: dark plates inside bright bodies, and a plain "no" where there are none."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.blocks import Box, Rule, padded, pieces_of, whole_box
from napari_nanoct.cracks.bodies import (
    MEND,
    SURROUNDINGS,
    Grey,
    Mask,
    body_level,
    closed,
    finite,
    inside,
    reach_of,
    sample_boxes,
    sample_mask,
)
from napari_nanoct.cracks.derivatives import Spacing
from napari_nanoct.cracks.plates import measure_halo, plate_measure, usual_widths
from napari_nanoct.errors import UserError

__all__ = ["PlateSearch", "Proposal", "ProposalSettings", "find_search", "propose", "sample_mask", "summary"]

Read = Callable[[Box], Grey]
"""Returns a box of a volume as finite normalised grey values."""

LOW, HIGH = 0.17, 0.3
"""Score down to which a crack goes on, and that it must reach, at sensitivity 0.5; as shares of the grey range."""

FLAT = 1.5
"""Factor on both in one slice, where the flank of a pore is a line too."""

NOISE_LOW, NOISE_HIGH = 2.9, 5.7
"""The same in units of the score's median where it has any, which cracks hardly change: of noise alone one voxel in a
million reaches 5."""

NOISE_FLAT, LONG = (2.5, 4.0), 100
"""Those in one slice, whose cracks stand out less, and the fewest pixels of a crack where they decide: pieces of noise
blurred by up to 2.5 pixels are shorter."""

SMALLEST, SMALLEST_FLAT = 30, 12
"""Fewest voxels of a crack, in a volume and in one slice."""

CLEAR = 0.0064
"""Share of the bodies that clear cracks fill, counting what is deep inside, at least, at sensitivity 0.5: gaps between
particles fill less."""

SURE = 0.54
"""Score that a sure crack reaches somewhere, at a sensitivity up to 0.5; few gaps between particles are so dark."""

HALF, ACROSS = 0.5, 1 / 6
"""Depth of a crack's voxels at least, in that of the deepest one beside: blur carries a crack's score beyond its
walls, where its depth is half. How far beside is, in units of the widest crack."""

PLANARITY = 0.35
"""Least ratio of plate measure and top-hat over a crack; of a round pore it is about 0.2."""


@dataclass(frozen=True)
class ProposalSettings:
    """How cracks are found without a label.

    Attributes
    ----------
    sensitivity : float
        0 to 1: thresholds are halved from 0.5 to 1, and doubled at 0; never below what noise reaches.
    dark : bool
        Cracks are darker than what they run through, else brighter.
    widths : tuple of float or None
        Widths to look for, in the unit of the voxel size; None: `usual_widths` of the grid.
    minimum_volume : float or None
        Smallest crack, in the cubed unit of the voxel size; None: 30 voxels, 12 in one slice.

    Raises
    ------
    UserError
        If the sensitivity is not from 0 to 1, or a width or the volume is not positive.
    """

    sensitivity: float = 0.5
    dark: bool = True
    widths: tuple[float, ...] | None = None
    minimum_volume: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.sensitivity <= 1:
            raise UserError(f"A sensitivity of {self.sensitivity:g} does not exist; choose one from 0 to 1.")
        sizes = [*(self.widths or ()), *([] if self.minimum_volume is None else [self.minimum_volume])]
        if self.widths == () or not all(size > 0 and math.isfinite(size) for size in sizes):
            raise UserError("Widths and the smallest volume of cracks must be positive; leave them out for usual ones.")


@dataclass(frozen=True, eq=False)
class Proposal:
    """What was found.

    Attributes
    ----------
    labels : ndarray, shape (z, y, x), int32
        0 background, 1..n cracks.
    score : ndarray, shape (z, y, x), float32
        Geometric mean of plate measure and top-hat inside the mask, 0 outside; in shares of the grey range. No more
        than the low threshold beyond a crack's walls.
    clear : bool
        Whether there are clear cracks.
    message : str
        One sentence.
    """

    labels: NDArray[np.int32]
    score: Grey
    clear: bool
    message: str


class Scored(NamedTuple):
    """Score, planarity, depth and careful score of the voxels of a block, as `Pieces.add` takes them."""

    score: Grey
    planarity: Grey | None = None
    deep: Mask | None = None
    gate: Grey | None = None


@dataclass(frozen=True)
class PlateSearch:
    """The search for cracks in one volume, with all that must be the same everywhere in it.

    Attributes
    ----------
    voxel_size : (float, float, float)
    widths : tuple of float
    dark : bool
    body : float or None
        Grey value that bodies are brighter than; None: the mask is given, or all of the volume.
    rule : Rule
    """

    voxel_size: Spacing
    widths: tuple[float, ...]
    dark: bool
    body: float | None
    rule: Rule

    @property
    def halo(self) -> tuple[int, int, int]:
        """Voxels (z, y, x) around a block that its score depends on."""
        reaches = zip(
            measure_halo(self.voxel_size, self.widths),
            reach_of(self.voxel_size, self.widths, 0.5),
            reach_of(self.voxel_size, self.widths, SURROUNDINGS),
            reach_of(self.voxel_size, self.widths, ACROSS),
            strict=True,
        )
        z, y, x = (max(plate, 2 * max(wall, MEND) + around + across) for plate, wall, around, across in reaches)
        return (z, y, x)

    def __call__(self, block: Grey, mask: Mask | None, inner: Box) -> Scored:
        """Look at the inner part of a block that was read with the `halo`; NaN never gets in here."""
        from scipy.ndimage import maximum_filter

        grey = block if self.dark else 1 - block
        plates = plate_measure(grey, self.voxel_size, self.widths)
        tophat = closed(grey, reach_of(self.voxel_size, self.widths, 0.5)) - grey
        score = np.sqrt(plates * tophat)
        planarity = np.divide(plates, tophat, out=np.zeros_like(plates), where=tophat > 0).clip(0, 1)
        deep = gate = None
        if mask is None and self.body is not None:
            mask, core, deep = inside(grey, self.voxel_size, self.widths, self.body)
            # Here a crack may go on, but no crack may begin.
            np.minimum(score, np.float32(0.999 * self.rule.high), out=score, where=~deep)
            gate = np.where(core, score, np.float32(0))
        if mask is not None:
            score[~mask] = 0
            tophat[~mask] = 0
        size = [2 * steps + 1 for steps in reach_of(self.voxel_size, self.widths, ACROSS)]
        shallow = tophat < np.float32(HALF) * maximum_filter(tophat, size)
        np.minimum(score, np.float32(0.999 * self.rule.low), out=score, where=shallow)
        if deep is None or gate is None:
            return Scored(score[inner], planarity[inner])
        return Scored(score[inner], planarity[inner], deep[inner], gate[inner])


def propose(
    volume: NDArray[Any], voxel_size: Spacing, settings: ProposalSettings | None = None, mask: Mask | None = None
) -> Proposal:
    """Find cracks without a label.

    The score of a voxel is the geometric mean of two contrasts: of the plate through it (`plate_measure`), which pores
    and edges lack, and of a black top-hat with a cube somewhat wider than the widest crack, which edges of wide dark
    regions lack; the cube sees cracks in the plane of the slices too. Connected voxels above a low threshold are a
    crack if one reaches a high one (hysteresis), if they are many enough, if they are planar, and if a seventh of
    them lies deep inside bodies where these are what is searched, or a few of them if one reaches `SURE`; left out
    are those whose top-hat is less than half of the largest across the crack, where its walls begin. The thresholds
    are shares of the grey range, and never below what the score does in most of the mask anyway, deep inside bodies
    if there are any: noise has no cracks.

    Parameters
    ----------
    volume : ndarray, shape (z, y, x), or (y, x) for one slice
        Grey values normalised to 0..1 by the volume's range (`napari_nanoct.volumes.intensity_range`). Values that are
        not finite are left out.
    voxel_size : (float, float, float)
        (z, y, x) in any unit.
    settings : ProposalSettings, optional
    mask : ndarray of bool, same shape, optional
        Where to look. By default inside bodies, the particles of a cathode, if the grey values show any
        (`sample_mask`), else everywhere; a mask of ones means everywhere.

    Returns
    -------
    Proposal

    Raises
    ------
    UserError
        If the volume is constant or has no finite voxel, or the mask is empty or has another shape.
    """
    settings = settings or ProposalSettings()
    values, where = finite(np.asarray(volume))
    if mask is not None:
        keep = np.asarray(mask, bool).reshape((1, *mask.shape)[-3:])
        if keep.shape != values.shape:
            raise UserError(f"The mask has shape {keep.shape} and the volume {values.shape}; give one of its shape.")
        if not keep.any():
            raise UserError("The mask is empty; choose another one, or leave it out.")
        where = keep if where is None else keep & where
    search = find_search(values.__getitem__, values.shape, voxel_size, settings, None if mask is None else keep)
    found = search(values, None if mask is None else keep, whole_box(values.shape))
    if where is not None:
        found.score[~where] = 0
        if found.gate is not None:
            found.gate[~where] = 0
    final = pieces_of(search.rule, *found)
    return Proposal(final, found.score, bool(final.any()), summary(int(final.max())))


def summary(count: int) -> str:
    """Return the sentence about a number of cracks."""
    if count == 0:
        return "No clear cracks; a higher sensitivity, or a mask of where they may be, finds fainter ones."
    return "One crack." if count == 1 else f"{count} cracks."


def find_search(
    read: Read, shape: tuple[int, ...], voxel_size: Spacing, settings: ProposalSettings, mask: Any | None = None
) -> PlateSearch:
    """Take all global quantities from a seeded sample of blocks, so that every part of a volume is judged alike.

    Parameters
    ----------
    read : callable
        Returns a box of the volume.
    shape : (int, int, int)
    voxel_size : (float, float, float)
    settings : ProposalSettings
    mask : array-like, shape (z, y, x), optional
        Where to look, sliced as `read` is asked; None: inside bodies.

    Raises
    ------
    UserError
        If the volume is constant where it was sampled.
    """
    widths = settings.widths or usual_widths(voxel_size)
    boxes = sample_boxes(shape)
    sample = np.concatenate([np.asarray(read(box)).ravel() for box in boxes])
    if np.ptp(sample) == 0:
        raise UserError("All voxels of the volume are equal, so there is nothing to be found; choose another volume.")
    body = body_level(sample if settings.dark else 1 - sample) if mask is None else None
    smallest = SMALLEST_FLAT if shape[0] == 1 else SMALLEST
    if settings.minimum_volume is not None:
        smallest = math.ceil(settings.minimum_volume / math.prod(voxel_size))
    first = PlateSearch(voxel_size, widths, settings.dark, body, Rule(math.inf, math.inf, smallest, PLANARITY))
    scores = []
    for box in boxes:
        around, inner = padded(box, shape, first.halo)
        keep = None if mask is None else np.asarray(mask[around], bool)
        found = first(read(around), keep, inner)
        # Deep inside bodies gaps between them add nothing.
        where = found.deep if keep is None else keep[inner]
        scores.append(found.score.ravel() if where is None else found.score[where])
    known = np.concatenate(scores)
    usual = float(np.median(known[known > 0])) if (known > 0).any() else 0.0
    factor = 2 ** (1 - 2 * settings.sensitivity)
    share = factor * (FLAT if shape[0] == 1 else 1)
    bodies = 0.0 if body is None else float(((sample if settings.dark else 1 - sample) > body).mean())
    noise = NOISE_FLAT if shape[0] == 1 else (NOISE_LOW, NOISE_HIGH)
    low, high = (max(own * share, floor * usual) for own, floor in zip((LOW, HIGH), noise, strict=True))
    # From sensitivity 0.5 to 1 what is sure comes down to what a crack must reach anyway.
    sure = HIGH * min(1, factor) + (SURE - HIGH) * min(1, 2 - 2 * settings.sensitivity)
    if shape[0] == 1 and high > HIGH * share:
        smallest = max(smallest, LONG)
    rule = Rule(
        low=low,
        high=high,
        smallest=smallest,
        planarity=PLANARITY,
        clear=0 if body is None else max(1, int(CLEAR * factor * bodies * math.prod(shape))),
        sure=max(high, sure),
    )
    return PlateSearch(voxel_size, widths, settings.dark, body, rule)
