"""The place of a volume that is written: what may be replaced there, and how the new one takes it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import on_disk
from napari_nanoct.volumes.owner import is_writing
from napari_nanoct.volumes.zarr_folder import is_zarr_folder, is_zarr_volume, zarr_attributes


def partial_path(path: Path) -> Path:
    """Folder beside `path` where its volume is written until it is whole."""
    return path.with_name(path.name + ".partial")


def check_free(path: Path, overwrite: bool) -> None:
    """Refuse a place where a volume cannot be written, or where something would be lost that must not be.

    Parameters
    ----------
    path
        Final path of the volume.
    overwrite
        Whether a volume there, and a half-written one beside it, may be replaced.

    Raises
    ------
    UserError
        If there is something and `overwrite` is false; if what is there is neither a Zarr array nor an image; or if a
        run still writes there.
    """
    _check_final(path, overwrite)
    partial = partial_path(path)
    if not os.path.lexists(partial):
        return
    mark = zarr_attributes(partial).get("nanoct")
    owner: Any = mark.get("owner") if isinstance(mark, dict) else None
    if is_writing(owner):
        number = owner["process"]
        who = "this process" if number == os.getpid() else f"process {number}, which runs on this computer"
        raise UserError(
            f"{partial} is being written by {who}; wait for its end, stop it, or choose another output "
            "(if that is no such run, remove the folder)."
        )
    if not overwrite:
        raise UserError(
            f"{partial} is there already, half-written by a run that stopped or is still going on; choose another "
            "output, or start anew with --overwrite (overwrite=True)."
        )
    ours = isinstance(mark, dict) and "status" in mark
    if not ours and not _is_empty_folder(partial):
        raise UserError(
            f"{partial} is there already and is no half-written volume, so it is not replaced; choose another output."
        )


def check_output(output: Path, inputs: Iterable[str], overwrite: bool) -> None:
    """Refuse an output that is not named as a Zarr, that shares files with an input, or that may not be replaced.

    The writer looks again; here it is said before anything is loaded and read.

    Parameters
    ----------
    output
        Final path of the volume.
    inputs
        Files and folders that are read; what is "" or "array" is not on disk.
    overwrite
        As of `check_free`.

    Raises
    ------
    UserError
    """
    if output.suffix != ".zarr":
        raise UserError(f"the output {output} is written as OME-Zarr; give it a name that ends in .ome.zarr")
    here = output.resolve()
    for source in dict.fromkeys(inputs):
        if source in ("", "array"):
            continue
        there = on_disk(Path(source).expanduser()).resolve()
        if _same(there, here):
            raise UserError(f"{output} is the input itself; choose another output")
        if there.is_dir() and any(_same(there, folder) for folder in here.parents):
            raise UserError(f"the output {output} lies inside the input {source}; choose a folder outside of it")
        if any(_same(here, folder) for folder in there.parents):
            raise UserError(f"the input {source} lies inside the output {output}; choose another output")
    check_free(output, overwrite)


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same place, also where a disk does not tell ``A`` from ``a``."""
    try:
        return one == other or os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return False


def make_partial(path: Path) -> Path:
    """Make the folder for a half-written volume anew, after `check_free` has found that it may be.

    Raises
    ------
    UserError
        If it cannot be made.
    """
    partial = partial_path(path)
    try:
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{partial} cannot be made ({error.strerror}); choose another output.") from error
    return partial


def take_place(path: Path, overwrite: bool) -> None:
    """Give the volume in `partial_path` its final name.

    An old volume steps aside first, into a new folder of its own, and comes back if the new one cannot take its place.

    Raises
    ------
    UserError
        If meanwhile there is something at `path` that may not be replaced.
    """
    _check_final(path, overwrite)
    partial = partial_path(path)
    if not path.exists():
        partial.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f"{path.name}.old-", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        partial.rename(path)
    except OSError:
        if os.path.lexists(old):
            old.rename(path)
        aside.rmdir()
        raise
    if old.is_symlink():  # the volume that it leads to is somebody else's place
        old.unlink()
    shutil.rmtree(aside)


def _check_final(path: Path, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise UserError(
            f"{path} is there already; choose another output, or replace it with --overwrite (overwrite=True)."
        )
    if not is_zarr_folder(path):
        raise UserError(
            f"{path} is there already and is not a Zarr volume, so it is not replaced; choose another output."
        )
    if not is_zarr_volume(path):
        raise UserError(
            f"{path} is there already and is a Zarr group that is no image, so it is not replaced; "
            "choose another output."
        )


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def free_bytes(path: Path) -> int | None:
    """Return the free space on the disk where `path` is or will be; None if the disk does not say."""
    for folder in (path, *path.absolute().parents):
        try:
            return shutil.disk_usage(folder).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None
