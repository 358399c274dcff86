"""Scribbles on disk: which voxels somebody has said to be crack, pore, background or more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import zarr
    from numpy.typing import NDArray

    from napari_nanoct.volumes import Volume
    from napari_nanoct.volumes.volume import Shape

Part = tuple["slice | int | NDArray[np.intp]", ...]
"""What of a slice: ranges, or the places of single pixels."""

CHUNK = (1, 512, 512)
CLASSES = ("crack", "pore", "background")
"""Names of the brushes 1, 2, 3 that every volume starts with; 0 is "not labelled"."""

KEY = "nanoct_scribbles"
"""Where the Zarr's attributes say what the scribbles belong to."""

PLANES = 16
"""Slices that are kept in memory although all of them is on disk."""


class ScribbleStore:
    """Scribbles of one volume: uint8 (z, y, x), the number of a class in every labelled voxel, 0 elsewhere.

    An array for a viewer to paint on. Slices are held in memory while they are worked on, since a brush touches its
    voxels many times a second; `flush` brings what has changed to disk, as an unsharded Zarr of one slice a chunk of
    which only labelled chunks exist. May be read in a thread while another one paints.

    Parameters
    ----------
    path
        Folder of the Zarr; it is made by the first `flush` that has something to write.
    shape
        Of the volume, (z, y, x).
    classes
        Names of the classes 1, 2, ...
    fingerprint
        Of the volume, by `napari_nanoct.volumes.fingerprint`: tells a later session whether the scribbles belong to it.
    array
        What is on disk already.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self,
        path: Path,
        shape: Shape,
        classes: Sequence[str] = CLASSES,
        fingerprint: str = "",
        array: zarr.Array[Any] | None = None,
    ) -> None:
        self.path = path
        self.shape = shape
        self.size = int(np.prod(shape))
        self.fingerprint = fingerprint
        self._classes = tuple(classes)
        self._array = array
        self._planes: OrderedDict[int, NDArray[np.uint8]] = OrderedDict()
        self._changed: dict[int, set[tuple[int, int]]] = {}  # slice: its chunks (row, column)
        self._versions: dict[int, int] = {}
        self._lock = threading.RLock()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes 1, 2, ..."""
        return self._classes

    def add_class(self, name: str) -> int:
        """Add a class and return its number.

        Raises
        ------
        UserError
            If the name is empty or taken, or there are too many.
        """
        name = name.strip()
        if not name:
            raise UserError("A class needs a name; type one, such as “binder”.")
        if name in self._classes:
            raise UserError(f"There is a class “{name}” already; choose another name.")
        if len(self._classes) >= 255:
            raise UserError("There are 255 classes already, the most that scribbles can tell apart.")
        self._classes = (*self._classes, name)
        if self._array is not None:
            self._array.attrs[KEY] = self._note()
        return len(self._classes)

    def version(self, z: int) -> int:
        """Return a number that grows with every change of slice `z`."""
        return self._versions.get(z, 0)

    @property
    def edits(self) -> int:
        """A number that grows with every change of any slice."""
        with self._lock:
            return sum(self._versions.values())

    def labelled_slices(self) -> tuple[int, ...]:
        """Return the indices of the slices with a label, in order; looks at names of chunks, not into them."""
        with self._lock:
            found = {z for z, plane in self._planes.items() if plane.any()}
            folder = self.path / "c"
            if self._array is not None and folder.is_dir():
                on_disk = (int(f.name) for f in folder.iterdir() if f.name.isdigit() and any(f.glob("*/*")))
                found.update(z for z in on_disk if z not in self._planes)
            return tuple(sorted(found))

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        with self._lock:
            if _names_points(key):
                found = np.empty(self._points(key)[0].shape, np.uint8)
                for z, at, part in self._by_slice(key):
                    found[at] = self._look(z)[part]
                return found
            wanted, plane = self._split(key)
            rows = np.atleast_1d(wanted).tolist()
            # A view across the slices must not push out those that are worked on.
            find = self._plane if len(rows) == 1 else self._look
            shape = np.broadcast_to(np.uint8(0), self.shape[1:])[plane].shape
            found = np.empty((len(rows), *shape), np.uint8)
            for position, z in enumerate(rows):
                found[position] = find(z)[plane]
            return found[0] if np.ndim(wanted) == 0 else found

    def __setitem__(self, key: Any, value: Any) -> None:
        with self._lock:
            if _names_points(key):
                values = np.broadcast_to(value, self._points(key)[0].shape)
                for z, at, part in self._by_slice(key):
                    self._change(z, part, values[at])
                return
            wanted, plane = self._split(key)
            rows = np.atleast_1d(wanted).tolist()
            shape = np.broadcast_to(np.uint8(0), self.shape[1:])[plane].shape
            for z, new in zip(rows, np.broadcast_to(value, (len(rows), *shape)), strict=True):
                self._change(z, plane, new)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all of it, for those who can do with nothing less."""
        return self[:].astype(dtype or np.uint8, copy=False)

    def flush(self) -> None:
        """Write the chunks that have changed; those without a label are removed.

        Raises
        ------
        UserError
            If that is not possible; nothing is forgotten, and the next call tries again.
        """
        with self._lock:
            if not self._changed:
                return
            try:
                array = self._array = self._array or self._create()
                for z in tuple(self._changed):
                    for row, column in self._changed[z]:
                        y, x = row * CHUNK[1], column * CHUNK[2]
                        part = np.s_[y : y + CHUNK[1], x : x + CHUNK[2]]
                        array[(z, *part)] = self._planes[z][part]
                    del self._changed[z]
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise UserError(
                    f"The scribbles cannot be written to {self.path} ({reason}); choose another output."
                ) from error

    def _create(self) -> zarr.Array[Any]:
        import zarr

        self.path.parent.mkdir(parents=True, exist_ok=True)
        return zarr.create_array(
            self.path,
            shape=self.shape,
            chunks=CHUNK,
            dtype=self.dtype,
            fill_value=0,
            attributes={KEY: self._note()},
            dimension_names=("z", "y", "x"),
            config={"write_empty_chunks": False},
        )

    def _note(self) -> dict[str, Any]:
        return {"classes": list(self._classes), "fingerprint": self.fingerprint}

    def _split(self, key: Any) -> tuple[Any, Part]:
        """Return the slices that a key of integers and ranges asks for, and what of each."""
        key = tuple(key) if isinstance(key, tuple) else (key,)
        if Ellipsis in key:
            at = key.index(Ellipsis)
            key = (*key[:at], *(slice(None),) * (self.ndim + 1 - len(key)), *key[at + 1 :])
        key = (*key, *(slice(None),) * (self.ndim - len(key)))
        return np.arange(self.shape[0])[key[0]], key[1:]

    def _points(self, key: tuple[Any, ...]) -> list[NDArray[np.intp]]:
        """Return z, y and x of the single voxels that a key of index arrays asks for, as numpy takes it."""
        places = [np.arange(length)[part] for length, part in zip(self.shape, key, strict=True)]
        return list(np.broadcast_arrays(*places))

    def _by_slice(self, key: tuple[Any, ...]) -> Iterator[tuple[int, NDArray[np.bool_], Part]]:
        """Yield every slice that such a key names voxels of, which of them these are, and where in the slice."""
        planes, y, x = self._points(key)
        for z in np.unique(planes).tolist():
            at = planes == z
            yield z, at, (y[at], x[at])

    def _change(self, z: int, part: Part, new: NDArray[Any]) -> None:
        old = self._plane(z)
        if np.any(old[part] != new):
            old[part] = new
            self._versions[z] = self.version(z) + 1
            self._changed.setdefault(z, set()).update(self._chunks(part))

    def _plane(self, z: int) -> NDArray[np.uint8]:
        """Return a slice in memory, which the caller may change."""
        if z not in self._planes:
            for old in [other for other in self._planes if other not in self._changed][: -PLANES + 1 or None]:
                del self._planes[old]
            self._planes[z] = np.array(self._stored(z))
        self._planes.move_to_end(z)
        return self._planes[z]

    def _look(self, z: int) -> NDArray[np.uint8]:
        return self._planes[z] if z in self._planes else self._stored(z)

    def _stored(self, z: int) -> NDArray[np.uint8]:
        if self._array is None:
            return np.zeros(self.shape[1:], np.uint8)
        return np.asarray(self._array[z])

    def _chunks(self, plane: Part) -> Iterator[tuple[int, int]]:
        """Yield row and column of every chunk of a slice that holds some of what the key asks for."""
        ranges = []
        for part, length, chunk in zip(plane, self.shape[1:], CHUNK[1:], strict=True):
            places = np.atleast_1d(np.arange(length)[part])
            ranges.append(range(int(places.min()) // chunk, int(places.max()) // chunk + 1))
        return product(*ranges)  # type: ignore[return-value]


def _names_points(key: Any) -> bool:
    """Whether a key names single voxels by arrays of their indices, as the brush of napari before 0.9 does."""
    return isinstance(key, tuple) and any(isinstance(part, np.ndarray) for part in key)


def scribbles_path(output: str | Path) -> Path:
    """Return where the scribbles for an output lie: beside it, ``x.scribbles.zarr`` for ``x.ome.zarr``."""
    path = Path(output)
    return path.with_name(path.name.removesuffix(".zarr").removesuffix(".ome") + ".scribbles.zarr")


def open_scribbles(path: Path, volume: Volume) -> ScribbleStore:
    """Return the scribbles of a volume that are kept at `path`, or none yet where there is nothing.

    Reads a few slices of the volume, so call it in a thread.

    Raises
    ------
    UserError
        If what is there are no scribbles, or those of another volume.
    """
    from napari_nanoct.volumes import fingerprint

    mark = fingerprint(volume)
    if not path.exists():
        return ScribbleStore(path, volume.shape, fingerprint=mark)
    import zarr

    try:
        array = zarr.open_array(path, mode="r+", config={"write_empty_chunks": False})
        note: Any = array.attrs[KEY]
        classes = tuple(str(name) for name in note["classes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is there already and holds no scribbles; choose another output.") from error
    if array.shape != volume.shape or note.get("fingerprint") != mark:
        raise UserError(
            f"The scribbles in {path} (shape {array.shape}) belong to another volume than “{volume.name}” "
            f"(shape {volume.shape}); choose another output."
        )
    return ScribbleStore(path, volume.shape, classes, mark, array)
