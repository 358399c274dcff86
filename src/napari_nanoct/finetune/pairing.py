"""From two volumes, or one, to a project of paired slices; and from a project to the arrays to learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.matching import (
    PairRefused,
    agreeing_pair,
    match_itself,
    match_slice,
    new_project,
    plain_project,
    slice_pair,
)
from napari_nanoct.finetune.placing import place_volumes
from napari_nanoct.finetune.project import METHODS, Match, Project, Region, Source, check_name, save_project
from napari_nanoct.finetune.scans import Scan, Triple
from napari_nanoct.jobs import CancelToken, Progress
from napari_nanoct.training.pairs import SlicePair

if TYPE_CHECKING:
    from napari_nanoct.volumes import Volume

__all__ = [
    "ASSUMES",
    "NothingPaired",
    "PairRefused",
    "Paired",
    "Refusal",
    "load_pairs",
    "match_slice",
    "open_scans",
    "overlay",
    "pair_slices",
    "pair_volumes",
    "place_volumes",
    "slice_pair",
]

ASSUMES = {
    "pairs": "The second volume shows the same place better; what it shows is taken for the truth.",
    "halves": "The two volumes come from half of the projections each, so that their noise is independent.",
    "neighbours": "Neighbouring slices show nearly the same thing and their noise is independent.",
    "blind-spot": "The noise of neighbouring pixels is independent, which that of most reconstructions is not quite.",
}
"""What each method takes for granted, in a sentence."""

SPREAD = {"pairs": 8, "halves": 32, "neighbours": 32, "blind-spot": 32}
"""Slices that are taken by default, spread evenly."""


@dataclass(frozen=True)
class Refusal:
    """A slice that was not taken, the reason in a sentence, and where it was looked for if it came that far."""

    low_slice: int
    reason: str
    match: Match | None = None


@dataclass(frozen=True)
class Paired:
    """What came of pairing: the project, which is without the slices that were refused, and these."""

    project: Project
    refusals: tuple[Refusal, ...] = ()


class NothingPaired(UserError):
    """No slice is left: the reason, and what came of each."""

    def __init__(self, reason: str, result: Paired) -> None:
        super().__init__(reason)
        self.result = result


def pair_volumes(
    low: Volume,
    high: Volume | None,
    *,
    factor: int | None = None,
    slices: Sequence[int] | None = None,
    common: tuple[Triple, Triple] | None = None,
    method: str | None = None,
    regions: tuple[Region, ...] = (),
    cancel: CancelToken | None = None,
) -> Iterator[Progress | Paired]:
    """Pair slices of a low-resolution volume with another volume, or with themselves.

    Parameters
    ----------
    low : Volume
        The volume of the kind that is to be enhanced.
    high : Volume or None
        For ``pairs`` one that shows the place better, for ``halves`` the other half-scan; None for the other methods.
    factor : int, optional
        1, 2 or 4; left out, from the voxel sizes or, where these are not stated, from the shapes. 1 without ``pairs``.
    slices : sequence of int, optional
        Slices of ``low``; left out, some that are spread evenly where the volumes overlap.
    common : pair of (z, y, x), optional
        One place in voxels of the first and of the second volume, to about 20 low-resolution voxels.
    method : str, optional
        One of :data:`napari_nanoct.finetune.project.METHODS`; left out, ``pairs`` with a second volume, else
        ``neighbours``, or ``blind-spot`` below three slices.
    regions : tuple of Region
        Where the slices may be learnt from.

    Yields
    ------
    Progress, and last Paired

    Raises
    ------
    UserError
        If the volumes do not go together.
    NothingPaired
        If no slice is left; single slices that do not go together are listed with the result.
    """
    if method not in (None, *METHODS):
        raise UserError(f"There is no method {method!r}; choose {', '.join(METHODS[:-1])} or {METHODS[-1]}.")
    method = method or ("pairs" if high is not None else "neighbours" if low.shape[0] >= 3 else "blind-spot")
    if (high is not None) != (method in ("pairs", "halves")):
        raise UserError(
            f"Method {method} takes {'two volumes' if high is None else 'one volume'}; change one of these."
        )
    if method != "pairs" and factor not in (None, 1):
        raise UserError(f"Method {method} works at factor 1, not {factor}: it needs no finer volume; leave the factor.")
    yield Progress(0, 1, "slices", message="looking for the common place" if method == "pairs" else "reading")
    matcher: Callable[[int], Match]
    if method == "pairs":
        assert high is not None
        placement = place_volumes(low, high, factor=factor, common=common, cancel=cancel)
        project = new_project(low, high, placement, regions)
        inside = [z for z in range(low.shape[0]) if -0.25 <= placement.high_slice(z) <= high.shape[0] - 0.75]
        there = high

        def matcher(z: int) -> Match:
            return match_slice(low, there, z, placement)
    else:
        project = plain_project(low, high, method, regions)
        inside = list(range(low.shape[0]))

        def matcher(z: int) -> Match:
            return match_itself(project, low, high, z)

    # integers of numpy cannot be written to the file
    chosen = sorted({int(z) for z in slices}) if slices is not None else _spread(inside, SPREAD[method])
    matches, refusals = [], []
    for number, z in enumerate(chosen):
        if cancel:
            cancel.check()
        yield Progress(number, len(chosen), "slices", message=f"slice {z}")
        try:
            matches.append(matcher(z))
        except PairRefused as refused:
            refusals.append(Refusal(z, str(refused), refused.match))
    result = Paired(replace(project, matches=tuple(matches)), tuple(refusals))
    if not matches:
        reason = refusals[0].reason if refusals else "No slice was chosen; choose at least one."
        if len(refusals) > 1:
            reason = f"None of {len(refusals)} slices can be used. {reason}"
        raise NothingPaired(reason, result)
    yield result


def pair_slices(
    low: str | PathLike[str] | NDArray[Any] | Volume,
    high: str | PathLike[str] | NDArray[Any] | Volume | None = None,
    *,
    factor: int | None = None,
    slices: Sequence[int] | None = None,
    common: tuple[Triple, Triple] | None = None,
    method: str | None = None,
    regions: tuple[Region, ...] = (),
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancel: CancelToken | None = None,
) -> Paired:
    """Pair slices to fine-tune on, as ``nanoct pair`` does; the other parameters are those of :func:`pair_volumes`.

    Parameters
    ----------
    output : path, optional
        File of pairs to write, for :func:`napari_nanoct.finetune_model`; then the volumes must be files.
    overwrite : bool
        Replace an existing output.
    progress : callable, optional
        Called with every event.

    Examples
    --------
    >>> paired = pair_slices("wide.tif", "zoom.tif", factor=2, output="pairs.json")  # doctest: +SKIP
    """
    from napari_nanoct.volumes import Volume, open_volume

    one, other = (
        volume if volume is None or isinstance(volume, Volume) else open_volume(volume) for volume in (low, high)
    )
    assert one is not None
    if output is not None:
        check_name(Path(output))
        if Path(output).exists() and not overwrite:
            raise UserError(f"{output} exists; give another name or overwrite=True.")
        if "array" in (one.source, other.source if other else ""):
            raise UserError(
                f"An array has no file that {output} could name; save it, for example as TIFF, and pair that."
            )
    for event in pair_volumes(
        one, other, factor=factor, slices=slices, common=common, method=method, regions=regions, cancel=cancel
    ):
        if isinstance(event, Paired):
            if output is not None:
                save_project(event.project, Path(output))
            return event
        if progress:
            progress(event)
    raise AssertionError("pairing ends with its result")


def load_pairs(project: Project, cancel: CancelToken | None = None) -> list[SlicePair]:
    """Read the paired slices of a project from its volumes.

    Raises
    ------
    UserError
        If a volume is gone, or is not the one that was paired, or a slice and its target do not show the same thing.
    """
    low, high = open_scans(project)
    pairs = []
    depth = low.volume.shape[0]
    for match in project.matches:
        if cancel:
            cancel.check()
        if not 0 <= match.low_slice < depth:
            raise UserError(f"{project.low.path} has no slice {match.low_slice}, only 0 to {depth - 1}; pair anew.")
        pairs.append(agreeing_pair(project, match, low, high))
    return pairs


def open_scans(project: Project) -> tuple[Scan, Scan | None]:
    """Open the volumes of a project.

    Raises
    ------
    UserError
        If one is gone, or is not the one that was paired.
    """
    return _scan(project.low), _scan(project.high) if project.high else None


def overlay(pair: SlicePair) -> NDArray[np.uint8]:
    """Lay a slice and its target over each other.

    Returns
    -------
    ndarray, shape (y, x, 3), uint8
        The slice in magenta, the target in green, grey where they agree; dark where the pair is not learnt from.
    """
    from napari_nanoct.training.masked import reduced

    factor = pair.high.shape[0] // pair.low.shape[0]
    low, high = (np.clip(image, 0, 1) for image in (pair.low, reduced(pair.high, factor)))
    picture = np.stack([low, high, low], axis=-1) * np.where(pair.usable, 1.0, 0.35)[..., None]
    return np.asarray(np.rint(255 * picture), np.uint8)


def _scan(source: Source) -> Scan:
    from napari_nanoct.volumes import IntensityRange, fingerprint, open_volume
    from napari_nanoct.volumes.formats import on_disk

    if not on_disk(source.path).exists():
        raise UserError(f"{source.path} is gone; put it back, or pair anew with 'nanoct pair'.")
    volume = open_volume(source.path)
    if fingerprint(volume) != source.fingerprint:
        raise UserError(f"{source.path} is not the volume that was paired: its voxels differ; pair anew.")
    return Scan(volume, IntensityRange(*source.range))


def _spread(slices: Sequence[int], count: int) -> list[int]:
    """At most ``count`` of some slices, in the middle of as many equal parts."""
    places = (np.arange(count) + 0.5) * len(slices) / count
    return [slices[int(place)] for place in places] if len(slices) > count else list(slices)
