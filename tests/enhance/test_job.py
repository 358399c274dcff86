"""The volume job: what it writes, how it stops, what it refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import torch
import zarr

from napari_nanoct import UserError, enhance_volume, open_volume
from napari_nanoct.enhance import Enhancer, EnhanceSettings, estimate, run
from napari_nanoct.enhance import job as job_module
from napari_nanoct.jobs import Cancelled, CancelToken, Done, Event, Progress, to_json
from napari_nanoct.volumes import Geometry, OmeZarrWriter, Volume, fingerprint, intensity_range

Models = dict[int, Path]
GEOMETRY = Geometry((50.0, 40.0, 30.0), (1000.0, 0.0, -15.0), "nanometer")


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("nanoct")] == []


def tomogram(depth: int = 20, height: int = 37, width: int = 45, dtype: str = "uint16") -> np.ndarray:
    """Random slices, each with a level of its own."""
    values = np.random.default_rng(0).integers(100, 1000, (depth, height, width))
    return (values + 50 * np.arange(depth)[:, None, None]).astype(dtype)


def volume_of(data: np.ndarray) -> Volume:
    """A lazy volume over an array."""
    return Volume(da.from_array(data, chunks=(16, -1, -1)), GEOMETRY)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_volume_is_what_the_enhancer_gives(tiny_models: Models, tmp_path: Path, scale: int) -> None:
    data = tomogram(35)
    source = volume_of(data)
    result = enhance_volume(source, tmp_path / "o.ome.zarr", model=tiny_models[scale], precision="float32")
    assert result.shape == (35, 37 * scale, 45 * scale)
    assert result.dtype == data.dtype
    enhancer = Enhancer.load(tiny_models[scale], device="cpu", precision="float32")
    intensity = intensity_range(source)
    answer = np.asarray(result.data)
    for z in (0, 15, 16, 34):
        assert np.array_equal(answer[z], enhancer.slice(data[z], intensity))
    assert (answer != data.repeat(scale, 1).repeat(scale, 2)).mean() > 0.5
    assert result.geometry == GEOMETRY.enlarged(scale)


def test_slices_and_crop_equal_that_part_of_the_whole(tiny_models: Models, tmp_path: Path) -> None:
    """One intensity range and one grid for all of the volume, whichever part is asked for."""
    source = volume_of(tomogram(30, 70, 90, "float32"))
    options: dict[str, Any] = {"model": tiny_models[2], "precision": "float32"}
    whole = np.asarray(enhance_volume(source, tmp_path / "whole.zarr", **options).data)
    part = enhance_volume(source, tmp_path / "part.zarr", slices=(5, 27), crop=(13, 50, 40, 90), **options)
    np.testing.assert_allclose(np.asarray(part.data), whole[5:27, 26:100, 80:180], atol=1e-3)
    assert part.geometry == GEOMETRY.cropped(5, 13, 40).enlarged(2)
    assert np.ptp(whole) > 1000


def test_two_dimensional_input(tiny_models: Models, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "slice.tif", tomogram(1)[0])
    result = enhance_volume(tmp_path / "slice.tif", tmp_path / "o.zarr", model=tiny_models[1])
    assert result.shape == (1, 37, 45)
    result = enhance_volume(tomogram(1)[0], tmp_path / "p.zarr", model=tiny_models[1])
    assert result.shape == (1, 37, 45)


@pytest.mark.parametrize(("given", "asked", "written"), [
    ("uint8", "same", "uint8"), ("float64", "same", "float32"), ("int16", "float32", "float32"),
])  # fmt: skip
def test_output_type(tiny_models: Models, tmp_path: Path, given: str, asked: Any, written: str) -> None:
    result = enhance_volume(tomogram(2, dtype=given), tmp_path / "o.zarr", model=tiny_models[1], dtype=asked)
    assert result.dtype == written


def test_nan_and_constant_slices_survive_the_volume(tiny_models: Models, tmp_path: Path) -> None:
    data = tomogram(4, dtype="float32")
    data[1] = 7.5
    data[2, 10:20, 10:20] = np.nan
    answer = np.asarray(enhance_volume(data, tmp_path / "o.zarr", model=tiny_models[2]).data)
    assert (answer[1] == 7.5).all()
    assert np.array_equal(np.isnan(answer[2]), np.isnan(data[2]).repeat(2, 0).repeat(2, 1))
    assert np.isfinite(answer[[0, 3]]).all()


def test_events_and_record(tiny_models: Models, tmp_path: Path) -> None:
    data = tomogram(20)
    tifffile.imwrite(tmp_path / "in.tif", data)
    settings = EnhanceSettings(
        str(tmp_path / "in.tif"), str(tmp_path / "o.zarr"), str(tiny_models[1]), slices=(2, 20), crop=(0, 16, 3, 45)
    )
    events: list[Event] = list(run(settings, CancelToken()))
    *steps, done = events
    assert all(isinstance(event, Progress) and event.total == 18 for event in steps)
    counts = [event.done for event in steps if isinstance(event, Progress)]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == 18
    assert set(counts) == set(range(19))
    moving = [event for event in steps if isinstance(event, Progress) and event.rate is not None]
    assert moving[-1].seconds_left == 0
    assert all(event.rate and event.rate > 0 for event in moving)
    assert isinstance(done, Done)
    assert [to_json(event) for event in events]
    result = open_volume(done.output)
    stored = result.metadata["nanoct"]
    assert {**done.record, "status": "complete"} == stored
    assert stored["model"]["name"] == "tiny"
    assert stored["model"]["training"] == {"steps": 0}
    assert len(stored["model"]["sha256"]) == 64
    assert stored["input"]["fingerprint"] == fingerprint(open_volume(settings.input))
    assert stored["input"]["shape"] == [20, 37, 45]
    assert stored["settings"]["crop"] == [0, 16, 3, 45]
    assert stored["versions"]["torch"] == str(torch.__version__)
    assert stored["precision"] in ("float32", "bfloat16")
    assert 0 < stored["network_seconds"] < stored["seconds"]
    assert stored["tiles"]["network_pixels_per_pixel"] >= 1
    low, high = stored["intensity_range"]
    assert low < high


def test_memory_does_not_grow_with_depth(tiny_models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slabs that are read ahead and slabs that wait to be written are counted, with a slow writer."""
    counts = {"read": 0, "enhanced": 0, "written": 0}
    ahead, behind = [], []

    def read(block: np.ndarray) -> np.ndarray:
        counts["read"] += len(block)
        ahead.append(counts["read"] - counts["enhanced"])
        return block

    steps = Enhancer.steps

    def counted_steps(self: Enhancer, planes: np.ndarray, *rest: Any) -> Iterator[float]:
        yield from steps(self, planes, *rest)
        counts["enhanced"] += len(planes)
        behind.append(counts["enhanced"] - counts["written"])

    write = OmeZarrWriter.write

    def slow_write(self: OmeZarrWriter, z0: int, slab: np.ndarray) -> None:
        threading.Event().wait(0.05)
        write(self, z0, slab)
        counts["written"] += len(slab)

    def count_from_here(volume: Volume) -> str:
        """What was read for the intensity range does not count."""
        counts["read"] = 0
        ahead.clear()
        return ""

    monkeypatch.setattr(Enhancer, "steps", counted_steps)
    monkeypatch.setattr(OmeZarrWriter, "write", slow_write)
    monkeypatch.setattr("napari_nanoct.volumes.fingerprint", count_from_here)
    data = da.from_array(tomogram(160, 16, 16), chunks=(16, 16, 16)).map_blocks(read, dtype="uint16", meta=np.empty(0))
    settings = EnhanceSettings("", str(tmp_path / "o.zarr"), str(tiny_models[1]), precision="float32")
    list(run(settings, volume=Volume(data, GEOMETRY)))
    assert counts["enhanced"] == counts["written"] == 160
    assert max(ahead) <= 2 * 16
    assert max(behind) <= 2 * 16


