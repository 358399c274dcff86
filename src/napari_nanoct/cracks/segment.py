"""The job that segments the cracks of a whole volume, out of core, and measures them if asked to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken, Done, Event, Progress
from napari_nanoct.jobs.files import reading
from napari_nanoct.jobs.record import stamp, versions

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_nanoct.cracks.blocks import Box, Rule
    from napari_nanoct.cracks.proposal import Scored
    from napari_nanoct.volumes import IntensityRange, Volume

SLAB = 16
"""Slices that are worked on at once: the depth of a shard."""

TILE = 512
"""Side of the part of a slab that is scored at once."""

EVERYWHERE = "everywhere"
"""In place of a mask: look at all of the volume."""


@dataclass(frozen=True)
class SegmentSettings:
    """What one segmentation is asked to do: shared by the shell, the dock and Python.

    Attributes
    ----------
    input : str
        The tomogram, anything that ``open_volume`` reads.
    output : str
        The OME-Zarr label image to write; its name ends in ``.zarr``.
    classifier : str or None
        File of a classifier made from scribbles; None: the proposal without labels.
    sensitivity : float
        Of the proposal, 0 to 1.
    mask : str or None
        A volume that is not 0 where cracks may be, or "everywhere". None: inside bodies for the proposal, everywhere
        for a classifier.
    dark : bool
        Cracks are darker than what they run through; of the proposal and of the measurement.
    high, low : float
        Probability that a crack must reach, and down to which it goes on; of a classifier.
    measure : str or None
        CSV file to write with the measured cracks.
    overwrite : bool
        Replace an existing output; it stays until the new one is complete.

    Raises
    ------
    UserError
        If a value does not exist.
    """

    input: str
    output: str
    classifier: str | None = None
    sensitivity: float = 0.5
    mask: str | None = None
    dark: bool = True
    high: float = 0.7
    low: float = 0.5
    measure: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.sensitivity <= 1:
            raise UserError(f"a sensitivity of {self.sensitivity:g} does not exist; choose one from 0 to 1")
        if not 0 < self.low <= self.high <= 1:
            raise UserError(
                f"probabilities from {self.high:g} down to {self.low:g} will not do; give a low one above 0 and a high "
                "one that is not below it, at most 1"
            )

    def arguments(self) -> list[str]:
        """Return the exact arguments after ``nanoct`` that start this run; what is at its default is left out."""
        words = ["segment", *(f"./{path}" if path.startswith("-") else path for path in (self.input, self.output))]
        for entry in fields(self)[2:]:
            value = getattr(self, entry.name)
            if value == entry.default:
                continue
            if entry.name == "dark":
                words.append("--bright")
            elif entry.name == "overwrite":
                words.append("--overwrite")
            else:
                words += [f"--{entry.name}", str(value)]
        return words


class Search(Protocol):
    """What gives every voxel a score, and says which pieces are cracks."""

    @property
    def halo(self) -> tuple[int, int, int]: ...
    @property
    def rule(self) -> Rule: ...
    def __call__(self, block: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Scored: ...


@dataclass(frozen=True, eq=False)
class Source:
    """A volume and a mask on one grid, read as finite normalised grey values."""

    volume: Volume
    intensity: IntensityRange
    mask: Volume | None = None

    def grey(self, box: Box) -> NDArray[np.float32]:
        """Return a box of the volume, 0 where it is not finite."""
        return self.read(box)[0]

    def __getitem__(self, box: Box) -> NDArray[np.bool_]:
        """Return a box of the mask, of ones where there is none."""
        if self.mask is None:
            return np.ones([part.stop - part.start for part in box], bool)
        return np.asarray(self.mask.data[box]) > 0

    def read(self, box: Box) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return a box of the volume, 0 where it is not finite, and where it is finite."""
        with reading(self.volume.source):
            values = np.asarray(self.volume.data[box])
        return self.intensity.normalise_finite(values), np.isfinite(values)


