"""The place of a volume: what is replaced, what never is, and how the new volume takes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, OmeZarrWriter, open_volume

GEOMETRY = Geometry((50.0, 25.0, 25.0), (100.0, -200.0, 12.5), "nanometer")


def random(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(np.uint16)


def start(path: Path, data: np.ndarray, overwrite: bool = False) -> OmeZarrWriter:
    return OmeZarrWriter(path, shape=data.shape, dtype=data.dtype, geometry=GEOMETRY, overwrite=overwrite)


def write(path: Path, data: np.ndarray, overwrite: bool = False) -> Path:
    writer = start(path, data, overwrite)
    for z in range(0, len(data), 16):
        writer.write(z, data[z : z + 16])
    return writer.finish({"model": "utsr-light"})


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def shows(path: Path, data: np.ndarray) -> bool:
    return np.array_equal(np.asarray(open_volume(path).data), data)


def owned_by(partial: Path, **changes: Any) -> None:
    """Change who writes a half-written volume, on disk."""
    mark = partial / "zarr.json"
    content = json.loads(mark.read_text())
    content["attributes"]["nanoct"]["owner"].update(changes)
    mark.write_text(json.dumps(content))


@pytest.fixture
def other_process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told to end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_starting_anew_over_a_half_written_one(tmp_path: Path) -> None:
    data = random((4, 30, 40))
    start(tmp_path / "v.zarr", data).abandon()
    with pytest.raises(UserError, match=r"v\.zarr\.partial is there already, half-written .* --overwrite"):
        start(tmp_path / "v.zarr", data)
    write(tmp_path / "v.zarr", data, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["v.zarr"]


def test_what_is_there_is_never_touched_without_overwrite(tmp_path: Path) -> None:
    data = random((4, 30, 40))
    write(tmp_path / "v.zarr", data)
    with pytest.raises(UserError, match=r"v\.zarr is there already; .* --overwrite"):
        write(tmp_path / "v.zarr", data + 1)
    np.testing.assert_array_equal(np.asarray(open_volume(tmp_path / "v.zarr").data), data)
    assert [p.name for p in tmp_path.iterdir()] == ["v.zarr"]


def test_overwrite_keeps_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    old, new = random((4, 30, 40)), random((20, 50, 60)) + 1
    path = write(tmp_path / "v.zarr", old)
    writer = start(path, new, overwrite=True)
    writer.write(0, new[:16])
    np.testing.assert_array_equal(np.asarray(open_volume(path).data), old)
    writer.write(16, new[16:])
    np.testing.assert_array_equal(np.asarray(open_volume(path).data), old)
    writer.finish({})
    np.testing.assert_array_equal(np.asarray(open_volume(path).data), new)
    assert [p.name for p in tmp_path.iterdir()] == ["v.zarr"]


def test_the_old_one_comes_back_if_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = random((4, 30, 40)), random((4, 50, 60)) + 1
    path = write(tmp_path / "v.zarr", old)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise PermissionError(13, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        write(path, new, overwrite=True)
    np.testing.assert_array_equal(np.asarray(open_volume(path).data), old)


def test_what_is_no_volume_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    (tmp_path / "v.zarr").write_text("a file")
    for name in ("thesis", "v.zarr"):
        with pytest.raises(UserError, match="is not a Zarr volume, so it is not replaced"):
            write(tmp_path / name, random((4, 30, 40)), overwrite=True)
    (tmp_path / "w.zarr.partial").mkdir()
    (tmp_path / "w.zarr.partial" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="there already"):
        write(tmp_path / "w.zarr", random((4, 30, 40)), overwrite=True)
    assert (tmp_path / "thesis" / "chapter1.txt").exists()
    assert (tmp_path / "w.zarr.partial" / "notes.txt").exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_lies_beside_is_left_alone(tmp_path: Path, kind: str) -> None:
    """Whatever its name: only the volume that is replaced goes."""
    kept = tmp_path / "v.ome.zarr.old"
    if kind == "folder":
        kept.mkdir()
        (kept / "notes.txt").write_text("years of work")
    else:
        kept.write_text("years of work")
    write(tmp_path / "v.ome.zarr", random((4, 30, 40)))
    write(tmp_path / "v.ome.zarr", random((4, 50, 60)), overwrite=True)
    assert shows(tmp_path / "v.ome.zarr", random((4, 50, 60)))
    assert (kept / "notes.txt" if kind == "folder" else kept).read_text() == "years of work"
    assert names(tmp_path) == ["v.ome.zarr", "v.ome.zarr.old"]


def test_a_partial_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    partial = tmp_path / "v.zarr.partial"
    zarr.create_array(str(partial), shape=(2, 3, 4), dtype="u1")
    before = names(partial)
    with pytest.raises(UserError, match=r"v\.zarr\.partial is there already and is no half-written volume"):
        start(tmp_path / "v.zarr", random((4, 30, 40)), overwrite=True)
    assert names(partial) == before


def test_a_run_that_fell_before_its_first_mark_can_start_anew(tmp_path: Path) -> None:
    (tmp_path / "v.zarr.partial").mkdir()
    assert shows(write(tmp_path / "v.zarr", random((4, 30, 40)), overwrite=True), random((4, 30, 40)))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_zarr_group_that_is_no_image_is_never_replaced(tmp_path: Path, zarr_format: Any) -> None:
    group = zarr.create_group(str(tmp_path / "g.zarr"), zarr_format=zarr_format, attributes={"project": "cells"})
    group.create_array("scan", shape=(2, 3, 4), dtype="u1")
    group.create_array("mask", shape=(2, 3, 4), dtype="u1")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"g\.zarr is there already and is a Zarr group that is no image"):
        start(tmp_path / "g.zarr", random((4, 30, 40)), overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("kind", ["array", "image"])
def test_an_array_and_an_image_are_replaced(tmp_path: Path, zarr_format: Any, kind: str) -> None:
    path = tmp_path / "v.zarr"
    if kind == "array":
        zarr.create_array(str(path), shape=(2, 3, 4), dtype="u1", zarr_format=zarr_format)
    else:
        multiscales: dict[str, Any] = {"multiscales": [{"datasets": [{"path": "0"}]}]}
        image = multiscales if zarr_format == 2 else {"ome": multiscales}
        zarr.create_group(str(path), zarr_format=zarr_format, attributes=image)
    assert shows(write(path, random((4, 30, 40)), overwrite=True), random((4, 30, 40)))
    assert names(tmp_path) == ["v.zarr"]


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few users make links")
def test_a_link_is_replaced_and_not_what_it_leads_to(tmp_path: Path) -> None:
    old, new = random((4, 30, 40)), random((4, 50, 60))
    (tmp_path / "disk").mkdir()
    write(tmp_path / "disk" / "there.zarr", old)
    (tmp_path / "v.zarr").symlink_to(Path("disk") / "there.zarr")
    assert shows(write(tmp_path / "v.zarr", new, overwrite=True), new)
    assert shows(tmp_path / "disk" / "there.zarr", old)
    assert names(tmp_path) == ["disk", "v.zarr"]
    (tmp_path / "w.zarr").symlink_to("nowhere")
    with pytest.raises(UserError, match=r"w\.zarr is there already"):
        start(tmp_path / "w.zarr", new, overwrite=True)


def test_what_appears_during_the_run_is_not_replaced(tmp_path: Path) -> None:
    writer = start(tmp_path / "v.zarr", random((4, 30, 40)))
    writer.write(0, random((4, 30, 40)))
    (tmp_path / "v.zarr").write_text("mine")
    with pytest.raises(UserError, match=r"v\.zarr is there already; .* --overwrite"):
        writer.finish({})
    assert (tmp_path / "v.zarr").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_volume_that_another_process_writes_is_not_taken_away(
    tmp_path: Path, other_process: subprocess.Popen[bytes], overwrite: bool
) -> None:
    data = random((4, 30, 40))
    start(tmp_path / "v.zarr", data)
    partial = tmp_path / "v.zarr.partial"
    owned_by(partial, process=other_process.pid)
    files = sorted(partial.rglob("*"))
    sentence = rf"v\.zarr\.partial is being written by process {other_process.pid}, .* choose another output"
    with pytest.raises(UserError, match=sentence):
        start(tmp_path / "v.zarr", data, overwrite)
    assert sorted(partial.rglob("*")) == files
    other_process.kill()
    other_process.wait()
    assert shows(write(tmp_path / "v.zarr", data, overwrite=True), data)


def test_a_volume_left_by_another_computer_can_be_replaced(
    tmp_path: Path, other_process: subprocess.Popen[bytes]
) -> None:
    start(tmp_path / "v.zarr", random((4, 30, 40))).abandon()
    assert shows(write(tmp_path / "v.zarr", random((4, 30, 40)), overwrite=True), random((4, 30, 40)))
    start(tmp_path / "w.zarr", random((4, 30, 40)))
    owned_by(tmp_path / "w.zarr.partial", process=other_process.pid, host="another")
    assert shows(write(tmp_path / "w.zarr", random((4, 30, 40)), overwrite=True), random((4, 30, 40)))


def test_two_writers_of_one_process(tmp_path: Path) -> None:
    old, new = random((4, 30, 40)), random((4, 50, 60))
    first = start(tmp_path / "v.zarr", old)
    with pytest.raises(UserError, match=r"v\.zarr\.partial is being written by this process"):
        start(tmp_path / "v.zarr", new, overwrite=True)
    first.write(0, old)  # nothing of it was taken away
    first.abandon()
    second = start(tmp_path / "v.zarr", new, overwrite=True)
    first.abandon()  # again, and not of the second
    with pytest.raises(UserError, match="by this process"):
        start(tmp_path / "v.zarr", new, overwrite=True)
    second.write(0, new)
    assert shows(second.finish({}), new)


def test_a_writer_that_was_forgotten_is_closed(tmp_path: Path) -> None:
    start(tmp_path / "v.zarr", random((4, 30, 40)))
    assert shows(write(tmp_path / "v.zarr", random((4, 30, 40)), overwrite=True), random((4, 30, 40)))


def test_an_abandoned_volume_names_no_process(tmp_path: Path) -> None:
    """Others may replace it, though this process lives on."""
    writer = start(tmp_path / "v.zarr", random((4, 30, 40)))
    mark = tmp_path / "v.zarr.partial" / "zarr.json"
    owner = json.loads(mark.read_text())["attributes"]["nanoct"]["owner"]
    assert owner["process"] == os.getpid()
    writer.abandon()
    assert json.loads(mark.read_text())["attributes"]["nanoct"] == {"status": "incomplete"}


def test_a_failure_in_finish_closes_the_writer(tmp_path: Path) -> None:
    data = random((4, 300, 300))
    writer = start(tmp_path / "v.zarr", data)
    writer.write(0, data)

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        writer.finish({}, check=stop)
    assert shows(write(tmp_path / "v.zarr", data, overwrite=True), data)
    assert not writer.partial.exists()


def test_the_finished_record_is_the_callers_alone(tmp_path: Path) -> None:
    record = open_volume(write(tmp_path / "v.zarr", random((4, 30, 40)))).metadata["nanoct"]
    assert record == {"model": "utsr-light", "status": "complete"}


def test_abandon_makes_nothing_where_the_folder_was_removed(tmp_path: Path) -> None:
    writer = start(tmp_path / "v.zarr", random((4, 30, 40)))
    (tmp_path / "v.zarr.partial").rename(tmp_path / "moved")
    writer.abandon()
    assert names(tmp_path) == ["moved"]
