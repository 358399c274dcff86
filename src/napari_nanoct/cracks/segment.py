"""The job that segments the cracks of a whole volume, out of core, and measures them if asked to."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.cracks.settings import EVERYWHERE, HIGH, LOW, SegmentSettings
from napari_nanoct.cracks.slabs import SLAB, Search, Source, check_values, find_pieces
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import Cancelled, CancelToken, Done, Event, Progress
from napari_nanoct.jobs.files import writing
from napari_nanoct.jobs.record import stamp, versions

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_nanoct.cracks.measurement import Measurement
    from napari_nanoct.volumes import Volume


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
        In slices; while measuring in blocks.
    Done
        Last; its record, which also stands in the output, tells the number of cracks and a sentence.

    Raises
    ------
    UserError
        For whatever the user can mend. An output that was there before stays as it was, unless only measuring fails:
        then the labels are complete, and the sentence says so.
    Cancelled
        If the token was cancelled, also while measuring; an output that was there before stays as it was.
    """
    from napari_nanoct.cracks.evidence import check_place
    from napari_nanoct.cracks.proposal import summary
    from napari_nanoct.volumes import OmeZarrWriter, fingerprint, intensity_range, open_volume
    from napari_nanoct.volumes.place import check_output

    start = time.perf_counter()
    cancel = cancel or CancelToken()
    volume = volume or open_volume(settings.input)
    path = Path(settings.output).expanduser()
    inputs = (settings.input, volume.source, settings.mask or "", settings.original or "", settings.pores or "")
    check_output(path, [source for source in inputs if source != EVERYWHERE], settings.overwrite)
    _check_table(settings)
    depth = volume.shape[0]
    yield Progress(0, depth, message="reading the intensity range")
    mask = None if settings.mask in (None, EVERYWHERE) else _mask(str(settings.mask), volume, "mask")
    pores = None if settings.pores is None else _mask(settings.pores, volume, "image of pores")
    original = None if settings.original is None else open_volume(settings.original)
    if original is not None:
        check_place(original, volume)
    source = Source(volume, intensity_range(volume), mask)
    mark = fingerprint(volume)
    cancel.check()
    yield Progress(0, depth, message="taking the thresholds from a sample of the volume")
    check_values(source)
    search, notes = _search(settings, source)
    for note in notes:
        yield Progress(0, depth, message=note)
    cancel.check()
    writer = OmeZarrWriter(
        path, shape=volume.shape, dtype=np.int32, geometry=volume.geometry, name="cracks", overwrite=settings.overwrite,
        labels=True,
    )  # fmt: skip
    try:
        with tempfile.TemporaryDirectory(prefix=f"{path.name}.pieces-", dir=path.parent) as folder:
            numbers, parts = yield from find_pieces(search, source, settings.mask is not None, Path(folder), cancel)
            for z in range(0, depth, SLAB):
                cancel.check()
                with writing(writer.partial):
                    writer.write(z, numbers[np.asarray(parts[z : z + SLAB])])
        count = int(numbers.max())
        measured = yield from _measured(settings, writer.partial / "0", volume, mask, pores, original, cancel)
        yield Progress(depth, depth, message="building the pyramid")
        record = {
            **stamp("segment", time.perf_counter() - start),
            "input": {"source": volume.source, "shape": list(volume.shape), "fingerprint": mark},
            "intensity_range": [source.intensity.low, source.intensity.high],
            "settings": asdict(settings),
            "search": _described(search),
            "cracks": count,
            "message": summary(count),
            "notes": notes,
            "versions": versions(),
        }
        with writing(writer.partial):
            writer.finish(record, check=cancel.check)
    except BaseException:  # also when whoever drives the job turns away
        writer.abandon()
        raise
    sources = {"labels": str(path), "image": volume.source}
    others = {"mask": mask, "original": original, "pores": pores}
    sources |= {name: one.source for name, one in others.items() if one is not None}
    _write_table(settings, measured, sources)
    yield Done(str(path), time.perf_counter() - start, record)


def _search(settings: SegmentSettings, source: Source) -> tuple[Search, list[str]]:
    """Return the search, and what the user should know of it."""
    from napari_nanoct.cracks.proposal import ProposalSettings, find_search

    size = source.volume.geometry.voxel_size
    if settings.classifier is not None:
        from napari_nanoct.cracks.classifier import load_classifier
        from napari_nanoct.cracks.probability import ProbabilitySearch

        volume = source.volume
        made_by = volume.metadata.get("nanoct", {}).get("model", {}).get("sha256", "")
        loaded = load_classifier(Path(settings.classifier).expanduser())
        classifier, note = loaded.applied_to(volume.geometry, str(made_by), source.intensity)
        return ProbabilitySearch(classifier, size, settings.high, settings.low), [note] if note else []
    proposal = ProposalSettings(settings.sensitivity, settings.dark)
    mask = None if settings.mask is None else source
    return find_search(source.grey, source.volume.shape, size, proposal, mask), []


