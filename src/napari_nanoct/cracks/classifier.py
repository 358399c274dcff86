"""A classifier made from scribbles: what a voxel's features say it is."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.derivatives import Spacing
from napari_nanoct.cracks.features import FeatureSettings, feature_names
from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import whole

if TYPE_CHECKING:
    from xgboost import Booster

    from napari_nanoct.volumes import Geometry, IntensityRange

KIND = "napari-nanoct crack classifier"
VERSION = 1

PER_CLASS = 8000
"""Labelled voxels of a class that are learned from, at most: a fit stays a fraction of a second."""

ROUNDS = 30
TREES: Mapping[str, Any] = {
    "objective": "multi:softprob",
    "tree_method": "hist",
    "max_bin": 64,
    "max_depth": 5,
    # With smaller leaves they learn single strokes by heart, and cracks of other volumes are missed (docs/cracks.md).
    "min_child_weight": 10.0,
    "eta": 0.2,
    "subsample": 0.8,
    "colsample_bynode": 0.5,
    "seed": 0,
    # One thread: the same scribbles give the same trees on every machine.
    "nthread": 1,
    "verbosity": 0,
}
"""Few and shallow trees: the time of a preview is that of their answers, not that of the fit."""

SHARE = 1 / 25
"""Of the labelled voxels that a leaf must weigh at most: a first short stroke is to teach something."""

SHIFT = 0.25
"""Of the range of grey values: where an end of another volume's lies further off, 0 and 1 mean something else there."""