def partial_of(path: Path) -> Path:
    """The marked folder of a run that did not end, checked."""
    assert not path.exists()
    partial = path.with_name(path.name + ".partial")
    assert zarr.open_group(str(partial), mode="r").attrs["nanoct"]["status"] == "incomplete"
    with pytest.raises(UserError):
        open_volume(partial)
    return partial


def test_cancel_leaves_a_marked_partial(tiny_models: Models, tmp_path: Path) -> None:
    output = tmp_path / "o.zarr"
    cancel = CancelToken()
    job = run(EnhanceSettings("", str(output), str(tiny_models[1])), cancel, volume_of(tomogram(40)))
    for event in job:
        assert isinstance(event, Progress)
        if event.done == 3:
            cancel.cancel()
            break
    with pytest.raises(Cancelled):
        next(job)
    partial = partial_of(output)
    with pytest.raises(UserError, match=f"{partial} is there already, half-written .*--overwrite"):
        next(run(EnhanceSettings("", str(output), str(tiny_models[1])), None, volume_of(tomogram(3))))
    assert enhance_volume(tomogram(3), output, model=tiny_models[1], overwrite=True).shape[0] == 3
    assert not partial.exists()


def test_cancel_while_the_pyramid_is_built(tiny_models: Models, tmp_path: Path) -> None:
    output, cancel = tmp_path / "o.zarr", CancelToken()
    settings = EnhanceSettings("", str(output), str(tiny_models[1]))
    job = run(settings, cancel, volume_of(tomogram(2, 300, 300)))
    while getattr(next(job), "message", "") != "building the pyramid":
        pass
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(job)
    partial_of(output)


