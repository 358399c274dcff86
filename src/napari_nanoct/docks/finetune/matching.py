"""Slices of two layers brought together, one after the other, for the list of pairs; no Qt here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_nanoct.finetune.matching import (
    PairRefused,
    match_itself,
    match_slice,
    new_project,
    plain_project,
    slice_pair,
)
from napari_nanoct.finetune.pairing import overlay
from napari_nanoct.finetune.placing import Placement, place_volumes
from napari_nanoct.finetune.scans import Scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_nanoct.docks.finetune.regions import Triple
    from napari_nanoct.docks.finetune.scans import Scans
    from napari_nanoct.finetune.project import Match, Project, Region
    from napari_nanoct.jobs import CancelToken


@dataclass(frozen=True, eq=False)
class Entry:
    """A line in the list of pairs.

    Attributes
    ----------
    low_slice : int
    match : Match or None
        None where the slice was refused.
    said : str
        How good it is, or the reason of the refusal.
    picture : ndarray of uint8, shape (y, x, 3), or None
        Both slices over each other; None where there was nothing to lay over the slice.
    """

    low_slice: int
    match: Match | None
    said: str
    picture: NDArray[np.uint8] | None


Told = Callable[[int, int, Entry], None]
"""Is told how many slices are done, of how many, and what the last one came to."""


class Matcher:
    """Finds slices of one choice of scans in each other; the placement of the two is found once.

    Parameters
    ----------
    scans : Scans
    project : Project, optional
        One without slices that was loaded; else it is made with the first slice.
    """

    def __init__(self, scans: Scans, project: Project | None = None) -> None:
        self.scans, self.project = scans, project
        self._placement: Placement | None = None
        self._common: tuple[Triple, Triple] | None = None

    def match(
        self,
        slices: Sequence[int],
        common: tuple[Triple, Triple] | None,
        regions: tuple[Region, ...],
        told: Told,
        cancel: CancelToken,
    ) -> None:
        """Find slices one after the other, and tell what each came to; call it in a thread.

        Parameters
        ----------
        slices : sequence of int
            Of the low-resolution scan.
        common : pair of (z, y, x), optional
            One place in voxels of either scan; searched for without.
        regions : tuple of Region
            Where is learnt.
        told : callable
        cancel : CancelToken
            Checked before every slice.
        """
        project = replace(self._begin(common, cancel), regions=regions)
        for number, z in enumerate(slices, 1):
            cancel.check()
            told(number, len(slices), self._entry(z, project))

    def _begin(self, common: tuple[Triple, Triple] | None, cancel: CancelToken) -> Project:
        low, high, method = self.scans.low, self.scans.high, self.scans.method
        if method == "pairs" and (self._placement is None or common != self._common):
            assert high is not None
            self._placement = place_volumes(low, high, factor=self.scans.factor, common=common, cancel=cancel)
            self._common = common
            self.project = self.project or new_project(low, high, self._placement)
        self.project = self.project or plain_project(low, high, method)
        return self.project

    def _entry(self, z: int, project: Project) -> Entry:
        low, high = self.scans.low, self.scans.high
        try:
            if self._placement is None:
                match = match_itself(project, low, high, z)
            else:
                assert high is not None
                match = match_slice(low, high, z, self._placement)
        except PairRefused as refused:
            picture = None if refused.match is None else self._picture(project, refused.match)
            return Entry(z, None, str(refused), picture)
        return entry_of(match, project.method, self._picture(project, match))

    def _picture(self, project: Project, match: Match) -> NDArray[np.uint8]:
        from napari_nanoct.volumes import IntensityRange

        low = Scan(self.scans.low, IntensityRange(*project.low.range))
        high = None
        if self.scans.high is not None and project.high is not None:
            high = Scan(self.scans.high, IntensityRange(*project.high.range))
        return overlay(slice_pair(project, match, low, high))


def entry_of(match: Match, method: str, picture: NDArray[np.uint8]) -> Entry:
    """Return the line of a slice that can be learnt from."""
    lines = [f"slice {match.low_slice}"]
    if method == "pairs":
        lines = [f"slice {match.low_slice} ↔ {match.high_slice:.1f}", f"agreement {match.quality:.2f}"]
    return Entry(match.low_slice, match, "\n".join([*lines, f"{match.usable:.0%} can be learnt from"]), picture)


def thumbnail(picture: NDArray[np.uint8], edge: int) -> NDArray[np.uint8]:
    """Return a smaller picture, at least `edge` high and wide, by leaving rows and columns out."""
    step = max(1, min(picture.shape[:2]) // edge)
    return picture[::step, ::step]
