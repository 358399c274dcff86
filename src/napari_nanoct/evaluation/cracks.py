"""The crack experiment: one local threshold, the same for every image, on what each method restores.

After Peng et al., Nuclear Techniques 49 (2026) 250034, sect. 3: a plain detector shows what restoration does for
cracks. Unlike there, precision, recall and F1 are given by sample, strictly and with a tolerance of one voxel, and a
phantom without its cracks tells how many are invented. The threshold is set where it finds most on clean phantoms
(``docs/detector.py``), which favours no method, and nothing is done to its mask: dropping small pieces would be a
denoiser of its own, which helps the noisy input most.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.protocols import degrade
from napari_nanoct.evaluation.scores import Method
from napari_nanoct.evaluation.truth import PHANTOM, phantom_seed, spread

WINDOW = 61
OFFSET = 0.3
"""The best on clean slices of phantoms 11 to 13, which nothing is scored on (larger windows do as well)."""
OFFSETS = tuple(float(offset) for offset in np.linspace(0.03, 0.45, 15))
"""Tried for each slice and method's own best."""
THIN = (20.0, 80.0)
"""Apertures in nanometre of the phantoms with thin cracks: half a voxel to two."""

Mask = NDArray[np.bool_]


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
    """Scores of one method, each 0 to 1: of a sample without cracks ``false_share`` alone, which else is NaN.

    ``f1_best`` is F1 at the offset that is best for the very slice and method, by the truth: no setting exceeds it.
    """

    sample: str
    level: int
    method: str
    precision: float
    recall: float
    f1: float
    f1_best: float
    f1_tolerant: float
    mid_surface_recall: float
    cldice: float
    false_share: float


def find_cracks(
    image: NDArray[np.float32], where: Mask, window: int = WINDOW, offsets: Sequence[float] = (OFFSET,)
) -> list[Mask]:
    """Mark what is darker than its surroundings: the plain local adaptive threshold.

    Darker by more than an offset than the Gaussian-weighted mean of a window. The same for every image.

    Parameters
    ----------
    image : ndarray, shape (y, x), float32
        Range 0 to 1.
    where : ndarray of bool
        Nothing outside is marked.
    window : int
        Side of the window in pixels, odd.
    offsets : sequence of float
        In grey values of the image; a mask each.
    """
    from skimage.filters import threshold_local

    darker = threshold_local(image, window, method="gaussian") - image
    return [(darker > offset) & where for offset in offsets]


def crack_slices(sources: Sequence[str]) -> Iterator[CrackSlice]:
    """Load slices with known cracks.

    Parameters
    ----------
    sources : sequence of str
        ``phantom:SEED`` gives a phantom, the same with thin cracks (``phantom:SEED, thin``) and without any
        (``phantom:SEED, sound``), two slices each; a ``ct`` folder of training data gives the validation slices that
        have crack labels (``_cracks``, ``_particles``).

    Raises
    ------
    UserError
        If a source has none.
    """
    for source in sources:
        found = False
        for one in _phantom(source) if source.startswith(PHANTOM) else _labelled(Path(source)):
            found = True
            yield one
        if not found:
            raise UserError(f"{source} has no known cracks; give phantom:SEED or a ct folder with crack labels.")