def test_cancel_while_a_slow_disk_reads(tiny_models: Models, tmp_path: Path) -> None:
    released = threading.Event()

    def slow(block: np.ndarray) -> np.ndarray:
        if threading.current_thread().name != threading.main_thread().name and armed:
            released.wait(20)
        return block

    armed: list[bool] = []
    data = da.from_array(tomogram(20), chunks=(4, -1, -1)).map_blocks(slow, dtype="uint16", meta=np.empty(0))
    cancel = CancelToken()
    job = run(EnhanceSettings("", str(tmp_path / "o.zarr"), str(tiny_models[1])), cancel, Volume(data, GEOMETRY))
    for event in job:
        if isinstance(event, Progress) and event.message.startswith("tiny"):
            armed.append(True)
            break
    threading.Timer(0.2, cancel.cancel).start()
    threading.Timer(0.6, released.set).start()
    with pytest.raises(Cancelled):
        next(job)
    partial_of(tmp_path / "o.zarr")


def test_a_driver_that_turns_away_stops_the_job(tiny_models: Models, tmp_path: Path) -> None:
    job = run(EnhanceSettings("", str(tmp_path / "o.zarr"), str(tiny_models[1])), None, volume_of(tomogram(40)))
    for event in job:
        if isinstance(event, Progress) and event.done == 2:
            break
    job.close()  # type: ignore[attr-defined]
    partial_of(tmp_path / "o.zarr")


def test_a_failing_writer_is_one_sentence(tiny_models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: OmeZarrWriter, z0: int, slab: np.ndarray) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OmeZarrWriter, "write", full)
    with pytest.raises(UserError, match=r"o\.zarr\.partial could not be written .*No space left"):
        enhance_volume(tomogram(40), tmp_path / "o.zarr", model=tiny_models[1])
    partial_of(tmp_path / "o.zarr")


