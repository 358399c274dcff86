"""The volume job: read | network | write, side by side, slab by slab."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_nanoct.enhance.enhancer import Enhancer
from napari_nanoct.enhance.record import make_record
from napari_nanoct.enhance.settings import EnhanceSettings, OutputType, Precision
from napari_nanoct.enhance.target import Target, find_target
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken, Done, Event, Progress
from napari_nanoct.jobs.files import reading, writing
from napari_nanoct.volumes.place import check_output, free_bytes

if TYPE_CHECKING:
    import dask.array as da
    from numpy.typing import NDArray

    from napari_nanoct.volumes import IntensityRange, OmeZarrWriter, Volume

SLAB = 16
"""Slices that are read, and written, at once: the depth of a shard."""

T = TypeVar("T")


def run(
    settings: EnhanceSettings, cancel: CancelToken | None = None, volume: Volume | None = None
) -> Iterator[Progress | Done]:
    """Enhance a tomogram out of core and write it as OME-Zarr.

    While the network works on a slab of 16 slices, a thread reads the next one and another writes the one before: never
    more than two slabs of input and two of output are held, whatever the depth.

    Parameters
    ----------
    settings : EnhanceSettings
    cancel : CancelToken, optional
        Checked before every batch of tiles.
    volume : Volume, optional
        Take the voxels from here, not from ``settings.input``.

    Yields
    ------
    Progress
        In slices, with the rate in Mvoxel of input per second.
    Done
        Last, with the record that also stands in the output.

    Raises
    ------
    UserError
        For whatever the user can mend. What was written by then stays beside the output as ``NAME.partial``, marked as
        incomplete; an output that was there before stays as it was.
    Cancelled
        If the token was cancelled; likewise.
    """
    from napari_nanoct.volumes import OmeZarrWriter, fingerprint, intensity_range, open_volume
    from napari_nanoct.volumes.units import size_text

    start = time.perf_counter()
    cancel = cancel or CancelToken()
    volume = volume or open_volume(settings.input)
    check_output(Path(settings.output).expanduser(), (settings.input, volume.source), settings.overwrite)
    cancel.check()
    enhancer = Enhancer.load(settings.model, settings.scale, settings.device, settings.precision)
    target = find_target(settings, volume, enhancer.scale)
    if (free := free_bytes(target.path)) is not None and free < target.nbytes:
        raise UserError(
            f"{target.path} needs about {size_text(target.nbytes)} and its disk has {size_text(free)} left; "
            "choose another disk, fewer slices, or a crop"
        )
    depth = target.shape[0]
    yield Progress(0, depth, message="reading the intensity range")
    cancel.check()
    with reading(volume.source):
        intensity = intensity_range(volume)
        mark = fingerprint(volume)
    cancel.check()
    writer = OmeZarrWriter(
        target.path,
        shape=target.shape,
        dtype=target.dtype,
        geometry=target.geometry,
        name=volume.name,
        overwrite=settings.overwrite,
    )
    try:
        yield Progress(0, depth, message=f"{enhancer.card.name} x{enhancer.scale} in {enhancer.precision}")
        yield from _slabs(volume, target, enhancer, intensity, writer, cancel)
        yield Progress(depth, depth, message="building the pyramid")
        seconds = time.perf_counter() - start
        record = make_record(settings, volume, target, enhancer, intensity, mark, seconds)
        with writing(writer.partial):
            path = writer.finish(record, (intensity.low, intensity.high), cancel.check)
    except BaseException:  # also when whoever drives the job turns away
        writer.abandon()
        raise
    yield Done(str(path), time.perf_counter() - start, record)


def _slabs(
    volume: Volume,
    target: Target,
    enhancer: Enhancer,
    intensity: IntensityRange,
    writer: OmeZarrWriter,
    cancel: CancelToken,
) -> Iterator[Progress]:
    depth = target.shape[0]
    starts = range(0, depth, SLAB)

    def read(z: int) -> NDArray[Any]:
        with reading(volume.source):
            return np.asarray(volume.data[target.first + z : target.first + min(z + SLAB, depth)])

    def write(z: int, slab: NDArray[Any]) -> None:
        with writing(writer.partial):
            writer.write(z, slab)

    begin = time.perf_counter()
    done = 0
    # Each thread has one task at a time, so that no queue can grow; leaving the block waits for both.
    with ThreadPoolExecutor(1, "nanoct-read") as reader, ThreadPoolExecutor(1, "nanoct-write") as scribe:
        coming = reader.submit(read, 0)
        written: Future[None] | None = None
        for z in starts:
            planes = _await(coming, cancel)
            if z + SLAB < depth:
                coming = reader.submit(read, z + SLAB)
            slab = np.empty((len(planes), *target.shape[1:]), target.dtype)
            for share in enhancer.steps(planes, slab, intensity, target.crop, cancel):
                if written and written.done():
                    written.result()  # a full disk is said now, not after this slab
                reached = z + share * len(planes)
                done = max(done, int(reached))  # a tile halved for lack of memory starts the slice anew
                rate = reached * target.voxels_per_slice / (time.perf_counter() - begin)
                left = (depth - reached) * target.voxels_per_slice / rate
                yield Progress(done, depth, rate=rate / 1e6, seconds_left=left)
            if written:
                _await(written, cancel)
            written = scribe.submit(write, z, slab)
        if written:
            _await(written, cancel)


def _await(future: Future[T], cancel: CancelToken) -> T:
    """Return the result of a thread's task, giving up when the job is cancelled."""
    while not wait([future], timeout=0.1).done:
        cancel.check()
    return future.result()