def score_cracks(
    slices: Iterable[CrackSlice], protocol: str, level: int, factor: int, methods: Mapping[str, Method], first: int = 0
) -> list[CrackScore]:
    """Degrade, restore by every method, find cracks and score them; means of the slices of each sample.

    Parameters
    ----------
    slices : iterable of CrackSlice
    protocol, level, factor
        As `napari_nanoct.evaluation.protocols.degrade` takes them.
    methods : mapping
        By name.
    first : int
        Number of the first slice; the draws differ by number.
    """
    scores = []
    for number, one in enumerate(slices, first):
        height, width = (extent // factor * factor for extent in one.image.shape)
        cracks, where = one.cracks[:height, :width], one.where[:height, :width]
        middle = None if one.middle is None else one.middle[:height, :width]
        low = degrade(one.image[:height, :width], protocol, level, factor, seed=2000 + number)
        for name, method in methods.items():
            masks = find_cracks(method(low), where, offsets=(OFFSET, *OFFSETS))
            figures = _figures(cracks, masks, where, middle)
            scores.append(CrackScore(one.sample, level, name, *figures))
    return averaged(scores)


def averaged(scores: Iterable[CrackScore]) -> list[CrackScore]:
    """Average the scores of each sample, level and method, in order of first appearance."""
    groups: dict[tuple[str, int, str], list[tuple[float, ...]]] = {}
    for score in scores:
        groups.setdefault((score.sample, score.level, score.method), []).append(astuple(score)[3:])
    return [CrackScore(*key, *(float(v) for v in np.mean(figures, axis=0))) for key, figures in groups.items()]


def over_phantoms(scores: Iterable[CrackScore]) -> list[CrackScore]:
    """Average the phantoms, those with thin cracks, and the sound ones, for each level and method."""
    kinds = {"": "phantoms", "thin": "phantoms, thin cracks", "sound": "phantoms, sound"}
    named = ((score, score.sample.partition(", ")[2]) for score in scores if score.sample.startswith(PHANTOM))
    return averaged(replace(score, sample=kinds[kind]) for score, kind in named)


def _figures(cracks: Mask, found: Sequence[Mask], where: Mask, middle: Mask | None) -> tuple[float, ...]:
    """Figures of a `CrackScore` in their order, of the first mask; the others are for the best F1."""
    from napari_nanoct.quality import crack_scores, false_share

    if not cracks.any():
        return *[np.nan] * 7, false_share(found[0], where)
    scores = crack_scores(cracks, found[0], mask=where, mid_surface=middle)
    strict, tolerant = scores.strict, scores.tolerant
    best = max(_f1(cracks & where, mask) for mask in found)
    return strict.precision, strict.recall, strict.f1, best, tolerant.f1, scores.surface_recall, scores.cldice, np.nan


def _f1(cracks: Mask, found: Mask) -> float:
    return 2 * int((cracks & found).sum()) / max(int(cracks.sum()) + int(found.sum()), 1)


def _phantom(source: str) -> Iterator[CrackSlice]:
    from scipy.ndimage import binary_dilation

    from napari_nanoct.phantoms import Cathode, CrackSettings, phantom

    shape, seed = (24, 384, 384), phantom_seed(source)
    cracked = phantom(shape, seed=seed)
    low, high = np.percentile(cracked.clean, (0.5, 99.5))
    # The two with the most crack of eight slices over the depth.
    depths = sorted(spread(24), key=lambda z: -int(cracked.cracks[z].sum()))[:2]
    thin = Cathode(cracks=CrackSettings(aperture=THIN))
    twins = {"thin": phantom(shape, seed=seed, cathode=thin), "sound": phantom(shape, seed=seed, cracks=False)}
    for name, volume in {source: cracked, **{f"{source}, {kind}": twin for kind, twin in twins.items()}}.items():
        for z in depths:
            where = volume.particles[z] & ~binary_dilation(volume.pores[z], iterations=2)
            image = np.asarray((volume.clean[z] - low) / (high - low), np.float32)
            yield CrackSlice(name, image, volume.cracks[z], where, volume.mid_surface[z])


def _labelled(folder: Path) -> Iterator[CrackSlice]:
    from tifffile import imread

    from napari_nanoct.training.data import CT_COLUMNS, binned, index_rows, normalised, over_sampled

    index = folder / "index.csv"
    for row in index_rows(index, *CT_COLUMNS) if index.is_file() else ():
        path = folder / row["file"]
        cracks, particles = (path.with_name(f"{path.stem}_{kind}.tif") for kind in ("cracks", "particles"))
        if row["use"] == "val" and cracks.is_file():
            factor = over_sampled(row)
            masks = [binned((imread(mask) != 0).astype(np.float32), factor) >= 0.5 for mask in (cracks, particles)]
            yield CrackSlice(row["sample"], binned(normalised(imread(path).astype(np.float32)), factor), *masks)
