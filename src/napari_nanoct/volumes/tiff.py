"""TIFF files and folders of TIFF slices, read slice by slice."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import DAMAGED, TIFF, Opened, naming
from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.lazy import lazy_slices
from napari_nanoct.volumes.sequence import check_sequence, natural_key
from napari_nanoct.volumes.tiff_scale import read_geometry
from napari_nanoct.volumes.volume import Shape

if TYPE_CHECKING:
    import tifffile
    from numpy.typing import NDArray

MOST_CHANNELS = 7
"""What ImageJ shows at most; more are slices, which some programs write as channels for want of a name."""


@dataclass(frozen=True)
class RawPages:
    """Slices that lie one after the other, uncompressed, from `offset` on."""

    path: Path
    shape: Shape
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    offset: int

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop."""
        plane = self.shape[1] * self.shape[2]
        offset = self.offset + start * plane * self.stored.itemsize
        values = np.fromfile(self.path, self.stored, (stop - start) * plane, offset=offset)
        if values.size < (stop - start) * plane:
            raise UserError(f"{self.path}: {DAMAGED}.")
        return values.reshape(stop - start, *self.shape[1:]).astype(self.dtype, copy=False)


@dataclass(frozen=True)
class Pages:
    """Slices that are pages of one file, compressed or scattered."""

    path: Path
    shape: Shape
    dtype: np.dtype[Any]
    pages: tuple[int, ...]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop."""
        block = np.empty((stop - start, *self.shape[1:]), self.dtype)
        with naming(self.path), _opened(self.path) as tif:
            for plane, page in zip(block, self.pages[start:stop], strict=True):
                plane[...] = tif.pages[page].asarray()
        return block


@dataclass(frozen=True)
class Files:
    """Slices that are files of one page."""

    folder: Path
    names: tuple[str, ...]
    shape: Shape
    dtype: np.dtype[Any]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Slices start to stop."""
        block = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for plane, name in zip(block, self.names[start:stop], strict=True):
            with naming(self.folder / name), _opened(self.folder / name) as tif:
                plane[...] = tif.pages.first.asarray()
        return block


def open_file(path: Path) -> Opened:
    """Open a TIFF, BigTIFF, OME-TIFF or ImageJ TIFF of one or many slices."""
    with _opened(path) as tif:
        series = [one for one in tif.series if not one.keyframe.is_reduced]
        first = series[0]
        if first.is_multifile:
            raise UserError("it is one part of an OME-TIFF of several files; convert them to one file")
        depth, height, width = _stack_shape(first.axes, first.shape)
        for other in series[1:]:
            if (other.shape, other.dtype) != (first.shape, first.dtype):
                raise UserError(
                    f"its pages differ ({_kind(first.shape, first.dtype)} and {_kind(other.shape, other.dtype)}); "
                    "write pages of one size and type"
                )
        shape = (depth * len(series), height, width)
        stored = np.dtype(first.dtype).newbyteorder(tif.byteorder)
        dtype = stored.newbyteorder("=")
        geometry, assumed = read_geometry(tif)
        size = tif.filehandle.size
        reader: RawPages | Pages
        if len(series) == 1 and first.dataoffset is not None:
            reader = RawPages(path, shape, dtype, stored, first.dataoffset)
            complete = first.dataoffset + first.nbytes <= size
        else:
            pages = [page for one in series for page in one.pages if page is not None]
            if len(series) > 1:  # pages of one compression form a series, whatever lies between them
                pages.sort(key=lambda page: page.index)
            reader = Pages(path, shape, dtype, tuple(page.index for page in pages))
            complete = len(pages) == shape[0] and all(_end(page) <= size for page in pages)
        if not complete:
            raise UserError(DAMAGED)
    return Opened((lazy_slices(reader),), geometry, {"assumed": assumed} if assumed else {})