def segment_volume(
    settings: SegmentSettings, cancel: CancelToken | None = None, volume: Volume | None = None
) -> Iterator[Progress | Done]:
    """Segment the cracks of a volume out of core and write them as an OME-Zarr label image.

    Scores are worked out slab by slab with the halo that their filters need, and with thresholds taken once from a
    sample of the whole volume; pieces are joined across slabs before the small ones are dropped. So the labels are
    those of the whole volume at once, and memory does not grow with its depth.

    Parameters
    ----------
    settings : SegmentSettings
    cancel : CancelToken, optional
        Checked before every tile.
    volume : Volume, optional
        Take the voxels from here, not from ``settings.input``.

    Yields
    ------
    Progress
        In slices.
    Done
        Last; its record, which also stands in the output, tells the number of cracks and a sentence.

    Raises
    ------
    UserError
        For whatever the user can mend. An output that was there before stays as it was.
    Cancelled
        If the token was cancelled; likewise.
    """
    from napari_nanoct.cracks.proposal import summary
    from napari_nanoct.volumes import OmeZarrWriter, fingerprint, intensity_range, open_volume
    from napari_nanoct.volumes.place import check_free

    start = time.perf_counter()
    cancel = cancel or CancelToken()
    volume = volume or open_volume(settings.input)
    path = Path(settings.output).expanduser()
    _check_places(settings, volume, path)
    check_free(path, settings.overwrite)
    depth = volume.shape[0]
    yield Progress(0, depth, message="reading the intensity range")
    mask = None if settings.mask in (None, EVERYWHERE) else _mask(str(settings.mask), volume)
    source = Source(volume, intensity_range(volume), mask)
    mark = fingerprint(volume)
    cancel.check()
    yield Progress(0, depth, message="taking the thresholds from a sample of the volume")
    _check_finite(source)
    search = _search(settings, source)
    cancel.check()
    writer = OmeZarrWriter(
        path, shape=volume.shape, dtype=np.int32, geometry=volume.geometry, name="cracks", overwrite=settings.overwrite,
        labels=True,
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix=f"{path.name}.pieces-", dir=path.parent) as folder:
            numbers, parts = yield from _pieces(search, source, settings, Path(folder), cancel)
            for z in range(0, depth, SLAB):
                cancel.check()
                writer.write(z, numbers[np.asarray(parts[z : z + SLAB])])
        count = int(numbers.max())
        yield Progress(depth, depth, message="building the pyramid")
        record = {
            **stamp("segment", time.perf_counter() - start),
            "input": {"source": volume.source, "shape": list(volume.shape), "fingerprint": mark},
            "intensity_range": [source.intensity.low, source.intensity.high],
            "settings": asdict(settings),
            "search": _described(search),
            "cracks": count,
            "message": summary(count),
            "versions": versions(),
        }
        writer.finish(record, check=cancel.check)
    except BaseException:  # also when whoever drives the job turns away
        writer.abandon()
        raise
    if settings.measure is not None:
        yield Progress(0, depth, message="measuring the cracks")
        _measure(settings, path, volume, mask, cancel)
    yield Done(str(path), time.perf_counter() - start, record)


def _pieces(
    search: Search, source: Source, settings: SegmentSettings, folder: Path, cancel: CancelToken
) -> Generator[Progress, None, tuple[NDArray[np.int32], Any]]:
    """Score all slabs and keep their provisional labels on disk; returns what these become, and where they are."""
    import zarr

    from napari_nanoct.cracks.blocks import Pieces
    from napari_nanoct.cracks.proposal import Scored

    depth, height, width = shape = source.volume.shape
    pieces = Pieces(search.rule)
    chunks = (min(SLAB, depth), min(TILE, height), min(TILE, width))
    parts = zarr.create_array(str(folder / "pieces.zarr"), shape=shape, chunks=chunks, dtype=np.int64, fill_value=0)
    tiles = [(y, x) for y in range(0, height, TILE) for x in range(0, width, TILE)]
    begin = time.perf_counter()
    for z in range(0, depth, SLAB):
        slab = (min(SLAB, depth - z), height, width)
        found = Scored(np.zeros(slab, np.float32), np.ones(slab, np.float32), np.ones(slab, bool))
        for number, (y, x) in enumerate(tiles):
            cancel.check()
            box = (slice(z, z + slab[0]), slice(y, min(y + TILE, height)), slice(x, min(x + TILE, width)))
            _score(search, source, settings.mask is not None, box, found)
            share = (z + slab[0] * (number + 1) / len(tiles)) / depth
            seconds = time.perf_counter() - begin
            rate = share * np.prod(shape, dtype=float) / seconds / 1e6
            yield Progress(int(share * depth), depth, rate=rate, seconds_left=seconds * (1 - share) / share)
        parts[z : z + slab[0]] = pieces.add(*found)
    return pieces.numbers(), parts


def _score(search: Search, source: Source, masked: bool, box: Box, slab: Scored) -> None:
    """Fill a box of the volume in the slab that it lies in."""
    from napari_nanoct.cracks.blocks import padded

    around, inner = padded(box, source.volume.shape, search.halo)
    mask = source[around] if masked else None
    if mask is not None and not mask[inner].any():
        return
    grey, finite = source.read(around)
    found = search(grey, mask)
    for whole, part in zip(slab, found, strict=True):
        if whole is not None and part is not None:
            whole[:, box[1], box[2]] = part[inner]
    slab.score[:, box[1], box[2]][~finite[inner]] = 0


def _search(settings: SegmentSettings, source: Source) -> Search:
    from napari_nanoct.cracks.proposal import ProposalSettings, find_search

    size = source.volume.geometry.voxel_size
    if settings.classifier is not None:
        from napari_nanoct.cracks.classifier import load_classifier
        from napari_nanoct.cracks.probability import ProbabilitySearch

        classifier, _ = load_classifier(Path(settings.classifier)).applied_to(source.volume.geometry)
        return ProbabilitySearch(classifier, size, settings.high, settings.low)
    proposal = ProposalSettings(settings.sensitivity, settings.dark)
    return find_search(source.grey, source.volume.shape, size, proposal, None if settings.mask is None else source)


