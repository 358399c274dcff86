"""Whether all voxels of a dataset are there: HDF5 shows its fill value, silently, where they are not."""

from __future__ import annotations

import math
from pathlib import Path

import h5py

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import naming
from napari_nanoct.volumes.hdf5_file import opened


def check_written(
    data: h5py.Dataset, name: str, above: tuple[Path, ...] = ()
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Refuse a dataset that nothing was written to, or that takes voxels from what is not there.

    Parameters
    ----------
    data : h5py.Dataset
    name : str
        What to call it.
    above : tuple of Path
        Files that take voxels from it.

    Returns
    -------
    tuple of Path
        Other files that it takes voxels from.
    tuple of str
        A sentence for each part of it that was never written.

    Raises
    ------
    UserError
    """
    if data.is_virtual:
        return _check_sources(data, name, above)
    if data.external:
        return _check_raw(data, name), ()
    if data.id.get_storage_size() == 0 and data.size:
        raise UserError(f"nothing was ever written to its dataset {name}; reconstruct the volume again")
    if not data.chunks:
        return (), ()
    whole = math.prod(-(-n // chunk) for n, chunk in zip(data.shape, data.chunks, strict=True))
    lost = whole - data.id.get_num_chunks()
    note = f"{lost} of the {whole} blocks of {name} were never written, and read as {data.fillvalue}"
    return (), (note,) if lost > 0 else ()


def _check_raw(data: h5py.Dataset, name: str) -> tuple[Path, ...]:
    """Look at the files without a format that a dataset consists of: HDF5 finds them from the working folder."""
    files = [(Path(file), offset, size) for file, offset, size in data.external]
    if lost := [file for file, *_ in files if not file.is_file()]:
        raise UserError(f"its dataset {name} takes voxels from {lost[0]}, which is not there; copy that, too")
    if sum(max(0, min(size, file.stat().st_size - offset)) for file, offset, size in files) < data.nbytes:
        raise UserError(f"its dataset {name} takes voxels from {files[-1][0]}, which is cut short; copy that again")
    return tuple(file.absolute() for file, *_ in files)


def _check_sources(data: h5py.Dataset, name: str, above: tuple[Path, ...]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Look at each dataset that a virtual one consists of, which may be virtual, too."""
    here = Path(data.file.filename)
    maps = data.virtual_sources()
    parts = dict.fromkeys((part.file_name, part.dset_name) for part in maps if "%" not in part.file_name)
    places = {file: here if file == "." else _place(here, file) for file, _ in parts}
    if lost := [file for file, place in places.items() if place is None]:
        raise UserError(
            f"its dataset {name} takes voxels from {len(places)} files, and {len(lost)} of them are not there, such as "
            f"{lost[0]}; copy them, too"
        )
    files, notes = dict.fromkeys(place for place in places.values() if place and place != here), []
    for file, part in parts:
        place = places[file] or here
        with naming(place), opened(place) as root:
            node = root.get(part)
            if not isinstance(node, h5py.Dataset):
                raise UserError(f"there is no dataset {part}, which {here.name}{name} takes voxels from; copy it again")
            if node == data or place in above:  # files that take voxels from one another
                continue
            more, said = check_written(node, part, (*above, here))
            files |= dict.fromkeys(more)
            notes += [f"{place.name}: {one}" for one in said]
    try:
        taken = sum(part.vspace.get_select_npoints() for part in maps)
    except RuntimeError:  # a file for each of any number of slices: as long as there are files
        taken = data.size
    if taken < data.size:
        notes.append(f"{1 - taken / data.size:.1%} of {name} is taken from no file, and reads as {data.fillvalue}")
    return tuple(files), tuple(notes)


def _place(here: Path, file: str) -> Path | None:
    """Where HDF5 finds a file that another refers to; None if nowhere."""
    folders = (here.parent, here.resolve().parent, Path())
    absolute = Path(file).is_absolute()
    tried = [Path(file)] * absolute + [folder / (Path(file).name if absolute else file) for folder in folders]
    return next((place for place in tried if place.is_file()), None)