@dataclass(frozen=True, eq=False)
class CrackClassifier:
    """Gradient-boosted trees on the features of a voxel, and all that is needed to use them elsewhere.

    May be used by several threads at once.

    Attributes
    ----------
    classes : tuple of str
        Names of the classes 1, 2, ...
    settings : FeatureSettings
    value_range : (float, float)
        Grey values that were 0 and 1 in the volume it was made over.
    learned : tuple of int
        Classes that had scribbles; the others have probability 0.
    trees : Booster
    voxel_size : (float, float, float) or None
        (z, y, x) of the volume it was made over.
    unit : str
        Of the voxel size and the scales.
    model_sha256 : str
        Of the network that made that volume, if one did.
    """

    classes: tuple[str, ...]
    settings: FeatureSettings
    value_range: tuple[float, float]
    learned: tuple[int, ...]
    trees: Booster
    voxel_size: Spacing | None = None
    unit: str = "pixel"
    model_sha256: str = ""

    @classmethod
    def train(
        cls,
        features: NDArray[np.float32],
        labels: NDArray[np.uint8],
        classes: tuple[str, ...],
        settings: FeatureSettings,
        value_range: IntensityRange,
        *,
        geometry: Geometry | None = None,
        model_sha256: str = "",
    ) -> CrackClassifier:
        """Learn from labelled voxels; the same ones give the same classifier.

        Of each class at most 8000 voxels are drawn, and all classes weigh the same, however many voxels they have.
        Gradient-boosted trees after Chen and Guestrin (KDD 2016).

        Parameters
        ----------
        features : ndarray, shape (n, features)
        labels : ndarray, shape (n,)
            Numbers of classes, from 1.
        classes : tuple of str
        settings : FeatureSettings
        value_range : IntensityRange
            With which the volume was normalised.
        geometry : Geometry, optional
            Of the volume; without it nothing is said when the classifier is used at another voxel size.
        model_sha256 : str
            Of the network that made the volume.

        Raises
        ------
        UserError
            If there are no labels, or of one class alone, or the features are not those of the settings or not finite.
        """
        import xgboost

        labels = np.asarray(labels)
        there = [int(number) for number in np.unique(labels)]
        if not there:
            raise UserError("There are no scribbles to learn from; paint some cracks and some background.")
        if there[0] < 1 or there[-1] > len(classes):
            raise UserError(f"Scribbles of class {there[-1]} cannot be learned: there are {len(classes)} classes.")
        if len(there) == 1:
            raise UserError(f"All scribbles are “{classes[there[0] - 1]}”; paint some of another class as well.")
        if features.shape != (len(labels), len(feature_names(settings))):
            raise UserError(
                f"Features of shape {features.shape} do not fit {len(labels)} labelled voxels with "
                f"{len(feature_names(settings))} features each."
            )
        rows = drawn(labels, PER_CLASS, seed=0)
        known = np.asarray(features[rows], np.float32)
        if not np.isfinite(known).all():
            raise UserError("Some scribbles lie on voxels that are not numbers (NaN); paint where there is an image.")
        target = np.searchsorted(there, labels[rows])
        weight = (1 / np.bincount(target))[target]
        data = xgboost.DMatrix(known, target, weight=weight * len(target) / len(there), nthread=1)
        trees = xgboost.train(tree_settings(len(target), len(there)), data, ROUNDS)
        trees.set_param({"nthread": 0})  # answers come from all cores
        size, unit = (geometry.voxel_size, geometry.unit) if geometry else (None, "pixel")
        ends = (float(value_range.low), float(value_range.high))
        return cls(tuple(classes), settings, ends, tuple(there), trees, size, unit, model_sha256)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each class.

        Parameters
        ----------
        features : ndarray, shape (features, ...)
            As `slice_features` and `volume_features` give them with the classifier's settings.

        Returns
        -------
        ndarray, shape (classes, ...), float32
        """
        rows = np.ascontiguousarray(features.reshape(len(features), -1).T)
        found = self.trees.inplace_predict(rows)
        out = np.zeros((len(self.classes), *features.shape[1:]), np.float32)
        for place, number in enumerate(self.learned):
            out[number - 1] = found[:, place].reshape(features.shape[1:])
        return out

    def crack_probability(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of the class "crack"; arguments as of `probabilities`, without the classes' axis."""
        return np.asarray(self.probabilities(features)[self.classes.index("crack")])

    def applied_to(
        self, geometry: Geometry, model_sha256: str | None = None, intensity: IntensityRange | None = None
    ) -> tuple[CrackClassifier, str]:
        """Return the classifier with its scales in the unit of a volume, and a note if it was made over another kind.

        Parameters
        ----------
        geometry : Geometry
            Of the volume.
        model_sha256 : str, optional
            Of the network that made the volume, "" for none; by default nothing is said about networks.
        intensity : IntensityRange, optional
            Of the volume; by default nothing is said about grey values.

        Returns
        -------
        CrackClassifier, str
            The note is one sentence, or "" if voxel size and network are the same and the grey values much the same.

        Raises
        ------
        UserError
            If one of the two voxel sizes has a unit and the other has none.
        """
        from napari_nanoct.volumes.units import SYMBOLS, convert

        fitted, notes = self, []
        if self.voxel_size is not None:
            if (self.unit == "pixel") != (geometry.unit == "pixel"):
                made, here = ("without a unit", geometry.unit) if self.unit == "pixel" else (self.unit, "none")
                raise UserError(
                    f"The classifier was made over voxels {made}, this volume's unit is {here}: its features cannot be "
                    "carried over; give the volume its voxel size."
                )
            scales = tuple(convert(scale, self.unit, geometry.unit) for scale in self.settings.scales)
            z, y, x = (convert(edge, self.unit, geometry.unit) for edge in self.voxel_size)
            settings = FeatureSettings(scales)
            fitted = replace(self, settings=settings, voxel_size=(z, y, x), unit=geometry.unit)
            if not all(math.isclose(a, b, rel_tol=0.01) for a, b in zip((z, y, x), geometry.voxel_size, strict=True)):
                symbol = SYMBOLS[geometry.unit]
                made, here = (" x ".join(f"{edge:g}" for edge in edges) for edges in ((z, y, x), geometry.voxel_size))
                notes.append(f"at voxels of {made} {symbol} (here {here} {symbol})")
        if model_sha256 is not None and model_sha256 != self.model_sha256:
            made, here = (f"network {sha[:12]}" if sha else "no network" for sha in (self.model_sha256, model_sha256))
            notes.append(f"over an image by {made} (here by {here})")
        low, high = self.value_range
        if intensity is not None and max(abs(intensity.low - low), abs(intensity.high - high)) > SHIFT * (high - low):
            notes.append(f"for grey values of {low:g} to {high:g} (here {intensity.low:g} to {intensity.high:g})")
        if not notes:
            return fitted, ""
        return fitted, (
            f"The classifier was made {' and '.join(notes)}; its features keep their lengths, but look whether it "
            "still fits."
        )

    def save(self, path: Path) -> None:
        """Write the classifier as one JSON file; it appears whole or not at all."""
        with whole(Path(path)) as part:
            part.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """Return what the file holds: JSON, the same for the same classifier."""
        content = {
            "kind": KIND,
            "version": VERSION,
            "classes": list(self.classes),
            "learned": list(self.learned),
            "features": asdict(self.settings),
            "value_range": list(self.value_range),
            "voxel_size": None if self.voxel_size is None else list(self.voxel_size),
            "unit": self.unit,
            "model_sha256": self.model_sha256,
            "trees": json.loads(bytes(self.trees.save_raw("json"))),
        }
        content["sha256"] = _digest(content)
        return json.dumps(content)