def _check_finite(source: Source) -> None:
    from napari_nanoct.cracks.bodies import sample_boxes

    if not any(source.read(box)[1].any() for box in sample_boxes(source.volume.shape)):
        raise UserError(
            f"{source.volume.source} has no finite voxel where it was sampled (all are NaN or infinite); choose another"
        )


def _described(search: Search) -> dict[str, Any]:
    """Return what a search is made of, as JSON values."""
    return {
        "kind": type(search).__name__,
        "rule": asdict(search.rule),
        **{name: getattr(search, name) for name in ("widths", "body") if hasattr(search, name)},
    }


def _mask(file: str, volume: Volume) -> Volume:
    from napari_nanoct.volumes import open_volume

    mask = open_volume(file)
    if mask.shape != volume.shape:
        raise UserError(
            f"the mask {file} has shape {mask.shape} and {volume.source} has {volume.shape}; give a mask of its shape"
        )
    if not any(bool((np.asarray(mask.data[z : z + SLAB]) > 0).any()) for z in range(0, mask.shape[0], SLAB)):
        raise UserError(f"the mask {file} is empty; choose another one, or leave it out")
    return mask


def _check_places(settings: SegmentSettings, volume: Volume, path: Path) -> None:
    """Refuse an output that is not named as a Zarr, or that lies where the input does."""
    if path.suffix != ".zarr":
        raise UserError(f"the output {path} is written as OME-Zarr; give it a name that ends in .ome.zarr")
    here = path.resolve()
    for source in {settings.input, volume.source, settings.mask or ""} - {"", "array", EVERYWHERE}:
        there = Path(source).expanduser().resolve()
        if here == there or there in here.parents or here in there.parents:
            raise UserError(f"the output {path} lies in the same place as the input {source}; choose another output")
    if settings.measure is not None and not Path(settings.measure).expanduser().absolute().parent.is_dir():
        raise UserError(f"the folder of {settings.measure} does not exist; make it, or name another file to measure")


def _measure(settings: SegmentSettings, path: Path, volume: Volume, mask: Volume | None, cancel: CancelToken) -> None:
    from napari_nanoct.cracks.measure import measure_cracks
    from napari_nanoct.cracks.table import write_csv
    from napari_nanoct.volumes import open_volume

    measured = measure_cracks(
        open_volume(path).data,
        volume,
        mask=None if mask is None else mask.data,
        dark=settings.dark,
        progress=lambda done, total: cancel.check(),
    )
    write_csv(Path(str(settings.measure)).expanduser(), measured, {"labels": str(path), "image": volume.source})


def segment_cracks(
    input: str | PathLike[str] | NDArray[Any] | da.Array | Volume,
    output: str | PathLike[str],
    *,
    classifier: str | PathLike[str] | None = None,
    sensitivity: float = 0.5,
    mask: str | PathLike[str] | None = None,
    dark: bool = True,
    high: float = 0.7,
    low: float = 0.5,
    measure: str | PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Callable[[Event], None] | None = None,
    cancel: CancelToken | None = None,
) -> Volume:
    """Segment the cracks of a tomogram out of core, as ``nanoct segment`` does, and open the result.

    Parameters
    ----------
    input : path, array or Volume
        The tomogram (z, y, x), or one slice (y, x); best an enhanced one.
    output : path
        The OME-Zarr label image to write; its name ends in ``.zarr``.
    classifier : path, optional
        A classifier made from scribbles; by default the proposal without labels.
    sensitivity : float
        Of the proposal, 0 to 1.
    mask : path, optional
        A volume of the same shape that is not 0 where cracks may be, or ``"everywhere"``. By default the proposal looks
        inside bodies, if the grey values show any.
    dark : bool
        Cracks are darker than what they run through.
    high, low : float
        Probability that a crack must reach, and down to which it goes on; of a classifier.
    measure : path, optional
        CSV file to write with the measured cracks.
    overwrite : bool
        Replace an existing output; it stays until the new one is complete.
    progress : callable, optional
        Called with every event of the job.
    cancel : CancelToken, optional
        To stop the job from another thread.

    Returns
    -------
    Volume
        Labels, int32: 0 background, 1..n cracks; ``metadata["nanoct"]`` is the record.

    Raises
    ------
    UserError
        If the input, the output or a setting does not work; the message says which and what would.
    Cancelled
        If the token was cancelled.

    Examples
    --------
    >>> labels = segment_cracks("scan-x1.ome.zarr", "cracks.ome.zarr", measure="cracks.csv")  # doctest: +SKIP
    """
    from napari_nanoct.volumes import Volume, open_volume

    volume = input if isinstance(input, Volume) else open_volume(input)
    optional = (None if path is None else str(path) for path in (classifier, mask, measure))
    trained, where, table = optional
    settings = SegmentSettings(
        volume.source, str(output), trained, sensitivity, where, dark, high, low, table, overwrite
    )
    for event in segment_volume(settings, cancel, volume):
        if progress:
            progress(event)
    return open_volume(output)
