"""Training pictures: natural images and CT slices in memory, and random patches of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import reading

CT_COLUMNS = "file", "sample", "use", "hr_downsample"
"""What the index of CT slices must have."""

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """Slices of one specimen; the 0.5 to 99.5 percentile range of the grey values of each file is 0 to 1."""

    name: str
    slices: tuple[Picture, ...]


def natural_pictures(folder: Path, use: str) -> list[Picture]:
    """Read the natural pictures of a data folder; every tenth row of its ``index.csv`` is for validation.

    Parameters
    ----------
    folder : Path
        Holds ``natural/index.csv``.
    use : str
        ``train`` or ``val``.

    Returns
    -------
    list of ndarray, shape (y, x), float32
        Grey values 0 to 1.
    """
    from skimage.io import imread
    from skimage.util import img_as_float32

    rows = index_rows(folder / "natural" / "index.csv", "file")
    pictures = []
    for row in (row for number, row in enumerate(rows, start=1) if (number % 10 == 0) == (use == "val")):
        path = folder / "natural" / row["file"]
        with reading(str(path)):
            pictures.append(img_as_float32(imread(path, as_gray=True)))
    return pictures


def ct_samples(folder: Path, use: str) -> list[Sample]:
    """Read the CT slices of a data folder, sample by sample.

    A slice that its index marks as over-sampled (``hr_downsample`` 2) is binned first: it is no sharper than that.

    Parameters
    ----------
    folder : Path
        Holds ``ct/index.csv``.
    use : str
        ``train`` or ``val``.
    """
    from tifffile import imread

    samples: dict[str, list[Picture]] = {}
    for row in index_rows(folder / "ct" / "index.csv", *CT_COLUMNS):
        if row["use"] == use:
            path, factor = folder / "ct" / row["file"], over_sampled(row)
            with reading(str(path)):
                pages = np.atleast_3d(imread(path).astype(np.float32).T).T
            samples.setdefault(row["sample"], []).extend(binned(page, factor) for page in normalised(pages))
    return [Sample(name, tuple(slices)) for name, slices in samples.items()]


def random_patches(pictures: list[Picture], weights: NDArray[np.float64], count: int, size: int, seed: int) -> Tensor:
    """Cut random patches, turned and mirrored at random.

    Parameters
    ----------
    pictures : list of ndarray, shape (y, x)
    weights : ndarray
        Probability of each picture.
    count, size : int
        Number of patches and their side in pixels.
    seed : int

    Returns
    -------
    Tensor, shape (count, 1, size, size), float32
    """
    random = np.random.default_rng(seed)
    patches: list[Picture] = []
    while len(patches) < count:
        picture = pictures[random.choice(len(pictures), p=weights)]
        y, x = (int(random.integers(extent - size + 1)) for extent in picture.shape)
        patch = np.rot90(picture[y : y + size, x : x + size], int(random.integers(4)))
        # Flat patches, most of them outside the sample, teach little: one in ten is kept.
        if patch.std() > 0.02 or random.random() < 0.1:
            patches.append(patch[:, ::-1] if random.random() < 0.5 else patch)
    return torch.from_numpy(np.stack(patches)[:, None].copy())


def sampling_weights(pictures: list[Picture], size: int) -> NDArray[np.float64]:
    """Probability of each picture in proportion to the root of its area; 0 where it is smaller than a patch."""
    weights = np.array([0.0 if min(p.shape) < size else float(np.sqrt(p.size)) for p in pictures])
    if not weights.any():
        raise UserError(f"No training picture is as large as a patch of {size} pixels; give larger pictures.")
    return weights / weights.sum()


def seeded(*numbers: int) -> Generator:
    """Return a generator that depends on all of the numbers."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> np.uint64(1)))


def normalised(grey: Picture) -> Picture:
    """Bring the 0.5 to 99.5 percentile range of the finite grey values to 0 to 1; nothing is clipped.

    All of their range where these are one value, as they are for a small sample in a large background.
    """
    finite = grey[np.isfinite(grey)]
    low, high = np.percentile(finite, (0.5, 99.5))
    if low == high:
        low, high = finite.min(), finite.max()
    return np.asarray((grey - low) / max(high - low, np.finfo(np.float32).eps), dtype=np.float32)


def filled(picture: Picture) -> Picture:
    """Return a normalised picture with 0, which is dark, for what is not finite: the outside of a reconstruction."""
    return np.nan_to_num(picture, posinf=0.0, neginf=0.0)


def binned(page: Picture, factor: int) -> Picture:
    """Average (y, x) over ``factor`` x ``factor`` pixels; what does not fill a pixel at the end is left out."""
    height, width = (extent // factor * factor for extent in page.shape)
    blocks = page[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return np.ascontiguousarray(blocks.mean(axis=(1, 3), dtype=np.float64), dtype=np.float32)


def index_rows(index: Path, *columns: str) -> list[dict[str, str]]:
    """Read an ``index.csv``, a dictionary a row.

    Raises
    ------
    UserError
        If there is none, or it lacks one of the columns.
    """
    if not index.is_file():
        raise UserError(f"{index} does not exist; give the data folder that holds natural/index.csv and ct/index.csv.")
    # What a spreadsheet saves begins with a mark that is no part of the first heading.
    with reading(str(index)), index.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        rows, headings = list(reader), reader.fieldnames or ()
    if lacking := [name for name in columns if name not in headings]:
        raise UserError(f"{index} has no column {', '.join(lacking)}; its first line names them, with commas between.")
    return rows


def over_sampled(row: Mapping[str, str]) -> int:
    """By how much a row of a ct index says that its slice is over-sampled; 1 where it says nothing."""
    text = row["hr_downsample"] or "1"
    number = text.removesuffix(".0")  # as a table of numbers with gaps is written
    if not number.isdecimal() or not int(number):
        raise UserError(f"The index.csv gives {row['file']} hr_downsample {text}; write a whole number, or nothing.")
    return int(number)
