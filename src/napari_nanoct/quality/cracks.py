"""How well a crack mask agrees with the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Mask, kept, planes


@dataclass(frozen=True)
class Agreement:
    """Precision, recall, F1 and intersection over union, each 0 to 1.

    F1 is the harmonic mean of precision and recall, IoU is F1 / (2 - F1): for strict agreement the intersection over
    the union of the masks, with a tolerance the same formula.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _harmonic(self.precision, self.recall)

    @property
    def iou(self) -> float:
        """Intersection over union."""
        return self.f1 / (2 - self.f1)


@dataclass(frozen=True)
class CrackScores:
    """Agreement of a crack mask with the truth, every figure 0 to 1.

    Attributes
    ----------
    strict
        Voxel by voxel.
    tolerant
        A voxel agrees if the other mask has one within the tolerance.
    surface_recall
        Share of the truth's mid-surface within the tolerance of the prediction: are thin cracks found at all?
    cldice
        Agreement of skeletons with masks: is a crack in one piece?
    """

    strict: Agreement
    tolerant: Agreement
    surface_recall: float
    cldice: float


def crack_scores(
    truth: ArrayLike,
    predicted: ArrayLike,
    *,
    mask: Mask | None = None,
    mid_surface: ArrayLike | None = None,
    tolerance: int = 1,
) -> CrackScores:
    """Compare a crack mask with the truth. Accuracy is not among the figures: an empty mask would score high.

    A prediction without a voxel has precision 1, as nothing in it is wrong; a truth without a voxel has recall 1, as
    there is nothing to be found; mid-surface recall likewise. So a crack missed altogether has F1 0, a false crack in a
    sound sample too, and nothing where nothing is has 1. How much of a sound sample is taken for a crack is told by
    `false_share`.

    Parameters
    ----------
    truth, predicted
        Masks of one shape, (y, x) or (z, y, x); not zero is crack.
    mask
        Where to look, for example inside the particles; broadcast to the masks' shape. Voxels outside still count as
        neighbours within the tolerance.
    mid_surface
        The truth's mid-surface, same shape. By default the skeleton of every slice of the truth: the mid-line of all
        cracks that do not lie in the plane of a slice.
    tolerance
        In voxels, diagonals included (a cube of side ``2 tolerance + 1``).

    Raises
    ------
    UserError
        If shapes differ, or the mask leaves nothing.
    """
    true, found = _masks(truth, predicted)
    keep = kept(mask, true.shape)
    seen = np.ones(true.shape, dtype=bool) if keep is None else keep
    surface = _skeleton(true) if mid_surface is None else _masks(mid_surface, found)[0]
    near_found = _grown(found, tolerance)
    return CrackScores(
        strict=Agreement(_share(found & seen, true), _share(true & seen, found)),
        tolerant=Agreement(_share(found & seen, _grown(true, tolerance)), _share(true & seen, near_found)),
        surface_recall=_share(surface & seen, near_found),
        cldice=cldice(true & seen, found & seen),
    )


def cldice(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Centre-line Dice (Shit et al., CVPR 2021, eq. 1 and 2), 0 to 1.

    The harmonic mean of the share of the prediction's skeleton inside the truth and the share of the truth's skeleton
    inside the prediction. In a volume the skeleton is that of every slice, so that a crack, which is a sheet, keeps its
    mid-surface: thinning in 3-D would go on to a curve, and scikit-image's lets flat sheets vanish altogether. Empty
    masks count as in `crack_scores`.

    Parameters
    ----------
    truth, predicted
        Masks of one shape, (y, x) or (z, y, x); not zero is crack.
    """
    true, found = _masks(truth, predicted)
    return _harmonic(_share(_skeleton(found), true), _share(_skeleton(true), found))


def false_share(predicted: ArrayLike, mask: Mask | None = None) -> float:
    """Share of the voxels of a sample without cracks, under the mask, that are taken for a crack; 0 to 1."""
    found = np.asarray(predicted) != 0
    keep = kept(mask, found.shape)
    return float(found.mean() if keep is None else found[keep].mean())


def _masks(truth: ArrayLike, predicted: ArrayLike) -> tuple[Mask, Mask]:
    true, found = np.asarray(truth) != 0, np.asarray(predicted) != 0
    if true.shape != found.shape or true.ndim not in (2, 3):
        raise UserError(f"Crack masks must have one shape, (y, x) or (z, y, x), not {true.shape} and {found.shape}.")
    return true, found


def _share(part: Mask, of: Mask) -> float:
    size = int(part.sum())
    return int((part & of).sum()) / size if size else 1.0


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


def _grown(mask: Mask, steps: int) -> Mask:
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(mask, 2 * steps + 1, mode="constant"))


def _skeleton(mask: Mask) -> Mask:
    from skimage.morphology import skeletonize

    skeleton = np.zeros_like(mask)
    for z, plane in planes(mask, "A crack score"):
        if plane.any():
            skeleton[z] = skeletonize(plane)
    return skeleton
