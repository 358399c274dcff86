"""The first pass of a measurement: which cracks there are, where, and the grey values of wall and void."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.aperture import Levels
from napari_nanoct.cracks.blocks import Box, padded
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Volume
from napari_nanoct.volumes.volume import Shape

BLOCK = (64, 192, 192)
"""Voxels that are worked on at a time; what is read around them comes on top."""

DEPTH = 3
"""Voxels from any wall where a crack's own void is read."""

DEEP_ENOUGH = 20
"""Voxels so deep that make a crack's own void level; for the whole volume's, 25 times as many."""

_PORE_DEPTH = 2
_SLICES = 16
_SAMPLE = 1 << 16


@dataclass(frozen=True)
class Block:
    """A part of a volume.

    Attributes
    ----------
    core
        Where it lies in the volume.
    padded
        The same with what is read around it, within the volume.
    inner
        Where the core lies in that.
    """

    core: Box
    padded: Box
    inner: Box


def blocks(shape: Shape, halo: tuple[int, int, int]) -> Iterator[Block]:
    """Cut a volume into blocks with a halo."""
    parts = [
        [slice(start, min(start + step, length)) for start in range(0, length, step)]
        for length, step in zip(shape, BLOCK, strict=True)
    ]
    for z, y, x in itertools.product(*parts):
        yield Block((z, y, x), *padded((z, y, x), shape, halo))


def label_boxes(labels: NDArray[Any]) -> Iterator[tuple[int, Box, int]]:
    """Every label of an array but 0, the box that it is in, and its voxels."""
    from scipy.ndimage import find_objects

    # Numbered anew, at the labelled voxels alone: labels may be far larger than there are cracks in a block.
    at = np.nonzero(labels)
    known, number, counts = np.unique(labels[at], return_inverse=True, return_counts=True)
    compact = np.zeros(labels.shape, np.int32)
    compact[at] = number + 1
    for label, (z, y, x), count in zip(known, find_objects(compact), counts, strict=True):
        yield int(label), (z, y, x), int(count)


@dataclass
class Census:
    """What the first pass finds, by label; arrays grow by block."""

    voxels: dict[int, int] = field(default_factory=dict)
    box: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    faces: dict[int, NDArray[np.bool_]] = field(default_factory=dict)
    at_pores: set[int] = field(default_factory=set)
    deep: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    pores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    euler: int = 0
    around: list[NDArray[np.float64]] = field(default_factory=list)
    inside: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, block: Block, shape: Shape, labels: NDArray[Any]) -> None:
        """Count the labels of a block's core; ``labels`` is the padded block."""
        start = np.array([part.start for part in block.core])
        for number, place, count in label_boxes(labels[block.inner]):
            low = np.array([part.start for part in place]) + start
            high = np.array([part.stop for part in place]) + start - 1
            self.voxels[number] = self.voxels.get(number, 0) + count
            if number in self.box:
                low, high = np.minimum(low, self.box[number][0]), np.maximum(high, self.box[number][1])
            self.box[number] = np.stack([low, high])
            self.faces[number] = np.stack([low == 0, high == np.array(shape) - 1])
        self.euler += _cells(labels != 0, block, shape)

    def add_grey(
        self,
        block: Block,
        labels: NDArray[Any],
        grey: NDArray[np.float32],
        closed: NDArray[np.bool_],
        pores: NDArray[np.bool_] | None,
    ) -> None:
        """Note the grey values in cracks, in their depth, around them and in the depth of pores.

        All arrays are of the padded block; ``closed`` is where there are pores or no values. With pores, also which
        cracks have one next to them.
        """
        from scipy.ndimage import binary_dilation, generate_binary_structure

        cracks, inner = labels != 0, block.inner
        if pores is not None:
            touched = labels[inner][binary_dilation(pores, generate_binary_structure(3, 3))[inner]]
            self.at_pores |= {int(label) for label in np.unique(touched) if label}
            values = grey[inner][_eroded(pores, _PORE_DEPTH)[inner]]
            self.pores = self.pores + np.array([len(values), values.sum(dtype=np.float64)])
        near = binary_dilation(cracks, iterations=3)
        shell = binary_dilation(near, iterations=2) & ~near & ~closed
        self.around.append(_some(grey[inner][shell[inner]]))
        self.inside.append(_some(grey[inner][(cracks & ~closed)[inner]]))
        deep = (_eroded(cracks, DEPTH) & ~closed)[inner]
        known, index = np.unique(labels[inner][deep], return_inverse=True)
        sums = np.bincount(index, weights=grey[inner][deep], minlength=len(known))
        for label, count, total in zip(known, np.bincount(index, minlength=len(known)), sums, strict=True):
            self.deep[int(label)] = self.deep.get(int(label), np.zeros(2)) + np.array([count, total])

    def levels(self, image: Volume, void: float | None, sign: int) -> tuple[Levels, str]:
        """Grey values of wall and void (times ``sign``), and how the void's was found.

        In this order: as given; the mean in the depth of the pores; the mean in the depth of the cracks; the median of
        the darkest of three classes of the whole volume (multi-level Otsu: Liao et al., J. Inf. Sci. Eng. 17, 2001,
        713), or the darkest twentieth of the cracks' voxels if that is darker still. Only the last is a guess: a dense
        sample without pores and with thin cracks alone shows its void nowhere, and its apertures come out too wide.
        """
        enough = 25 * DEEP_ENOUGH
        deep = np.sum(list(self.deep.values()), axis=0) if self.deep else np.zeros(2)
        inside = np.concatenate(self.inside)
        if not len(inside):
            raise UserError(f"{image.name} has no finite grey value where the cracks are; choose another layer.")
        if void is not None:
            level, source = sign * float(void), "given"
        elif self.pores[0] >= enough:
            level, source = float(self.pores[1] / self.pores[0]), "mean in the depth of the pores"
        elif deep[0] >= enough:
            level, source = float(deep[1] / deep[0]), "mean in the depth of the cracks"
        else:
            level = min(_darkest_class(image, sign), float(np.percentile(inside, 5)))
            source = "guess: darkest class of the volume"
        around = np.concatenate(self.around)
        wall = float(np.median(around)) if len(around) else float(np.max(inside))
        if wall - level <= 1e-6 * max(abs(wall), abs(level)):
            kind = ("darker", "brighter") if sign > 0 else ("brighter", "darker")
            raise UserError(
                f"Empty cracks ({sign * level:.4g}) are not {kind[0]} than their walls ({sign * wall:.4g}) in "
                f"{image.name}; choose the layer that they were found in, or measure {kind[1]} cracks."
            )
        own = {label: float(sums[1] / sums[0]) for label, sums in self.deep.items() if sums[0] >= DEEP_ENOUGH}
        # A crack that is filled as bright as its wall would have no opening to divide by.
        own = {label: value for label, value in own.items() if wall - value > 0.2 * (wall - level)}
        return Levels(wall, level, own), source


