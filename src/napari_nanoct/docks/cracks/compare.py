"""Original against enhanced: the same scribbles, a classifier for each layer, what they find; no Qt here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.cracks.blocks import Rule, pieces_of
from napari_nanoct.cracks.evidence import check_place
from napari_nanoct.cracks.probability import probability_rule
from napari_nanoct.cracks.scribbles import ScribbleStore
from napari_nanoct.docks.cracks.overlay import tiles
from napari_nanoct.docks.cracks.proposal import Part, cropped
from napari_nanoct.docks.cracks.teacher import Slice, Teacher
from napari_nanoct.errors import UserError
from napari_nanoct.volumes.units import convert

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from napari_nanoct.cracks.comparison import Comparison
    from napari_nanoct.docks.cracks.choices import Request
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Geometry, Volume

ORIGINAL, ENHANCED = "original", "enhanced"


@dataclass(frozen=True, eq=False)
class Compared:
    """What was found in the two layers.

    Attributes
    ----------
    comparison : Comparison
        Figures.
    shown : mapping
        Grey values and mask (y, x) of the slice in view, by layer.
    where : str
        What was looked at, for people.
    """

    comparison: Comparison
    shown: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]]
    where: str


def compare(
    request: Request,
    store: ScribbleStore | None,
    truth: Volume | None,
    part: Part,
    z: int,
    say: Callable[[str], None],
    cancel: CancelToken,
) -> Compared:
    """Teach one classifier for each layer by the scribbles, and compare what they find; takes minutes.

    Parameters
    ----------
    request : Request
        The layer and its original, on any grid in the same world.
    store : ScribbleStore or None
        Scribbles on the layer's grid.
    truth : Volume or None
        Known cracks on the layer's grid; without them the original is compared with the layer.
    part : (slice, slice, slice)
        What is looked at.
    z : int
        Slice that is shown.
    say : callable
        Called with a line of progress.
    cancel : CancelToken
        Checked at every tile.
    """
    from napari_nanoct.cracks.comparison import compare_layers, on_grid

    if request.original is None:
        raise UserError("There is no original to compare with; choose the layer before its enhancement.")
    if store is None or not store[part].any():
        raise UserError("No scribble lies in what would be compared; paint some cracks and some background there.")
    enhanced = cropped(request.volume, part)
    layers = {ORIGINAL: surrounding(request.original, enhanced), ENHANCED: enhanced}
    wholes = {ORIGINAL: request.original, ENHANCED: request.volume}
    names = iter(layers)
    mask = None if isinstance(request.mask, str) else np.asarray(request.mask.data[part]) > 0

    def find(volume: Volume, scribbles: NDArray[np.uint8]) -> NDArray[np.bool_]:
        name = next(names)
        inside = None if mask is None else on_grid(mask, enhanced.geometry, volume.geometry, volume.shape)
        memory = ScribbleStore(Path(), volume.shape, store.classes)
        for labelled in np.flatnonzero(scribbles.any(axis=(1, 2))):
            memory[int(labelled)] = scribbles[labelled]
        teacher, rule = Teacher(volume, whole=wholes[name]), probability_rule(request.low, request.high)
        return found_in(teacher, memory, inside, rule, lambda done: say(f"{name}: {done}"), cancel)

    known: dict[str, Any] = {}
    if truth is not None:
        cracks = np.asarray(truth.data[part]) > 0
        middle, aperture = thickness(cracks)
        known = {"truth": cracks, "mid_surface": middle, "aperture": aperture}
    comparison, masks = compare_layers(layers, np.asarray(store[part]), ENHANCED, find, **known)
    row = z - part[0].start
    here: Geometry = enhanced.geometry
    grey = {
        name: on_grid(np.asarray(volume.data), volume.geometry, here, enhanced.shape)[row]
        for name, volume in layers.items()
    }
    shown = {name: (grey[name], masks[name][row]) for name in layers}
    return Compared(comparison, shown, " × ".join(map(str, enhanced.shape)) + " voxels (z, y, x)")


def found_in(
    teacher: Teacher,
    store: ScribbleStore,
    mask: NDArray[np.bool_] | None,
    rule: Rule,
    say: Callable[[str], None],
    cancel: CancelToken,
) -> NDArray[np.bool_]:
    """Learn from scribbles on a volume's grid and return its cracks (z, y, x), as a volume run finds them."""
    classifier = teacher.learn(store, cancel)
    probability = np.zeros(teacher.volume.shape, np.float32)
    for z, plane in enumerate(probability):
        say(f"slice {z + 1} of {len(probability)}")
        teacher.fill(Slice(z, classifier, plane), tiles((0, plane.shape[0], 0, plane.shape[1])), cancel, keep=False)
    if mask is not None:
        probability[~mask] = 0
    return pieces_of(rule, probability) > 0


def surrounding(volume: Volume, other: Volume) -> Volume:
    """Return the part of a volume that lies where another one does in the world, which `check_place` makes sure of."""
    check_place(volume, other)
    low, high = other.geometry.corners(other.shape)
    geometry, ranges = volume.geometry, []
    for axis in range(3):
        size, origin, length = geometry.voxel_size[axis], geometry.origin[axis], volume.shape[axis]
        ends = [(convert(end[axis], other.geometry.unit, geometry.unit) - origin) / size + 0.5 for end in (low, high)]
        ranges.append(slice(max(0, math.floor(ends[0] + 1e-6)), min(length, math.ceil(ends[1] - 1e-6))))
    z, y, x = ranges
    return cropped(volume, (z, y, x))


def thickness(cracks: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Return the middle of known cracks and their width there in voxels, from the distance to what is no crack."""
    from scipy.ndimage import distance_transform_edt, maximum_filter

    distance = distance_transform_edt(cracks)
    middle = cracks & (distance >= maximum_filter(distance, 3))
    return middle, np.where(middle, 2 * distance - 1, 0).astype(np.float32)


def score_text(found: Compared) -> str:
    """Return in a line how well the layers do, or how far they agree where no truth is known."""
    comparison = found.comparison
    if comparison.truth == "truth":
        figures = [f"{name} {score.tolerant.f1:.3f}" for name, score in comparison.scores.items()]
        return f"F1 at one voxel against the truth: {', '.join(figures)}; over {found.where}."
    score = comparison.scores[ORIGINAL]
    agreement = f"a Dice coefficient of {score.strict.f1:.3f}, at one voxel {score.tolerant.f1:.3f}"
    return f"Without a truth: the layers agree by {agreement}; over {found.where}."


def draw_comparison(figure: Figure, found: Compared) -> None:
    """Fill a figure with the slice in view of both layers, and recall by aperture where the truth is known."""
    from napari_nanoct.cracks.plots import draw_layers, draw_recall

    if not found.comparison.recall:
        draw_layers(figure, found.shown)
        return
    parts: Any = figure.subfigures(2, 1, height_ratios=(3, 2))
    draw_layers(parts[0], found.shown)
    draw_recall(parts[1].subplots(), found.comparison)
