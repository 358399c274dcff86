"""Run methods on degraded slices and score them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.evaluation.pairs import Pair

if TYPE_CHECKING:
    from torch import nn

Method = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Maps a low-resolution slice (y, x) to one on the grid of the truth, same grey values."""


@dataclass(frozen=True)
class Score:
    """Figures of one method on one slice; PSNR in decibel, with 1, the range of the truth, as peak.

    ``niqe`` needs no truth (NaN where the slice is too small for it), by the model that ships.
    """

    sample: str
    protocol: str
    level: int
    factor: int
    method: str
    psnr: float
    ssim: float
    ms_ssim: float
    niqe: float


@dataclass(frozen=True)
class Shown:
    """The images behind the scores of one slice, by method; the truth is under ``truth``."""

    sample: str
    protocol: str
    level: int
    images: Mapping[str, NDArray[np.float32]]


def baseline_name(factor: int) -> str:
    """Name of what every method is compared with: the input itself, or its bicubic enlargement."""
    return "input" if factor == 1 else "bicubic"


def baseline(factor: int) -> Method:
    """Return the input itself for factor 1, its bicubic enlargement otherwise."""

    def enlarge(low: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        from napari_nanoct.utsr.resampling import enlarge_bicubic

        return np.asarray(enlarge_bicubic(torch.from_numpy(low)[None, None], factor)[0, 0].numpy())

    return enlarge


def model(name: str, factor: int, device: str = "auto", precision: str = "float32") -> Method:
    """Return a network as the volume run uses it: the range is that of the low-resolution slice, as for a user."""
    from napari_nanoct.enhance import Enhancer
    from napari_nanoct.volumes import intensity_range, open_volume

    enhancer = Enhancer.load(name, factor, device, precision)
    return lambda low: enhancer.slice(low, intensity_range(open_volume(low)), np.float32)


def bare(network: nn.Module) -> Method:
    """Return a network on the CPU as a method: the whole slice at once, grey values as they are."""
    import torch

    def restore(low: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(low)[None, None])[0, 0].numpy())

    return restore


def score_pair(pair: Pair, factor: int, methods: Mapping[str, Method]) -> tuple[list[Score], Shown]:
    """Restore one low-resolution slice by every method and score the results against its truth."""
    from napari_nanoct.quality import ms_ssim, psnr, ssim

    truth, mask = pair.truth, pair.mask
    images = {name: method(pair.low) for name, method in methods.items()}
    scores = [
        Score(
            pair.sample,
            pair.protocol,
            pair.level,
            factor,
            name,
            psnr(truth, image, 1, mask),
            ssim(truth, image, 1, mask),
            ms_ssim(truth, image, 1, mask),
            _niqe(image, mask),
        )
        for name, image in images.items()
    ]
    return scores, Shown(pair.sample, pair.protocol, pair.level, {**images, "truth": truth})


def evaluate(pairs: Iterable[Pair], factor: int, methods: Mapping[str, Method]) -> Iterator[tuple[list[Score], Shown]]:
    """Score every method on every pair of slices."""
    for pair in pairs:
        yield score_pair(pair, factor, methods)


def by_sample(scores: Iterable[Score]) -> list[Score]:
    """Average the slices of each sample, for each level and method; in order of first appearance."""
    groups: dict[tuple[str, str, int, int, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.sample, score.protocol, score.level, score.factor, score.method), []).append(score)
    return [Score(*key, *_means(group)) for key, group in groups.items()]


def over_samples(samples: Sequence[Score]) -> list[Score]:
    """Average the samples, each counting once, under the name ``mean``."""
    groups: dict[tuple[str, int, int, str], list[Score]] = {}
    for score in samples:
        groups.setdefault((score.protocol, score.level, score.factor, score.method), []).append(score)
    return [Score("mean", *key, *_means(group)) for key, group in groups.items()]


def write_csv(path: Path, scores: Sequence[Any]) -> None:
    """Write scores, dataclass instances of one kind, as a table with a header; the file appears whole."""
    from napari_nanoct.jobs.files import whole

    with whole(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(scores[0])])
        writer.writeheader()
        writer.writerows(asdict(score) for score in scores)


def _means(group: Sequence[Score]) -> tuple[float, float, float, float]:
    figures = [(score.psnr, score.ssim, score.ms_ssim, score.niqe) for score in group]
    psnr, ssim, ms_ssim, niqe = (float(value) for value in np.mean(figures, axis=0))
    return psnr, ssim, ms_ssim, niqe


def _niqe(image: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> float:
    from napari_nanoct.errors import UserError
    from napari_nanoct.quality import niqe

    try:
        return niqe(image, data_range=1, mask=mask).value
    except UserError:
        return np.nan