def _described(search: Search) -> dict[str, Any]:
    """Return what a search is made of, as JSON values."""
    return {
        "kind": type(search).__name__,
        "rule": asdict(search.rule),
        **{name: getattr(search, name) for name in ("widths", "body") if hasattr(search, name)},
    }


def _mask(file: str, volume: Volume, kind: str) -> Volume:
    """Open a mask as truth values."""
    from napari_nanoct.volumes import open_volume

    mask = open_volume(file)
    if mask.shape != volume.shape:
        raise UserError(
            f"the {kind} {file} has shape {mask.shape} and {volume.source} has {volume.shape}; give one of its shape"
        )
    where: Any = (mask.data != 0) & (mask.data == mask.data)  # NaN, which some fill the outside with, is no part of it
    if not any(bool(np.asarray(where[z : z + SLAB]).any()) for z in range(0, mask.shape[0], SLAB)):
        raise UserError(f"the {kind} {file} is empty; choose another one, or leave it out")
    return replace(mask, data=where, levels=())


def _check_table(settings: SegmentSettings) -> None:
    from napari_nanoct.cracks.table import check_table

    if settings.measure is not None:
        check_table(Path(settings.measure).expanduser(), settings.overwrite)
    for name in ("original", "pores"):
        file = getattr(settings, name)
        if file is not None and settings.measure is None:
            raise UserError(f"{file} (--{name}) is for measuring alone; name a table with --measure too")


def _measured(
    settings: SegmentSettings,
    labels: Path,
    volume: Volume,
    mask: Volume | None,
    pores: Volume | None,
    original: Volume | None,
    cancel: CancelToken,
) -> Generator[Progress, None, Measurement | Exception | None]:
    """Measure if asked to; what went wrong comes back, for the labels are to be finished all the same."""
    if settings.measure is None:
        return None
    import zarr

    from napari_nanoct.cracks.measure import measuring

    steps = measuring(
        zarr.open_array(labels, mode="r"),
        volume,
        pores=None if pores is None else pores.data,
        mask=None if mask is None else mask.data,
        original=original,
        dark=settings.dark,
    )
    try:
        while True:
            cancel.check()
            yield Progress(*next(steps), unit="blocks", message="measuring the cracks")
    except StopIteration as end:
        return end.value
    except Cancelled:
        raise
    except Exception as error:
        return error


def _write_table(settings: SegmentSettings, measured: Measurement | Exception | None, sources: dict[str, str]) -> None:
    from napari_nanoct.cracks.table import write_csv

    if measured is None:
        return
    try:
        if isinstance(measured, Exception):
            raise measured
        write_csv(Path(str(settings.measure)).expanduser(), measured, sources)
    except Exception as error:
        reason = str(error).removesuffix(".") if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise UserError(
            f"{sources['labels']} is written, but {settings.measure} is not ({reason}); to measure alone, open it in "
            "the Cracks dock, or call measure_cracks"
        ) from error


def segment_cracks(
    input: str | PathLike[str] | NDArray[Any] | da.Array | Volume,
    output: str | PathLike[str],
    *,
    classifier: str | PathLike[str] | None = None,
    sensitivity: float = 0.5,
    mask: str | PathLike[str] | None = None,
    dark: bool = True,
    high: float = HIGH,
    low: float = LOW,
    measure: str | PathLike[str] | None = None,
    original: str | PathLike[str] | None = None,
    pores: str | PathLike[str] | None = None,
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
    original : path, optional
        The tomogram before its enhancement, on any grid in the same place: the measured cracks are told whether it
        shows them.
    pores : path, optional
        A volume of the same shape that is not 0 in pores: the measured cracks are told whether they touch one.
    overwrite : bool
        Replace an existing output, and an existing table; each stays until the new one is complete.
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
    optional = (None if path is None else str(path) for path in (classifier, mask, measure, original, pores))
    trained, where, table, before, holes = optional
    settings = SegmentSettings(
        volume.source, str(output), trained, sensitivity, where, dark, high, low, table, before, overwrite, holes
    )
    for event in segment_volume(settings, cancel, volume):
        if progress:
            progress(event)
    return open_volume(output)