def _eroded(mask: NDArray[np.bool_], depth: int) -> NDArray[np.bool_]:
    """Voxels at least ``depth`` from any that is not in the mask; in volumes of few slices within the slice."""
    from scipy.ndimage import binary_erosion, generate_binary_structure

    structure = generate_binary_structure(3, 1)
    if len(mask) <= 2 * depth:
        structure[[0, 2]] = False
    return np.asarray(binary_erosion(mask, structure, iterations=depth, border_value=1))


def _some(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """At most some thousand values, evenly spaced."""
    return values[:: max(1, len(values) // 4096)].astype(np.float64)


def _darkest_class(image: Volume, sign: int) -> float:
    from skimage.filters import threshold_multiotsu

    places = np.unique(np.linspace(0, image.shape[0] - 1, _SLICES).astype(int))
    values = np.concatenate([np.asarray(image.data[int(z)], np.float64).ravel() for z in places])
    values = sign * values[np.isfinite(values)]
    values = values[:: max(1, len(values) // _SAMPLE)]
    low, high = np.percentile(values, (0.1, 99.9))
    values = np.clip(values, low, high)
    try:
        threshold = float(threshold_multiotsu(values, classes=3)[0])
    except ValueError:  # fewer than three different values
        return float(values.min())
    return float(np.median(values[values <= threshold]))


def _cells(mask: NDArray[np.bool_], block: Block, shape: Shape) -> int:
    """Share of a block's core in the Euler number: corners less edges plus faces less cubes of the closed voxels.

    Every cell belongs to the voxel whose lower corner it has; at the end of the volume also those of the last voxel.
    """
    parts = []
    for axis, (core, inner) in enumerate(zip(block.core, block.inner, strict=True)):
        first = inner.start > 0
        last = core.stop == shape[axis]
        parts.append((slice(inner.start - first, inner.stop), (0 if first else 1, 1 if last else 0)))
    voxels = np.pad(mask[tuple(part for part, _ in parts)], [pad for _, pad in parts])
    core_shape = [part.stop - part.start for part in block.core]
    total = 0
    for joined in itertools.product((False, True), repeat=3):
        cells = voxels
        for axis, join in enumerate(joined):
            low, high = (slice(None),) * axis, cells.shape[axis]
            if join:
                cells = cells[(*low, slice(1, high))] | cells[(*low, slice(0, high - 1))]
            else:
                cells = cells[(*low, slice(1, 1 + core_shape[axis]))]
        total += (-1) ** (3 - sum(joined)) * int(cells.sum())
    return total
