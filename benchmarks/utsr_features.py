"""Do layers of the network help the crack classifier? Scribbles on enhanced phantoms, and on labelled slices.

A: the dock's features. B: those and the channels of utsr-light x1 that its last convolution is fed with, on the full
grid. By the dock's trees (xgboost), and A also by as many trees of lightgbm. All learn from the same scribbles: thin
strokes on three slices of a phantom, corrected three times where the preview of A errs; or the strokes on one labelled
slice. F1 at one pixel of single slices, between the probabilities that the dock starts from, on phantoms and slices
that nobody scribbled on; seconds are those of answers for a slice of 256 x 256, on one thread. Needs lightgbm.

    python benchmarks/utsr_features.py --data DATA --teachers 11 13 --others 12 14
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from harness import machine, table
from numpy.typing import NDArray
from skimage.filters import apply_hysteresis_threshold

from napari_nanoct.cracks.classifier import PER_CLASS, ROUNDS, TREES, drawn, tree_settings
from napari_nanoct.cracks.features import default_features, slice_features
from napari_nanoct.cracks.settings import HIGH, LOW
from napari_nanoct.enhance import Enhancer
from napari_nanoct.evaluation.cracks import crack_slices
from napari_nanoct.evaluation.protocols import degrade
from napari_nanoct.evaluation.scribbles import corrected, simulated_scribbles
from napari_nanoct.phantoms import phantom
from napari_nanoct.quality import crack_scores
from napari_nanoct.volumes import intensity_range, open_volume

VOXEL = (1.0, 1.0, 1.0)
SETTINGS = default_features(VOXEL)
SHAPE, TAUGHT, ASKED = (16, 256, 256), (2, 8, 13), (3, 8, 12)
LEVELS = (LOW, HIGH)

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
Classes = NDArray[np.uint8]
Answers = Callable[[Grey], Grey]
"""Probability of a crack (y, x) from features (f, y, x)."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A slice with its features, A and B, and what is known of it."""

    plain: Grey
    both: Grey
    cracks: Mask
    pores: Mask
    particles: Mask
    where: Mask


def network_channels(enhancer: Enhancer, plane: Grey) -> Grey:
    """Return what the last convolution is fed with when this slice is enhanced: (channels, y, x)."""
    seen: list[torch.Tensor] = []
    hook = enhancer.network.tail.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.inference_mode():
        enhancer.network(torch.from_numpy(plane)[None, None])
    hook.remove()
    return np.asarray(seen[0][0].float().numpy())


def phantom_planes(enhancer: Enhancer, seed: int, slices: Sequence[int]) -> list[Plane]:
    """Slices of a phantom, degraded slice by slice and enhanced."""
    from scipy.ndimage import binary_dilation

    made = phantom(SHAPE, seed=seed)
    low, high = np.percentile(made.clean, (0.5, 99.5))
    clean = ((made.clean - low) / (high - low)).astype(np.float32)
    before = np.stack([degrade(plane, "blind", 1, 1, seed=1000 * seed + z) for z, plane in enumerate(clean)])
    intensity = intensity_range(open_volume(before))
    after = enhancer.slices(before, intensity, np.float32)
    before = intensity.normalise(before)
    after = intensity_range(open_volume(after)).normalise(after)
    where = made.particles & ~binary_dilation(made.pores, iterations=2)
    planes = []
    for z in slices:
        plain = slice_features(after, z, VOXEL, SETTINGS)
        both = np.concatenate([plain, network_channels(enhancer, before[z])])
        planes.append(Plane(plain, both, made.cracks[z], made.pores[z], made.particles[z], where[z]))
    return planes


def labelled_planes(enhancer: Enhancer, data: Path) -> list[Plane]:
    """Labelled slices as they were measured, enhanced."""
    planes = []
    for one in crack_slices([str(data / "ct")]):
        intensity = intensity_range(open_volume(one.image))
        grey = intensity.normalise(one.image)
        after = enhancer.slices(one.image[None], intensity, np.float32)
        plain = slice_features(intensity_range(open_volume(after)).normalise(after), 0, VOXEL, SETTINGS)
        both = np.concatenate([plain, network_channels(enhancer, grey)])
        planes.append(Plane(plain, both, one.cracks, ~one.where, one.where, one.where))
    return planes


def by_xgboost(rows: Grey, labels: Classes) -> Answers:
    """The dock's trees."""
    import xgboost

    weight = (1 / np.bincount(labels))[labels]
    data = xgboost.DMatrix(rows, labels, weight=weight * len(labels) / 3, nthread=1)
    trees = xgboost.train(tree_settings(len(labels), 3), data, ROUNDS)
    return lambda features: trees.inplace_predict(_rows(features))[:, 0].reshape(features.shape[1:])


