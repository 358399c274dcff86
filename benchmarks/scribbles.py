"""From a stroke to the preview: features of the slice (or none, if they are kept), fit, answers, by slice size.

Eight thousand labelled voxels of each of three classes, the default scales, one slice of a phantom. *Kept* is the usual
stroke, on a slice whose features are there since the last one. With --rival lightgbm, where it is installed, the same
trees (same number, at most as many leaves) by both.

    python benchmarks/scribbles.py --sides 512 1024
"""

from __future__ import annotations

import argparse
import os

import numpy as np
from harness import machine, medians, table
from numpy.typing import NDArray

from napari_nanoct.cracks.classifier import ROUNDS, TREES, CrackClassifier, tree_settings
from napari_nanoct.cracks.features import default_features, slice_features
from napari_nanoct.phantoms import phantom
from napari_nanoct.volumes import IntensityRange

VOXEL = (1.0, 1.0, 1.0)
SETTINGS = default_features(VOXEL)
CLASSES = ("crack", "pore", "background")


def scene(side: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A phantom, repeated to this side, in noise; and the classes of its middle slice."""
    made = phantom((41, 256, 256), seed=1)
    low, high = np.percentile(made.clean, (0.5, 99.5))
    truth = np.where(made.cracks[20], 1, np.where(made.pores[20], 2, 3)).astype(np.uint8)
    copies = -(-side // 256)
    grey = np.tile((made.clean - low) / (high - low), (1, copies, copies))[:, :side, :side]
    noise = np.random.default_rng(0).normal(0, 0.03, grey.shape)
    return (grey + noise).astype(np.float32), np.tile(truth, (copies, copies))[:side, :side]


def labelled(features: NDArray[np.float32], truth: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Features and classes of up to 8000 voxels a class."""
    random = np.random.default_rng(0)
    places = [random.permutation(np.flatnonzero(truth == number))[:8000] for number in (1, 2, 3)]
    rows = np.concatenate(places)
    return features.reshape(len(features), -1)[:, rows].T, truth.ravel()[rows]


def measure(side: int, rounds: int) -> list[object]:
    """Seconds of each step at one size of slice."""
    volume, truth = scene(side)
    features = slice_features(volume, 20, VOXEL, SETTINGS)
    known, labels = labelled(features, truth)

    def fit() -> CrackClassifier:
        return CrackClassifier.train(known, labels, CLASSES, SETTINGS, IntensityRange(0.0, 1.0))

    classifier = fit()
    seconds = medians(
        {
            "features": lambda: slice_features(volume, 20, VOXEL, SETTINGS),
            "fit": fit,
            "answers": lambda: classifier.probabilities(features),
        },
        rounds,
    )
    kept = seconds["fit"] + seconds["answers"]
    return [f"{side} x {side}", *seconds.values(), kept, kept + seconds["features"]]


def rivals(side: int, rounds: int) -> str:
    """The same trees by xgboost and lightgbm: seconds of a fit and of the answers, on one thread."""
    import lightgbm
    import xgboost

    volume, truth = scene(side)
    features = slice_features(volume, 20, VOXEL, SETTINGS)
    known, labels = labelled(features, truth)
    settings = {
        "objective": "multiclass",
        "num_class": 3,
        "num_leaves": 2 ** TREES["max_depth"],
        "max_depth": TREES["max_depth"],
        "learning_rate": TREES["eta"],
        "max_bin": TREES["max_bin"],
        "min_sum_hessian_in_leaf": tree_settings(len(labels), 3)["min_child_weight"],
        "min_data_in_leaf": 1,
        "num_threads": 1,
        "verbose": -1,
    }
    rows = np.ascontiguousarray(features.reshape(len(features), -1).T)

    def by_xgboost() -> xgboost.Booster:
        return xgboost.train(tree_settings(len(labels), 3), xgboost.DMatrix(known, labels - 1), ROUNDS)

    def by_lightgbm() -> lightgbm.Booster:
        return lightgbm.train(settings, lightgbm.Dataset(known, labels - 1), ROUNDS)

    one, other = by_xgboost(), by_lightgbm()
    seconds = medians(
        {
            "xgboost, fit": by_xgboost,
            "lightgbm, fit": by_lightgbm,
            "xgboost, answers": lambda: one.inplace_predict(rows),
            "lightgbm, answers": lambda: other.predict(rows, num_threads=1),
        },
        rounds,
    )
    return table(["on one thread", "seconds"], [list(pair) for pair in seconds.items()])


def main() -> None:
    """Print the table of latencies, and that of the rivals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rival", choices=["lightgbm"])
    given = parser.parse_args()
    print(f"{machine()}, OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')}\n")
    rows = [measure(side, given.rounds) for side in given.sides]
    header = ["slice", "features s", "fit s", "answers s", "stroke to preview, kept s", "first on a slice s"]
    print(table(header, rows))
    if given.rival:
        print(f"\n{given.sides[0]} x {given.sides[0]}\n\n{rivals(given.sides[0], given.rounds)}")


if __name__ == "__main__":
    main()
