"""What enhancement is judged on: slices whose truth is known."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError

PHANTOM = "phantom:"
MOST_SLICES = 8
SMALLEST = 32
"""Least height and width of a slice taken as truth, in pixels: at factor 4 that leaves 8; SSIM's window has 11."""
RIM = 2
"""Pixels by which the circle that a reconstruction fills may be smaller than the inscribed one."""


@dataclass(frozen=True)
class TrueSlice:
    """A slice taken as truth.

    Attributes
    ----------
    sample : str
        The specimen; figures are averaged within it first. Samples of different sources have different names.
    image : ndarray, shape (y, x), float32
        Finite; the sample's 0.5 to 99.5 percentile range is 0 to 1.
    circle : bool
        Whether figures look at the inscribed circle alone, as for a reconstruction, or at the whole picture.
    """

    sample: str
    image: NDArray[np.float32]
    circle: bool = True


def true_slices(sources: Sequence[str]) -> Iterator[TrueSlice]:
    """Load the slices that a list of sources names.

    Parameters
    ----------
    sources : sequence of str
        Each a ``ct`` or ``natural`` folder of training data (with ``index.csv``; its validation part is taken), a fresh
        phantom ``phantom:SEED``, or any tomogram or slice that `open_volume` reads. Of a volume, at most eight slices
        spread over its depth are taken.

    Raises
    ------
    UserError
        If a source cannot be read, yields nothing, has slices below 32 x 32 pixels, or has values that are not finite
        where figures look.
    """
    taken: dict[str, str] = {}
    for source in sources:
        place = source if source.startswith(PHANTOM) else os.path.abspath(source)
        found = False
        for one in _slices(source):
            found = True
            if min(one.image.shape) < SMALLEST:
                size = " x ".join(map(str, one.image.shape))
                raise UserError(
                    f"{source} has slices of {size} pixels, too small to score; give {SMALLEST} x {SMALLEST} or more."
                )
            image = finite_image(one.image, one.circle, source)
            yield replace(one, sample=_own_name(one.sample, place, taken), image=image)
        if not found:
            raise UserError(
                f"{source} holds no slice for validation; in its index.csv give rows of a ct folder the use val, of a "
                "natural folder at least ten rows, or name a tomogram."
            )


def finite_image(image: NDArray[np.float32], circle: bool, source: str) -> NDArray[np.float32]:
    """Return the image with 0 in place of what is not finite outside the inscribed circle, where no figure looks.

    Parameters
    ----------
    image : ndarray, shape (y, x), float32
    circle : bool
        Whether figures look at the inscribed circle alone; else all of the image must be finite.
    source : str
        Where the image comes from, for the sentence.

    Raises
    ------
    UserError
        If values are not finite inside the circle, its outermost two pixels left aside.
    """
    from napari_nanoct.quality import circle_mask

    finite = np.isfinite(image)
    if finite.all():
        return image
    inside = np.full(image.shape, not circle)
    if circle:
        middle = inside[RIM:-RIM, RIM:-RIM]
        middle[:] = circle_mask((middle.shape[0], middle.shape[1]))
    if wrong := int((inside & ~finite).sum()):
        place = "inside the inscribed circle of a slice" if circle else "in a picture"
        raise UserError(
            f"{source} has {wrong} values that are not finite (NaN or infinite) {place}; crop it to where all are, "
            "or replace them."
        )
    return np.where(finite, image, np.float32(0))


def _slices(source: str) -> Iterator[TrueSlice]:
    from napari_nanoct.training.data import ct_samples, natural_pictures

    # Not resolved: the link that is called ct counts, not what it leads to.
    folder = Path(os.path.abspath(source))
    if source.startswith(PHANTOM):
        yield from _phantom(source)
    elif not (folder / "index.csv").is_file():
        yield from _volume(source)
    elif folder.name == "natural":
        yield from (TrueSlice("natural", picture, False) for picture in natural_pictures(folder.parent, "val"))
    elif folder.name == "ct":
        for sample in ct_samples(folder.parent, "val"):
            yield from (TrueSlice(sample.name, page) for page in sample.slices)
    else:
        raise UserError(
            f"{source} has an index.csv but is called neither ct nor natural; give the ct or natural folder of "
            "training data, or a tomogram in a folder without an index.csv."
        )


def _own_name(sample: str, place: str, taken: dict[str, str]) -> str:
    """Return the sample's name; where another source has one of that name, with the folder around this source.

    ``taken`` tells the source of each name so far; the name is added. No slash in it: pictures are named so.
    """
    parent = Path(place).parent.name
    names = chain([sample, f"{sample} ({parent})"], (f"{sample} ({parent} {number})" for number in count(2)))
    return next(name for name in names if taken.setdefault(name, place) == place)


def middle(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the middle of an image, at most ``side`` pixels high and wide."""
    y, x = (max(extent - side, 0) // 2 for extent in image.shape)
    return np.ascontiguousarray(image[y : y + side, x : x + side])


def phantom_seed(source: str) -> int:
    """Return the seed in ``phantom:SEED``."""
    seed = source.removeprefix(PHANTOM)
    if not seed.isdecimal():
        raise UserError(f"'{source}' is not a phantom; write phantom: and a number, for instance phantom:1.")
    return int(seed)


def _phantom(source: str) -> Iterator[TrueSlice]:
    from napari_nanoct.phantoms import phantom
    from napari_nanoct.training.data import normalised

    clean = normalised(phantom((24, 384, 384), seed=phantom_seed(source)).clean)
    yield from (TrueSlice(source, clean[z]) for z in spread(len(clean)))


def _volume(source: str) -> Iterator[TrueSlice]:
    from napari_nanoct.volumes import intensity_range, open_volume

    volume = open_volume(source)
    intensity = intensity_range(volume)
    for z in spread(volume.data.shape[0]):
        yield TrueSlice(Path(os.path.abspath(source)).name, intensity.normalise(np.asarray(volume.data[z])))


def spread(depth: int) -> list[int]:
    """Indices of at most eight slices, spread evenly over a depth."""
    return sorted({int(z) for z in np.linspace(0, depth - 1, min(depth, MOST_SLICES) + 2)[1:-1].round()})
