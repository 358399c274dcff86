"""Original against enhanced: what the same means find in each layer, against the truth or against one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.evidence import check_place
from napari_nanoct.cracks.table import write_rows
from napari_nanoct.errors import UserError
from napari_nanoct.quality import CrackScores, crack_scores
from napari_nanoct.volumes import Geometry, Volume
from napari_nanoct.volumes.units import convert

Mask = NDArray[np.bool_]

EDGES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0)
"""Classes of aperture that recall is told for, in voxels."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Cracks found in several layers.

    Attributes
    ----------
    truth
        What they were compared with: "truth", or the name of the layer that stands for it.
    scores
        By layer; F1 and precision, strict and with a tolerance of one voxel. Of two masks without a truth strict F1 is
        their Dice coefficient, and both F1 are the same whichever is taken for the truth.
    edges
        Edges (n + 1,) of the classes of aperture, in voxels.
    recall
        By layer: share (n,) of the truth's mid-surface in each class that has a found voxel within one voxel; NaN for
        classes without one. Empty where apertures are not known.
    surface
        Voxels of mid-surface (n,) in each class.
    """

    truth: str
    scores: Mapping[str, CrackScores]
    edges: NDArray[np.float64]
    recall: Mapping[str, NDArray[np.float64]]
    surface: NDArray[np.int64]


def compare_masks(
    found: Mapping[str, Mask],
    *,
    truth: Mask | None = None,
    mid_surface: Mask | None = None,
    aperture: NDArray[np.floating] | None = None,
    where: Mask | None = None,
) -> Comparison:
    """Compare what was found in several layers, on one grid.

    Parameters
    ----------
    found
        Masks of one shape by layer; label images will do.
    truth
        Known cracks; without them every layer is compared with the last one.
    mid_surface, aperture
        The truth's mid-surface and aperture in voxels, for recall by aperture.
    where
        Where to look.

    Raises
    ------
    UserError
        If shapes differ, or there is nothing to compare with.
    """
    names = list(found)
    if not names or (truth is None and len(names) < 2):
        raise UserError("One layer without a truth cannot be compared; give two layers, or the known cracks.")
    standard = "truth" if truth is not None else names[-1]
    known = np.asarray(found[standard] if truth is None else truth) != 0
    judged = names if truth is not None else names[:-1]
    scores = {name: crack_scores(known, found[name], mask=where, mid_surface=mid_surface) for name in judged}
    recall: dict[str, NDArray[np.float64]] = {}
    edges, surface = np.array(EDGES), np.zeros(len(EDGES) - 1, np.int64)
    if mid_surface is not None and aperture is not None:
        seen = mid_surface if where is None else mid_surface & where
        surface = np.histogram(aperture[seen], edges)[0]
        recall = {name: _recall(np.asarray(found[name]) != 0, seen, aperture, edges, surface) for name in judged}
    return Comparison(standard, scores, edges, recall, surface)


def compare_layers(
    layers: Mapping[str, Volume],
    scribbles: NDArray[np.uint8],
    drawn_on: str,
    find: Callable[[Volume, NDArray[np.uint8]], NDArray[Any]],
    **truth: Any,
) -> tuple[Comparison, dict[str, Mask]]:
    """Let the same scribbles teach one detector for each layer, and compare what these find.

    Parameters
    ----------
    layers
        By name, such as "original" and "enhanced"; each on its own grid in the same world.
    scribbles
        (z, y, x) brush numbers, 0 for none, on the grid of the layer ``drawn_on``; masks come back on that grid.
    find
        Trains on a layer and the scribbles on its grid, and returns a mask or labels of the layer's shape.
    truth
        As for `compare_masks`, on the grid of the layer drawn on.

    Returns
    -------
    comparison, masks
        Masks by layer.

    Raises
    ------
    UserError
        If a layer lies elsewhere than the one drawn on, or only one of the two has a unit of length.
    """
    base = layers[drawn_on]
    for layer in layers.values():
        check_place(layer, base)
    masks = {}
    for name, layer in layers.items():
        there = on_grid(scribbles, base.geometry, layer.geometry, layer.shape)
        masks[name] = on_grid(np.asarray(find(layer, there)) != 0, layer.geometry, base.geometry, base.shape)
    return compare_masks(masks, **truth), masks


def on_grid(array: NDArray[Any], here: Geometry, there: Geometry, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Bring labels from one grid to another by the nearest voxel; 0 outside.

    Parameters
    ----------
    array
        (z, y, x) labels or mask.
    here, there
        Its geometry, and that of the result.
    shape
        Of the result.
    """
    factor = convert(1.0, there.unit, here.unit)
    result, inside = array, []
    for axis in range(3):
        world = (there.origin[axis] + np.arange(shape[axis]) * there.voxel_size[axis]) * factor
        # Half-way between two voxels the lower one, on every axis alike.
        index = np.ceil((world - here.origin[axis]) / here.voxel_size[axis] - 0.5 - 1e-6).astype(int)
        inside.append((index >= 0) & (index < array.shape[axis]))
        result = result.take(np.clip(index, 0, array.shape[axis] - 1), axis=axis)
    z, y, x = inside
    return np.where(z[:, None, None] & y[:, None] & x, result, np.zeros((), array.dtype))


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Write a comparison as CSV: a row a layer; figures from 0 to 1.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    names = ["layer", "compared_with", "f1", "f1_1voxel", "precision_1voxel", "recall_1voxel", "mid_surface_recall"]
    if comparison.recall:
        names += [f"recall_aperture_{low:g}_to_{high:g}_voxels" for low, high in pairwise(comparison.edges)]
    rows = []
    for name, score in comparison.scores.items():
        near = score.tolerant
        figures = [score.strict.f1, near.f1, near.precision, near.recall, score.surface_recall]
        figures += list(comparison.recall.get(name, ()))
        rows.append([name, comparison.truth, *("" if np.isnan(value) else f"{value:.4f}" for value in figures)])
    write_rows(path, names, rows)


def _recall(
    found: Mask, surface: Mask, aperture: NDArray[np.floating], edges: NDArray[np.float64], total: NDArray[np.int64]
) -> NDArray[np.float64]:
    from scipy.ndimage import maximum_filter

    near = surface & maximum_filter(found, 3, mode="constant")
    hits = np.histogram(aperture[near], edges)[0]
    return np.asarray(hits / np.where(total, total, np.nan))
