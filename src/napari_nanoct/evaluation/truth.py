"""What enhancement is judged on: slices whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError

PHANTOM = "phantom:"
MOST_SLICES = 8


@dataclass(frozen=True)
class TrueSlice:
    """A slice taken as truth.

    Attributes
    ----------
    sample : str
        The specimen; figures are averaged within it first.
    image : ndarray, shape (y, x), float32
        The sample's 0.5 to 99.5 percentile range is 0 to 1.
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
        If a source cannot be read.
    """
    from napari_nanoct.training.data import ct_samples, natural_pictures

    for source in sources:
        folder = Path(source).resolve()
        if source.startswith(PHANTOM):
            yield from _phantom(source)
        elif (folder / "index.csv").is_file() and folder.name == "natural":
            yield from (TrueSlice("natural", picture, False) for picture in natural_pictures(folder.parent, "val"))
        elif (folder / "index.csv").is_file():
            for sample in ct_samples(folder.parent, "val"):
                yield from (TrueSlice(sample.name, page) for page in sample.slices)
        else:
            yield from _volume(source)


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
        yield TrueSlice(Path(source).name, intensity.normalise(np.asarray(volume.data[z])))


def spread(depth: int) -> list[int]:
    """Indices of at most eight slices, spread evenly over a depth."""
    return sorted({int(z) for z in np.linspace(0, depth - 1, min(depth, MOST_SLICES) + 2)[1:-1].round()})
