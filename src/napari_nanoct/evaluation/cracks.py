"""The crack experiment: one local threshold, the same for every image, on what each method restores.

After Peng et al., Nuclear Techniques 49 (2026) 250034, sect. 3: a plain detector shows what restoration does for
cracks. Unlike there, precision, recall and F1 are given by sample, strictly and with a tolerance of one voxel, and a
phantom without its cracks tells how many are invented.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.protocols import degrade
from napari_nanoct.evaluation.scores import Method
from napari_nanoct.evaluation.truth import PHANTOM, phantom_seed, spread

WINDOW = 41
OFFSET = 0.12
SMALLEST = 12

Mask = NDArray[np.bool_]
Rows = dict[tuple[str, int, str], list[tuple[float, ...]]]
"""Figures of slices by sample, level and method."""


@dataclass(frozen=True)
class CrackSlice:
    """A slice whose cracks are known.

    Attributes
    ----------
    sample : str
    image : ndarray, shape (y, x), float32
        Range 0 to 1.
    cracks : ndarray of bool
    where : ndarray of bool
        Where to look: inside the particles, and off their pores where these are known.
    middle : ndarray of bool, optional
        The cracks' exact mid-surface, where it is known: cracks of less than half a voxel count here alone.
    """

    sample: str
    image: NDArray[np.float32]
    cracks: Mask
    where: Mask
    middle: Mask | None = None


@dataclass(frozen=True)
class CrackScore:
    """Scores of one method, each 0 to 1: of a sample without cracks ``false_share`` alone, which else is NaN."""

    sample: str
    level: int
    method: str
    precision: float
    recall: float
    f1: float
    f1_tolerant: float
    mid_surface_recall: float
    cldice: float
    false_share: float


def find_cracks(image: NDArray[np.float32], where: Mask) -> Mask:
    """Mark what is darker than its surroundings: the plain local adaptive threshold.

    Darker by more than 0.12 of the range than the Gaussian-weighted mean of a window of 41 pixels; connected pieces of
    less than 12 pixels are dropped. The same for every image.

    Parameters
    ----------
    image : ndarray, shape (y, x), float32
        Range 0 to 1.
    where : ndarray of bool
        Nothing outside is marked.
    """
    from skimage.filters import threshold_local
    from skimage.measure import label

    dark = (image < threshold_local(image, WINDOW, method="gaussian", offset=OFFSET)) & where
    pieces = label(dark, connectivity=2)
    return np.asarray(dark & (np.bincount(pieces.ravel())[pieces] >= SMALLEST))


def crack_slices(sources: Sequence[str]) -> Iterator[CrackSlice]:
    """Load slices with known cracks.

    Parameters
    ----------
    sources : sequence of str
        ``phantom:SEED`` gives a phantom and its twin without cracks (``phantom:SEED, sound``); a ``ct`` folder of
        training data gives the validation slices that have crack labels (``_cracks``, ``_particles``).
    """
    for source in sources:
        if source.startswith(PHANTOM):
            yield from _phantom(source)
        elif (Path(source) / "index.csv").is_file():
            yield from _labelled(Path(source))
        else:
            raise UserError(f"{source} has no known cracks; give phantom:SEED or a ct folder with crack labels.")


def score_cracks(
    slices: Iterable[CrackSlice], protocol: str, level: int, factor: int, methods: Mapping[str, Method]
) -> list[CrackScore]:
    """Degrade, restore by every method, find cracks and score them; means of the slices of each sample.

    Parameters
    ----------
    slices : iterable of CrackSlice
    protocol, level, factor
        As `napari_nanoct.evaluation.protocols.degrade` takes them.
    methods : mapping
        By name.
    """
    rows: Rows = {}
    for number, one in enumerate(slices):
        height, width = (extent // factor * factor for extent in one.image.shape)
        cracks, where = one.cracks[:height, :width], one.where[:height, :width]
        middle = None if one.middle is None else one.middle[:height, :width]
        low = degrade(one.image[:height, :width], protocol, level, factor, seed=2000 + number)
        for name, method in methods.items():
            found = find_cracks(method(low), where)
            rows.setdefault((one.sample, level, name), []).append(_figures(cracks, found, where, middle))
    return _averaged(rows)


def over_phantoms(scores: Sequence[CrackScore]) -> list[CrackScore]:
    """Average the phantoms, and their sound twins, for each level and method."""
    rows: Rows = {}
    for score in scores:
        if score.sample.startswith(PHANTOM):
            name = "mean, sound" if score.sample.endswith("sound") else "mean of phantoms"
            rows.setdefault((name, score.level, score.method), []).append(astuple(score)[3:])
    return _averaged(rows)


def _averaged(rows: Rows) -> list[CrackScore]:
    return [CrackScore(*key, *(float(v) for v in np.mean(figures, axis=0))) for key, figures in rows.items()]


def _figures(cracks: Mask, found: Mask, where: Mask, middle: Mask | None) -> tuple[float, ...]:
    """Figures of a `CrackScore` in their order."""
    from napari_nanoct.quality import crack_scores, false_share

    if not cracks.any():
        return *[np.nan] * 6, false_share(found, where)
    scores = crack_scores(cracks, found, mask=where, mid_surface=middle)
    strict, tolerant = scores.strict, scores.tolerant
    return strict.precision, strict.recall, strict.f1, tolerant.f1, scores.surface_recall, scores.cldice, np.nan


def _phantom(source: str) -> Iterator[CrackSlice]:
    from scipy.ndimage import binary_dilation

    from napari_nanoct.phantoms import phantom

    cracked, sound = (phantom((24, 384, 384), seed=phantom_seed(source), cracks=cracks) for cracks in (True, False))
    low, high = np.percentile(cracked.clean, (0.5, 99.5))
    # The two with the most crack of eight slices over the depth.
    depths = sorted(spread(24), key=lambda z: -int(cracked.cracks[z].sum()))[:2]
    for name, volume in ((source, cracked), (f"{source}, sound", sound)):
        for z in depths:
            where = volume.particles[z] & ~binary_dilation(volume.pores[z], iterations=2)
            image = np.asarray((volume.clean[z] - low) / (high - low), np.float32)
            yield CrackSlice(name, image, volume.cracks[z], where, volume.mid_surface[z])


def _labelled(folder: Path) -> Iterator[CrackSlice]:
    from tifffile import imread

    from napari_nanoct.training.data import binned, index_rows, normalised

    for row in index_rows(folder / "index.csv"):
        path = folder / row["file"]
        cracks, particles = (path.with_name(f"{path.stem}_{kind}.tif") for kind in ("cracks", "particles"))
        if row["use"] == "val" and cracks.is_file():
            factor = int(row["hr_downsample"] or 1)
            masks = [binned((imread(mask) != 0).astype(np.float32), factor) >= 0.5 for mask in (cracks, particles)]
            yield CrackSlice(row["sample"], binned(normalised(imread(path).astype(np.float32)), factor), *masks)
