"""HDF5 and NeXus files: which of their datasets is the volume, and its slices, read one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import Opened, inside_hdf5, naming
from napari_nanoct.volumes.hdf5_scale import axis_names, read_geometry, text
from napari_nanoct.volumes.lazy import lazy_slices
from napari_nanoct.volumes.volume import Shape

if TYPE_CHECKING:
    import h5py
    from numpy.typing import NDArray

NAMED = 6
"""How many of its datasets a sentence names."""

ANGLES = {"theta", "rotation_angle", "image_key"}
"""What stands beside projections, one value for each (DXchange and NXtomo)."""


@dataclass(frozen=True)
class Dataset:
    """Slices of a dataset; ``axes`` are the ones that are z, y and x, and no z is one slice."""

    file: Path
    name: str
    shape: Shape
    dtype: np.dtype[Any]
    axes: tuple[int | None, int, int]
    ndim: int

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop."""
        z = self.axes[0]
        key: list[int | slice] = [slice(None) if axis in self.axes else 0 for axis in range(self.ndim)]
        if z is not None:
            key[z] = slice(start, stop)
        with naming(self.file), opened(self.file) as root:
            block = np.asarray(root[self.name][tuple(key)])
        kept = [axis for axis in self.axes if axis is not None]
        block = block.transpose([sorted(kept).index(axis) for axis in kept])
        return block if z is not None else block[None][start:stop]


@contextmanager
def opened(file: Path) -> Iterator[h5py.File]:
    """An HDF5 file with the compressions of the field; what goes wrong inside is a sentence."""
    import h5py
    import hdf5plugin  # noqa: F401, makes Blosc, LZ4, Zstandard and bit-shuffle known to HDF5

    try:
        with h5py.File(file, "r") as root:
            yield root
    except UserError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"it cannot be read ({error.strerror}); check that it is there and yours to read") from error
    except (OSError, ValueError, LookupError, RuntimeError, TypeError) as error:
        raise UserError(_complaint(str(error))) from error


def _complaint(said: str) -> str:
    """What HDF5 says of a file that it cannot read, with the way out."""
    if "unable to lock" in said or "already open" in said:
        return "it is being written by another program; wait until that has closed it"
    if "signature not found" in said:
        return "it is no HDF5 file; check what it is"
    if "filter" in said or "plugin" in said:
        return f"its compression is not known, or its data are damaged ({said}); save it again, as with gzip or Blosc"
    return "it is damaged or cut short; copy it again from where it came"


def open_hdf5(path: Path) -> tuple[Opened, str]:
    """Open the volume of an HDF5 file, or the one that a path into it names (``scan.h5/entry/data``).

    Returns
    -------
    Opened
    str
        Path of the dataset in the file, from ``/``.

    Raises
    ------
    UserError
        If there is none, or more than one and the file does not say which to show; if what it holds are projections;
        or if the file, or one that it refers to, is damaged or missing.
    """
    file, part = inside_hdf5(path)
    with opened(file) as root:
        node = _member(root, part)
        names = [part] if _is_dataset(node) else _chosen(node, part)
        if len(names) > 1:
            some = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
            raise UserError(f"it holds {len(names)} volumes ({some}); open one of them, as {file}{names[0]}")
        (name,) = names
        dataset = root[name]
        if name != part and _are_projections(dataset):
            raise UserError(
                f"its dataset {name} holds projections, not a reconstruction; open what was reconstructed from them "
                f"(or these, as {file}{name})"
            )
        notes = _check_written(dataset, name)
        axes = _axes(dataset, name)
        z, y, x = (1 if axis is None else dataset.shape[axis] for axis in axes)
        if 0 in (z, y, x):
            raise UserError(f"its dataset {name} is empty (shape {dataset.shape})")
        reader = Dataset(file, name, (z, y, x), dataset.dtype, axes, dataset.ndim)
        geometry = read_geometry(dataset, axes)
    return Opened((lazy_slices(reader),), geometry, {"assumed": notes} if notes else {}), name


def volume_paths(path: Path) -> list[Path]:
    """The volumes that a viewer shows of an HDF5 file: the one that it says to show, or else all, if they are few."""
    file, part = inside_hdf5(path)
    with naming(path), opened(file) as root:
        node = _member(root, part)
        names = [] if _is_dataset(node) else _chosen(node, part)
    return [Path(f"{file}{name}") for name in names] if 1 < len(names) <= NAMED else [path]


def _is_dataset(node: Any) -> bool:
    import h5py

    return isinstance(node, h5py.Dataset)


def _member(root: h5py.File, part: str) -> Any:
    """What a file holds at a path."""
    try:
        return root[part or "/"]
    except (KeyError, OSError) as error:
        found = ", ".join(_volumes(root, "")[:NAMED]) or "no volume"
        raise UserError(f"there is nothing at {part} in the file, or it cannot be reached; it holds {found}") from error