def load_classifier(path: Path) -> CrackClassifier:
    """Read a classifier that was saved. Nothing is unpickled.

    Raises
    ------
    UserError
        If the file cannot be read, is no classifier, was altered, or is of a later version.
    """
    from xgboost import Booster
    from xgboost.core import XGBoostError

    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); choose a classifier that was saved.") from None
    except ValueError:
        raise UserError(f"{path} is not a crack classifier; choose a file that the Cracks dock saved.") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise UserError(f"{path} is not a crack classifier; choose a file that the Cracks dock saved.")
    if content.get("version") != VERSION:
        raise UserError(
            f"{path} is a classifier of version {content.get('version')}, this program reads {VERSION}; update it."
        )
    digest = content.pop("sha256", None)
    if digest != _digest(content):
        raise UserError(f"{path} does not match its sha256: it was altered or damaged; copy or save it again.")
    try:
        trees = Booster({"nthread": 0, "verbosity": 0})
        trees.load_model(bytearray(json.dumps(content["trees"]).encode()))
        settings = FeatureSettings(tuple(float(scale) for scale in content["features"]["scales"]))
        if trees.num_features() != len(feature_names(settings)):
            raise ValueError("its trees ask for other features")
        low, high = (float(value) for value in content["value_range"])
        size = content["voxel_size"]
        z, y, x = (float(edge) for edge in size) if size is not None else (1.0, 1.0, 1.0)
        return CrackClassifier(
            tuple(str(name) for name in content["classes"]),
            settings,
            (low, high),
            tuple(int(number) for number in content["learned"]),
            trees,
            None if size is None else (z, y, x),
            str(content["unit"]),
            str(content["model_sha256"]),
        )
    except (KeyError, TypeError, ValueError, XGBoostError) as error:
        raise UserError(f"{path} cannot be used as a crack classifier ({error}); save it again.") from None


def tree_settings(voxels: int, classes: int) -> dict[str, Any]:
    """Return the settings of trees that learn so many classes from so many labelled voxels."""
    leaf = min(TREES["min_child_weight"], SHARE * voxels)
    return {**TREES, "num_class": classes, "min_child_weight": leaf}


def drawn(labels: NDArray[np.uint8], most: int, seed: int) -> NDArray[np.intp]:
    """Return which of the labels (n,) to learn from, in their order: at most so many of each class, by a seed."""
    random = np.random.default_rng(seed)
    kept = [random.permutation(np.flatnonzero(labels == number))[:most] for number in np.unique(labels)]
    return np.asarray(np.sort(np.concatenate(kept)))


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