def open_folder(folder: Path) -> Opened:
    """Open a folder of TIFF slices in natural order; other files are left aside."""
    try:
        names = sorted((p.name for p in folder.iterdir() if _is_slice(p)), key=natural_key)
    except OSError as error:
        raise UserError(f"the folder cannot be read ({error.strerror}); check its permissions") from error
    if not names:
        raise UserError("the folder holds no TIFF files; give the folder of the slices, or a file")
    if len(names) == 1:
        with naming(names[0]):
            return open_file(folder / names[0])
    check_sequence([Path(name).stem for name in names])
    first = _header(folder / names[0])
    for name in names[1:]:
        other = _header(folder / name)
        if other[:2] != first[:2]:
            raise UserError(
                f"its slices differ: {names[0]} is {_kind(*first[:2])}, {name} is {_kind(*other[:2])}; "
                "put slices of one size and type into a folder of their own"
            )
    plane, dtype, geometry, assumed = first
    reader = Files(folder, tuple(names), (len(names), *plane), dtype)
    return Opened((lazy_slices(reader),), geometry, {"assumed": assumed} if assumed else {})


def _is_slice(path: Path) -> bool:
    # "._name.tif" is what some systems leave beside a file, no picture
    return path.suffix.lower() in TIFF and not path.name.startswith(".") and path.is_file()


def _header(path: Path) -> tuple[tuple[int, int], np.dtype[Any], Geometry, tuple[str, ...]]:
    """Shape and type of a file of one slice, and the geometry that it states."""
    with naming(path.name), _opened(path) as tif:
        page = tif.pages.first
        # ImageJ writes a stack above 4 GB as one page; but its note may also have outlived the stack
        hidden = tif.is_imagej and (tif.imagej_metadata or {}).get("images", 1) > 1 and tif.series[0].ndim > 2
        if len(tif.pages) > 1 or hidden:
            raise UserError(
                "it holds several slices among files of one slice; give the file itself, or a folder of single slices"
            )
        if _end(page) > tif.filehandle.size:
            raise UserError(DAMAGED)
        _, height, width = _stack_shape(page.axes, page.shape)
        geometry, assumed = read_geometry(tif)
        return (height, width), np.dtype(page.dtype).newbyteorder("="), geometry, assumed


def _stack_shape(axes: str, shape: Sequence[int]) -> Shape:
    """(z, y, x) of a series with `axes` as tifffile names them; anything but a stack of grey slices is refused."""
    sizes = {axis: n for axis, n in zip(axes, shape, strict=True) if axis not in "YX" and n > 1}
    height, width = (n for axis, n in zip(axes, shape, strict=True) if axis in "YX")
    more = [n for axis, n in zip(axes, shape, strict=True) if axis not in "YX" and n > 1]
    if "S" in sizes:
        raise UserError(f"it is a colour picture ({sizes['S']} values a pixel); convert it to grey values")
    if len(more) > 1:
        raise UserError(f"it has {len(more) + 2} dimensions {tuple(shape)}; save one (z, y, x) volume of it")
    if 1 < sizes.get("C", 1) <= MOST_CHANNELS:
        raise UserError(f"it has {sizes['C']} channels; save one of them")
    return (more[0] if more else 1, height, width)


def _end(page: Any) -> int:
    """Where the file must not end before, for a page's pixels to be whole."""
    return max((start + count for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)), default=0)


def _kind(shape: Sequence[int], dtype: Any) -> str:
    return f"{' x '.join(str(n) for n in shape)} {dtype}"


class _Complaints(logging.Handler):
    """What tifffile only logs about a file where it goes on with the part that it understands."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.serious = False

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.serious |= any(sign in text for sign in ("invalid page offset", "corrupted tag list of page"))


@contextmanager
def _opened(path: Path) -> Iterator[tifffile.TiffFile]:
    """A TIFF file; what goes wrong inside is a sentence."""
    import tifffile

    complaints = _Complaints()
    tifffile.logger().addHandler(complaints)
    try:
        with tifffile.TiffFile(path) as tif:
            yield tif
        if complaints.serious:
            raise UserError(DAMAGED)
    except UserError:
        raise
    except (FileNotFoundError, PermissionError) as error:
        raise UserError(f"it cannot be read ({error.strerror}); check that it is there and yours to read") from error
    except (OSError, ValueError, LookupError, RuntimeError, struct.error, tifffile.TiffFileError) as error:
        raise UserError("it is no TIFF file; check what it is" if "not a TIFF" in str(error) else DAMAGED) from error
    finally:
        tifffile.logger().removeHandler(complaints)