def _chosen(group: Any, prefix: str) -> list[str]:
    """Datasets of a group that a user may mean: what NeXus says to show, else all volumes, else all pictures."""
    shown = _default(group, prefix)
    if shown:
        return [shown]
    found = _volumes(group, prefix)
    if not found:
        raise UserError("it holds no volume of grey values; check that it is a reconstruction, copied whole")
    signals = [name for name in found if _is_signal(group.file[name], name)]
    return signals if len(signals) == 1 else found


def _default(group: Any, prefix: str) -> str:
    """The dataset that NeXus says to show: by ``default`` from group to group, then by ``signal``; "" if it is none."""
    node, name = group, prefix
    for _ in range(8):  # a file that leads in a circle ends here
        step = text(node.attrs.get("default", "")) or text(node.attrs.get("signal", ""))
        if not step:
            return ""
        name = f"{name}/{step.strip('/')}"
        try:
            node = node[step]
        except KeyError:
            link = node.get(step, getlink=True)
            if where := getattr(link, "filename", ""):
                raise UserError(f"what it shows, {name}, lies in {where}, which is not there; copy that, too") from None
            return ""
        if _is_dataset(node):
            return name if _looks_like(node, 2) else ""
    return ""


def _is_signal(dataset: h5py.Dataset, name: str) -> bool:
    """Whether NeXus names the dataset as what its group is about."""
    return text(dataset.file[name.rpartition("/")[0] or "/"].attrs.get("signal", "")) == name.rpartition("/")[2]


def _volumes(group: Any, prefix: str) -> list[str]:
    """Paths of all volumes in a group, or of all pictures where there is no volume; each dataset once."""
    found = list(_walk(group, prefix, set()))
    return [name for name, one in found if _looks_like(one, 3)] or [name for name, one in found if _looks_like(one, 2)]


def _walk(group: Any, prefix: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, h5py.Dataset]]:
    """The datasets of a group and the groups in it, also in files that it links to; broken links are left aside."""
    import h5py

    for name in group:
        try:
            node = group[name]
        except (KeyError, OSError):
            continue
        if not isinstance(node, h5py.Dataset | h5py.Group):
            continue
        known = h5py.h5o.get_info(node.id)
        if (known.fileno, known.addr) in seen:
            continue
        seen.add((known.fileno, known.addr))
        path = f"{prefix}/{name}"
        if isinstance(node, h5py.Group):
            yield from _walk(node, path, seen)
        else:
            yield path, node


def _looks_like(dataset: h5py.Dataset, ndim: int) -> bool:
    """Whether a dataset has grey values and `ndim` axes that are longer than 1, at least."""
    return dataset.dtype.kind in "iufb" and sum(n > 1 for n in dataset.shape) >= ndim


def _are_projections(dataset: h5py.Dataset) -> bool:
    beside = dataset.parent
    return any(
        name.lower() in ANGLES and getattr(beside.get(name), "shape", None) == dataset.shape[:1] for name in beside
    )


def _axes(dataset: h5py.Dataset, name: str) -> tuple[int | None, int, int]:
    """Which axes of a dataset are z, y and x; others have length 1, and are left out."""
    names = axis_names(dataset)
    if sorted(names) == ["x", "y", "z"]:
        return (names.index("z"), names.index("y"), names.index("x"))
    kept = list(range(dataset.ndim))
    for spare in (0, -1):  # time points first, channels last
        while len(kept) > 3 and dataset.shape[kept[spare]] == 1:
            del kept[spare]
    if len(kept) not in (2, 3):
        raise UserError(
            f"its dataset {name} has {dataset.ndim} dimensions {dataset.shape}; save one (z, y, x) volume of it"
        )
    *first, y, x = kept
    return (first[0] if first else None, y, x)


def _check_written(dataset: h5py.Dataset, name: str) -> tuple[str, ...]:
    """Refuse a dataset of which HDF5 would read fill values in place of voxels; a note where it does so in parts."""
    if dataset.is_virtual:
        _check_sources(dataset, name)
        return ()
    if dataset.external:
        return ()
    if dataset.id.get_storage_size() == 0 and dataset.size:
        raise UserError(f"nothing was ever written to its dataset {name}; reconstruct the volume again")
    if not dataset.chunks:
        return ()
    whole = math.prod(-(-n // chunk) for n, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    written = dataset.id.get_num_chunks()
    if written >= whole:
        return ()
    return (f"{whole - written} of the {whole} blocks of {name} were never written, and read as {dataset.fillvalue}",)


def _check_sources(dataset: h5py.Dataset, name: str) -> None:
    """Refuse a virtual dataset without the files that it consists of: HDF5 reads fill values in their place."""
    home = Path(dataset.file.filename).parent
    sources = dict.fromkeys(source.file_name for source in dataset.virtual_sources())
    files = [one for one in sources if one != "." and "%" not in one]
    # where HDF5 looks for them, too
    lost = [one for one in files if not any(p.exists() for p in (Path(one), home / one, home / Path(one).name))]
    if lost:
        raise UserError(
            f"its dataset {name} consists of {len(files)} other files, and {len(lost)} of them are not there, such as "
            f"{lost[0]}; copy them, too"
        )