def enhance_volume(
    input: str | PathLike[str] | NDArray[Any] | da.Array | Volume,
    output: str | PathLike[str],
    *,
    model: str | PathLike[str] = "utsr-light",
    scale: int | None = None,
    slices: tuple[int, int] | None = None,
    crop: tuple[int, int, int, int] | None = None,
    device: str = "auto",
    precision: Precision = "auto",
    dtype: OutputType = "same",
    overwrite: bool = False,
    progress: Callable[[Event], None] | None = None,
    cancel: CancelToken | None = None,
) -> Volume:
    """Enhance a tomogram out of core, as ``nanoct enhance`` does, and open the result.

    Parameters
    ----------
    input : path, array or Volume
        The tomogram (z, y, x), or one slice (y, x).
    output : path
        The OME-Zarr to write; its name ends in ``.zarr``.
    model : str or path
        Name of a model, or a ``.safetensors`` file.
    scale : int, optional
        Enlargement in y and x: 1, 2 or 4. None: the file's own for a file, 1 for a name.
    slices : (int, int), optional
        First slice and the one after the last.
    crop : (int, int, int, int), optional
        ``(y0, y1, x0, x1)`` in input pixels, ends excluded.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision : str
        ``"auto"`` (measured), ``"float32"`` or ``"bfloat16"``.
    dtype : str
        ``"same"`` as the input (float64 becomes float32) or ``"float32"``.
    overwrite : bool
        Replace an existing output; it stays until the new one is complete.
    progress : callable, optional
        Called with every event of the job.
    cancel : CancelToken, optional
        To stop the job from another thread.

    Returns
    -------
    Volume
        The enhanced tomogram, lazy, with its pyramid, geometry and record (``metadata["nanoct"]``).

    Raises
    ------
    UserError
        If the input, the output or a setting does not work; the message says which and what would.
    Cancelled
        If the token was cancelled.

    Examples
    --------
    >>> enhanced = enhance_volume("scan.tif", "scan-x2.ome.zarr", scale=2, slices=(100, 200))  # doctest: +SKIP
    """
    from napari_nanoct.volumes import Volume, open_volume

    volume = input if isinstance(input, Volume) else open_volume(input)
    settings = EnhanceSettings(
        volume.source, str(output), str(model), scale, slices, crop, device, precision, dtype, overwrite
    )
    for event in run(settings, cancel, volume):
        if progress:
            progress(event)
    return open_volume(output)