def by_lightgbm(rows: Grey, labels: Classes) -> Answers:
    """As many trees of lightgbm, alike as far as its settings go."""
    import lightgbm

    settings = {
        "objective": "multiclass", "num_class": 3, "num_leaves": 2 ** TREES["max_depth"], "seed": 0,
        "max_depth": TREES["max_depth"], "learning_rate": TREES["eta"], "max_bin": TREES["max_bin"],
        "bagging_fraction": TREES["subsample"], "bagging_freq": 1, "num_threads": 1, "verbose": -1,
        "feature_fraction_bynode": TREES["colsample_bynode"],
        "min_sum_hessian_in_leaf": tree_settings(len(labels), 3)["min_child_weight"],
        "min_data_in_leaf": 1,
    }  # fmt: skip
    weight = (1 / np.bincount(labels))[labels]
    trees = lightgbm.train(settings, lightgbm.Dataset(rows, labels, weight=weight * len(labels) / 3), ROUNDS)
    return lambda features: trees.predict(_rows(features), num_threads=1)[:, 0].reshape(features.shape[1:])


def _rows(features: Grey) -> Grey:
    return np.ascontiguousarray(features.reshape(len(features), -1).T)


LEARNERS: dict[str, tuple[str, Callable[[Grey, Classes], Answers]]] = {
    "A, xgboost": ("plain", by_xgboost),
    "B, with the network's channels, xgboost": ("both", by_xgboost),
    "A, lightgbm": ("plain", by_lightgbm),
}


def taught(planes: Sequence[Plane], painted: Sequence[Classes], kind: str, learn: Callable[..., Answers]) -> Answers:
    """Learn from what is painted on slices."""
    rows = np.concatenate([getattr(one, kind)[:, paint > 0].T for one, paint in zip(planes, painted, strict=True)])
    labels = np.concatenate([paint[paint > 0] for paint in painted])
    kept = drawn(labels, PER_CLASS, seed=0)
    return learn(np.ascontiguousarray(rows[kept]), labels[kept].astype(np.int64) - 1)


def scribbled(planes: Sequence[Plane], looks: int) -> list[Classes]:
    """Paint thin strokes, look at the preview of A and correct it."""
    painted = [
        simulated_scribbles(one.cracks, one.pores, one.particles, share=0.01, seed=number)
        for number, one in enumerate(planes)
    ]
    for look in range(looks):
        answers = taught(planes, painted, *LEARNERS["A, xgboost"])
        for number, one in enumerate(planes):
            found = apply_hysteresis_threshold(answers(one.plain), *LEVELS)
            painted[number] = corrected(painted[number], found, one.cracks, one.pores, seed=100 * look + number)
    return painted


def compared(teachers: Sequence[Plane], looks: int, others: Sequence[Plane]) -> dict[str, tuple[list[float], float]]:
    """F1 of every other slice by every learner, and seconds of the answers for a slice."""
    painted, found = scribbled(teachers, looks), {}
    for name, (kind, learn) in LEARNERS.items():
        answers, scores, begin = taught(teachers, painted, kind, learn), [], time.perf_counter()
        for one in others:
            mask = apply_hysteresis_threshold(np.where(one.particles, answers(getattr(one, kind)), 0), *LEVELS)
            scores.append(crack_scores(one.cracks, mask, mask=one.where).tolerant.f1)
        pixels = sum(one.cracks.size for one in others)
        found[name] = (scores, (time.perf_counter() - begin) / pixels * 256**2)
    return found


def main() -> None:
    """Print a table for the phantoms and one for the labelled slices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder that holds ct, with labelled slices")
    parser.add_argument("--teachers", type=int, nargs="+", default=[11, 13], help="seeds that are scribbled on")
    parser.add_argument("--others", type=int, nargs="+", default=[12, 14], help="seeds that are not")
    given = parser.parse_args()
    torch.set_num_threads(1)
    enhancer = Enhancer.load("utsr-light", 1, "cpu", "float32")
    print(machine())
    others = [one for seed in given.others for one in phantom_planes(enhancer, seed, ASKED)]
    runs = [compared(phantom_planes(enhancer, seed, TAUGHT), 3, others) for seed in given.teachers]
    show("phantoms", runs)
    if given.data:
        planes = labelled_planes(enhancer, given.data)
        show("labelled slices", [compared([one], 0, [x for x in planes if x is not one]) for one in planes])


def show(title: str, runs: Sequence[dict[str, tuple[list[float], float]]]) -> None:
    """Print means, and by how much each learner is better than A slice by slice."""
    rows: list[list[object]] = []
    first = np.concatenate([run["A, xgboost"][0] for run in runs])
    for name in LEARNERS:
        scores = np.concatenate([run[name][0] for run in runs])
        more = scores - first
        spread = f"{more.mean():+.3f} ± {more.std() / np.sqrt(len(more)):.3f}"
        rows.append([name, f"{scores.mean():.3f}", spread, float(np.median([run[name][1] for run in runs]))])
    print(
        f"\n{title}: {len(first)} slices\n\n{table([title, 'F1 at 1 pixel', 'more than A', 'answers s'], rows)}",
        flush=True,
    )


if __name__ == "__main__":
    main()