def test_a_failing_reader_is_one_sentence(tiny_models: Models, tmp_path: Path) -> None:
    def damaged(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        if block_info[0]["chunk-location"][0] == 2 and threading.current_thread() is not threading.main_thread():
            raise RuntimeError("error during blosc decompression")
        return block

    data = da.from_array(tomogram(48), chunks=(16, -1, -1)).map_blocks(damaged, dtype="uint16", meta=np.empty(0))
    source = Volume(data, GEOMETRY, "scan.zarr")
    with pytest.raises(UserError, match=r"scan\.zarr could not be read .*blosc"):
        enhance_volume(source, tmp_path / "o.zarr", model=tiny_models[1])


def test_a_failing_network_leaves_a_marked_partial(
    tiny_models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Enhancer, tiles: np.ndarray) -> np.ndarray:
        return np.full_like(tiles, np.nan)

    monkeypatch.setattr(Enhancer, "_answers", broken)
    with pytest.raises(UserError, match="not finite"):
        enhance_volume(tomogram(4), tmp_path / "o.zarr", model=tiny_models[1])
    partial_of(tmp_path / "o.zarr")


def test_an_existing_output_is_not_touched(tiny_models: Models, tmp_path: Path) -> None:
    output = tmp_path / "o.zarr"
    enhance_volume(tomogram(2), output, model=tiny_models[1])
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    with pytest.raises(UserError, match="overwrite"):
        enhance_volume(tomogram(3), output, model=tiny_models[1])
    assert {path: path.stat().st_mtime_ns for path in output.rglob("*")} == before
    cancel = CancelToken()
    with pytest.raises(Cancelled):
        enhance_volume(
            tomogram(3), output, model=tiny_models[1], overwrite=True, cancel=cancel,
            progress=lambda event: cancel.cancel() if isinstance(event, Progress) and event.done else None,
        )  # fmt: skip
    assert open_volume(output).shape[0] == 2
    assert enhance_volume(tomogram(3), output, model=tiny_models[1], overwrite=True).shape[0] == 3


def test_output_and_input_must_not_share_files(tiny_models: Models, tmp_path: Path) -> None:
    volume = tmp_path / "in.zarr"
    enhance_volume(tomogram(2), volume, model=tiny_models[1])
    before = {path: path.stat().st_mtime_ns for path in volume.rglob("*")}
    for source, output, words in (
        (volume, volume, "the input itself"),
        (volume, volume / "o.zarr", "lies inside the input"),
        (volume / "0", volume, "lies inside the output"),
        (tmp_path / "there" / ".." / "in.zarr", volume, "the input itself"),
    ):
        (tmp_path / "there").mkdir(exist_ok=True)
        with pytest.raises(UserError, match=words):
            enhance_volume(source, output, model=tiny_models[1], overwrite=True)
    assert {path: path.stat().st_mtime_ns for path in volume.rglob("*")} == before


def test_an_input_by_another_name_is_the_input(tiny_models: Models, tmp_path: Path) -> None:
    """As where a disk does not tell upper from lower case: two names, one file."""
    tifffile.imwrite(tmp_path / "in.tif", tomogram(2))
    os.link(tmp_path / "in.tif", tmp_path / "IN.zarr")
    with pytest.raises(UserError, match=r"IN\.zarr is the input itself"):
        enhance_volume(tmp_path / "in.tif", tmp_path / "IN.zarr", model=tiny_models[1], overwrite=True)


def test_an_output_that_is_being_written_is_refused_at_once(tiny_models: Models, tmp_path: Path) -> None:
    writer = OmeZarrWriter(tmp_path / "o.zarr", shape=(2, 37, 45), dtype="uint16", geometry=GEOMETRY)
    settings = EnhanceSettings("", str(tmp_path / "o.zarr"), str(tiny_models[1]), overwrite=True)
    for attempt in (
        lambda: estimate(settings, volume_of(tomogram(2))),
        lambda: next(run(settings, None, volume_of(tomogram(2)))),
    ):
        with pytest.raises(UserError, match=r"o\.zarr\.partial is being written by this process"):
            attempt()
    writer.abandon()
    assert enhance_volume(tomogram(2), tmp_path / "o.zarr", model=tiny_models[1], overwrite=True).shape[0] == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"output": "o.tif"}, "ends in .ome.zarr"),
        ({"slices": (3, 21)}, "has 20 slices"),
        ({"crop": (0, 38, 0, 45)}, "37 x 45"),
        ({"device": "cuda:7"}, "device 'cuda:7' does not exist here; choose auto"),
        ({"device": "gpu"}, "or cpu"),
        ({"scale": 2}, "enlarges by 1"),
        ({"model": "nothing"}, "nothing"),
        ({"input": "no-such-file.tif"}, "no-such-file.tif"),
    ],
)
def test_what_cannot_work_is_one_sentence(
    tiny_models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("in.npy", tomogram(20))
    settings = replace(EnhanceSettings("in.npy", "o.zarr", str(tiny_models[1])), **wrong)
    for attempt in (lambda: next(run(settings)), lambda: estimate(settings)):
        with pytest.raises(UserError, match=words) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy"]


def test_a_full_disk_is_said_before_the_run(
    tiny_models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "free_bytes", lambda path: 1000)
    with pytest.raises(UserError, match="choose another disk"):
        enhance_volume(tomogram(4), tmp_path / "o.zarr", model=tiny_models[1])
    assert list(tmp_path.iterdir()) == []


def test_estimate(tiny_models: Models, tmp_path: Path) -> None:
    settings = EnhanceSettings("", str(tmp_path / "new" / "o.zarr"), str(tiny_models[2]), slices=(0, 10))
    result = estimate(settings, volume_of(tomogram(20)))
    assert result.shape == (10, 74, 90)
    assert result.dtype == "uint16"
    assert result.output_bytes >= 10 * 74 * 90 * 2
    assert result.free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert 0 < result.seconds < 60
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory from /proc")
def test_the_process_does_not_grow_with_depth(tiny_models: Models, tmp_path: Path) -> None:
    """Eight times the depth, 235 MB of voxels more: the process may grow by a fraction of that."""
    for depth in (64, 512):
        levels = np.lib.format.open_memmap(tmp_path / f"{depth}.npy", "w+", np.uint16, (depth, 512, 512))
        levels[:] = np.arange(depth)[:, None, None]  # slices of one value need no network
        del levels
    code = """
import re, sys
from pathlib import Path
from napari_nanoct import enhance_volume

folder, model = sys.argv[1:]
peaks = []
for depth in (64, 64, 512):  # the first run loads libraries and fills their pools
    files = f"{folder}/{depth}.npy", f"{folder}/{depth}.zarr"
    enhance_volume(*files, model=model, device="cpu", precision="float32", overwrite=True)
    # not getrusage: its peak is that of the parent process where this one's is lower
    peaks.append(int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
print(peaks[2] - peaks[1])
"""
    words = [sys.executable, "-c", code, str(tmp_path), str(tiny_models[1])]
    result = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert result.returncode == 0, result.stderr
    assert float(result.stdout) < 60e6
