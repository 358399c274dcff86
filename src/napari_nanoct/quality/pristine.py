"""The pristine model that NIQE compares with: read one, or fit one to sharp natural pictures.

``python -m napari_nanoct.quality.pristine FOLDER OUTPUT.npz`` fits it to the pictures of a folder. Where the folder has
an ``index.csv``, its column ``file`` names them, and every tenth row, which is for validation, is left out.
"""

from __future__ import annotations

import csv
import sys
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float

SHIPPED = Path(__file__).with_name("niqe.npz")
# A block of a picture serves if it is sharper than this share of the sharpest one (Mittal et al., section II.C).
_SHARPNESS = 0.75


@dataclass(frozen=True)
class NiqeModel:
    """Mean, shape (36,), and covariance, shape (36, 36), of features of natural pictures; ``name`` says of which."""

    name: str
    mean: Float
    covariance: Float


def load_model(path: str | PathLike[str] | None = None) -> NiqeModel:
    """Read a pristine model.

    Parameters
    ----------
    path
        A ``.npz`` of `save_model` (also one with the published parameters under ``mu_pris_param`` and
        ``cov_pris_param``), or the authors' ``.mat``; by default the model that ships. Nothing is unpickled.

    Raises
    ------
    UserError
        If the file is missing or is not a model.
    """
    file = SHIPPED if path is None else Path(path)
    if not file.is_file():
        raise UserError(f"{file}: there is no such file; NIQE needs a model, .npz or .mat, or none for its own.")
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    broken = (OSError, ValueError, TypeError, KeyError, NotImplementedError, zipfile.BadZipFile, MatReadError)
    try:
        if file.suffix == ".mat":
            arrays = loadmat(file)
        else:
            with np.load(file, allow_pickle=False) as stored:
                arrays = dict(stored)
        mean, covariance = (
            np.asarray(arrays[next(filter(arrays.__contains__, keys), keys[0])], dtype=np.float64)
            for keys in (("mean", "mu_pris_param", "mu_prisparam"), ("covariance", "cov_pris_param", "cov_prisparam"))
        )
    except broken as error:
        raise UserError(f"{file} is not a NIQE model: it needs a mean and a covariance, as .npz or .mat.") from error
    if mean.size != 36 or covariance.shape != (36, 36):
        raise UserError(f"{file} is not a NIQE model: it has {mean.size} features where NIQE has 36.")
    return NiqeModel(str(arrays.get("name", file.name)), mean.ravel(), covariance)


def save_model(path: str | PathLike[str], model: NiqeModel) -> None:
    """Write a model as ``.npz``."""
    np.savez_compressed(path, name=np.array(model.name), mean=model.mean, covariance=model.covariance)


def fit_pristine(pictures: Iterable[ArrayLike], name: str) -> NiqeModel:
    """Fit the pristine model to the sharp blocks of natural pictures (Mittal et al., 2013, section II.C and D).

    Parameters
    ----------
    pictures
        Shape (y, x) each, grey values 0 to 255; blocks of 96 x 96 pixels count if they are sharper than 0.75 of the
        sharpest one of their picture. Smaller pictures are left out.
    name
        What the model is to be called in results.

    Raises
    ------
    UserError
        If there are fewer sharp blocks than a covariance of 36 features needs.
    """
    from napari_nanoct.quality.naturalness import gaussian, niqe_features

    chosen = [np.empty((0, 36))]
    for picture in pictures:
        features, sharpness = niqe_features(picture)
        if len(features):
            chosen.append(features[sharpness > _SHARPNESS * sharpness.max()])
    features = np.concatenate(chosen)
    blocks = int((~np.isnan(features).any(axis=1)).sum())
    if blocks <= 36:
        raise UserError(f"A NIQE model needs more than 36 sharp blocks of 96 x 96 pixels, and there are {blocks}.")
    return NiqeModel(name, *gaussian(features))


def natural_pictures(folder: Path) -> Iterator[Float]:
    """Read the training pictures of a folder as grey values 0 to 255."""
    from skimage.io import imread
    from skimage.util import img_as_float64

    if (folder / "index.csv").is_file():
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = [row["file"] for row in csv.DictReader(file)]
        names = [name for number, name in enumerate(rows, start=1) if number % 10]
    else:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in {".png", ".webp", ".tif", ".jpg"})
    for name in names:
        yield 255 * img_as_float64(imread(folder / name, as_gray=True))


def main(arguments: list[str]) -> int:
    """Fit a model to the pictures of a folder and write it."""
    if len(arguments) != 2:
        print("usage: python -m napari_nanoct.quality.pristine FOLDER OUTPUT.npz", file=sys.stderr)
        return 2
    save_model(arguments[1], fit_pristine(natural_pictures(Path(arguments[0])), "napari-nanoct, natural pictures"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
