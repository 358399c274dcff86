"""Measure cracks: labels and grey values in, a table out; block by block, so that volumes of any size will do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np

from napari_nanoct.cracks.census import Census, blocks
from napari_nanoct.cracks.evidence import BOUND, Evidence, check_place
from napari_nanoct.cracks.measurement import Crack, Measurement, Whole
from napari_nanoct.cracks.piece import halo, load, points
from napari_nanoct.cracks.sums import AZIMUTHS, INCLINATIONS, SHOWN, Sums
from napari_nanoct.cracks.surface import mean_voxel
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Volume
from napari_nanoct.volumes.volume import Shape

Progress = Callable[[int, int], None]


def measure_cracks(
    labels: Any,
    image: Volume,
    *,
    pores: Any | None = None,
    mask: Any | None = None,
    original: Volume | None = None,
    void: float | None = None,
    dark: bool = True,
    apertures: Any | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Measure labelled cracks over a grey-value volume.

    All is read block by block (64 x 192 x 192 voxels and what is around them), twice. Memory is about half a GB, and
    3 kB a crack; it does not depend on the size of the volume or of a crack. Cracks that open wider than about six
    voxels lose area, at ten a fifth.

    Parameters
    ----------
    labels
        (z, y, x) integers, 0 background, every other label one connected crack; numpy, zarr or dask.
    image
        Grey values that apertures are taken from, on the labels' grid; its geometry gives voxel size and unit.
    pores
        (z, y, x), not zero where there are pores: profiles end there, and cracks next to one are named.
    mask
        (z, y, x), not zero in the sample: what fractions and density refer to.
    original
        Layer before enhancement, on any grid in the same world: is each crack seen there? Of cracks outside it nothing
        is known.
    void
        Grey value of an empty crack; by default found in the volume (`napari_nanoct.cracks.census.Census.levels`).
    dark
        Cracks are darker than their walls; False for brighter ones.
    apertures
        Array of the labels' shape (numpy or zarr) that the local aperture is written into, at the labelled voxels.
    progress
        Called with blocks done and in all; may raise to stop.

    Returns
    -------
    Measurement

    Raises
    ------
    UserError
        If shapes differ, the labels are no integers, the cracks have no finite grey value, or the original lies
        elsewhere or has a unit of length where the image has none, or the other way round.
    """
    steps = measuring(
        labels, image, pores=pores, mask=mask, original=original, void=void, dark=dark, apertures=apertures
    )
    while True:
        try:
            done, total = next(steps)
        except StopIteration as end:
            return end.value
        if progress is not None:
            progress(done, total)


def measuring(
    labels: Any,
    image: Volume,
    *,
    pores: Any | None = None,
    mask: Any | None = None,
    original: Volume | None = None,
    void: float | None = None,
    dark: bool = True,
    apertures: Any | None = None,
) -> Generator[tuple[int, int], None, Measurement]:
    """Measure as `measure_cracks` does, for a job: yields blocks done and in all, and returns the measurement."""
    _check(labels, image, pores=pores, mask=mask, apertures=apertures)
    if original is not None:
        check_place(original, image)
    shape, size, sign = image.shape, image.geometry.voxel_size, 1 if dark else -1
    work = list(blocks(shape, halo(size)))
    census, sample = Census(), 0
    for number, block in enumerate(work):
        yield number, 2 * len(work)
        sample += _sample(mask, block.core, shape)
        here = np.asarray(labels[block.padded])
        if here.any():
            census.add(block, shape, here)
        if here[block.inner].any() or pores is not None:
            part = load(block, labels, image, pores, None, sign)
            census.add_grey(block, part.labels, part.grey, part.closed, part.pores)
    settings: dict[str, str | float] = {"cracks are": "darker" if dark else "brighter"}
    volume = sample * float(np.prod(size))
    if not census.voxels:
        yield 2 * len(work), 2 * len(work)
        return Measurement((), _whole((), census, Sums.empty(0), volume, image, None), image.geometry, settings)
    levels, source = census.levels(image, void, sign)
    settings |= {"grey of the wall": sign * levels.wall, "grey of the void": sign * levels.void, "void from": source}
    rows = {label: row for row, label in enumerate(sorted(census.voxels))}
    through = {label for label, faces in census.faces.items() if faces[:, 0].all()}
    sums, evidence = Sums.empty(len(rows)), Evidence.empty(len(rows))
    for number, block in enumerate(work):
        yield len(work) + number, 2 * len(work)
        core = np.asarray(labels[block.core])
        if not core.any():
            continue
        local = None if apertures is None else np.zeros(core.shape, np.float32)
        for found in points(load(block, labels, image, pores, original, sign), levels, through, local):
            sums.add(rows[found.crack], found.surface, found.opening, mean_voxel(size))
            if found.original is not None:
                evidence.add(rows[found.crack], found.original)
        if apertures is not None and local is not None:
            apertures[block.core] = local
    yield 2 * len(work), 2 * len(work)
    judged = None if original is None else evidence
    cracks = tuple(_crack(label, row, census, sums, judged, image, pores is not None) for label, row in rows.items())
    return Measurement(cracks, _whole(cracks, census, sums, volume, image, judged), image.geometry, settings)


def _check(labels: Any, image: Volume, **others: Any | None) -> None:
    if np.dtype(labels.dtype).kind not in "iu":
        raise UserError(f"Crack labels must be integers, 0 for none, not {labels.dtype}; label the mask first.")
    for name, array in {"labels": labels, **others}.items():
        if array is not None and tuple(array.shape) != image.shape:
            raise UserError(
                f"The {name} of shape {tuple(array.shape)} do not fit {image.name} of shape {image.shape}; "
                "both must lie on one grid (z, y, x)."
            )


def _sample(mask: Any | None, core: Any, shape: Shape) -> int:
    """Voxels of a block that belong to the sample."""
    if mask is None:
        return int(np.prod([len(range(*part.indices(n))) for part, n in zip(core, shape, strict=True)]))
    return int(np.count_nonzero(np.asarray(mask[core])))


def _crack(
    label: int, row: int, census: Census, sums: Sums, evidence: Evidence | None, image: Volume, pores: bool
) -> Crack:
    size = image.geometry.voxel_size
    mean, p95, widest = sums.aperture(row, mean_voxel(size))
    length, normal, planarity, centre = sums.shape(row)
    first, last = ([int(n) for n in corner] for corner in census.box[label])
    cnr, score = (float("nan"), float("nan")) if evidence is None else evidence.judged(row)
    return Crack(
        id=label,
        voxels=census.voxels[label],
        volume=census.voxels[label] * float(np.prod(size)),
        area=float(sums.area[row]),
        aperture_mean=mean,
        aperture_p95=p95,
        aperture_max=widest,
        length=length,
        normal=normal,
        planarity=planarity,
        centre=centre,
        box=((first[0], first[1], first[2]), (last[0], last[1], last[2])),
        # One slice has no border above and below.
        touches_border=bool(census.faces[label][:, np.array(image.shape) > 1].any()),
        touches_pores=label in census.at_pores if pores else None,
        cnr_original=cnr,
        evidence=score,
        only_enhanced=None if np.isnan(score) else score < BOUND,
    )


def _whole(
    cracks: Sequence[Crack], census: Census, sums: Sums, volume: float, image: Volume, evidence: Evidence | None
) -> Whole:
    unit = mean_voxel(image.geometry.voxel_size)
    area, known, opening = float(sums.area.sum()), float(sums.known.sum()), float(sums.opening.sum())
    share = 1 / volume if volume else 0.0
    filled = np.flatnonzero(sums.shown)
    bins = int(filled[-1]) + 1 if len(filled) else 1
    # Rows: cracks; columns: both borders of an axis reached.
    reached = np.array([faces.all(axis=0) for faces in census.faces.values()], dtype=bool).reshape(-1, 3)
    through = [bool(n > 1 and reached[:, axis].any()) for axis, n in enumerate(image.shape)]
    return Whole(
        count=len(cracks),
        volume=volume,
        volume_fraction=sum(crack.volume for crack in cracks) * share,
        opening_fraction=opening * share,
        area=area,
        density=area * share,
        aperture_mean=opening / known if known else float("nan"),
        aperture_edges=SHOWN[: bins + 1] * unit,
        aperture_area=sums.shown[:bins],
        inclination_edges=INCLINATIONS,
        azimuth_edges=AZIMUTHS,
        orientation_area=sums.orientation,
        euler=census.euler,
        percolates=(through[0], through[1], through[2]),
        only_enhanced=None if evidence is None else sum(crack.only_enhanced is True for crack in cracks),
    )
