"""Write an enhanced volume as OME-Zarr 0.5, slab by slab, under a name that says so until it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.volumes.geometry import Geometry
from napari_nanoct.volumes.owner import claim, release
from napari_nanoct.volumes.place import check_free, make_partial, take_place
from napari_nanoct.volumes.pyramid import coarser_shape, mean_by, nearest_by, pyramid_plan
from napari_nanoct.volumes.volume import Shape
from napari_nanoct.volumes.zarr_folder import zarr_attributes

if TYPE_CHECKING:
    import zarr
    from numpy.typing import DTypeLike, NDArray

SLAB = 16
"""Slices of one write: the depth of a shard, so that no shard is ever written in part."""

CHUNK = (8, 256, 256)
SHARD = (16, 1024, 1024)


class OmeZarrWriter:
    """Writer of one OME-Zarr 0.5 volume; memory stays at about a slab, whatever the depth.

    The voxels go to a folder ``NAME.partial`` beside `path`, marked as incomplete and with who writes it. `finish` adds
    the pyramid, the metadata and the record of the run, and only then gives it the final name.

    Parameters
    ----------
    path
        Final path of the volume, for example ``enhanced.ome.zarr``.
    shape
        (z, y, x).
    dtype
        Data type of the voxels.
    geometry
        Voxel size, origin and unit of the volume that is written.
    name
        Name of the image in its metadata; by default the file name without ending.
    overwrite
        Replace an OME-Zarr that is already there. The old one stays until the new one is whole.
    labels
        The voxels are labels: the pyramid takes one of a cell instead of their mean.

    Raises
    ------
    UserError
        If there is something at `path`, or a half-written volume beside it, and `overwrite` is false; if what is
        there is neither a Zarr array nor an image, which is never replaced; or if another writer is at work there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        shape: Shape,
        dtype: DTypeLike,
        geometry: Geometry,
        name: str | None = None,
        overwrite: bool = False,
        labels: bool = False,
    ) -> None:
        self.path = Path(path).expanduser()
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.geometry = geometry
        self.name = name or self.path.name.removesuffix(".zarr").removesuffix(".ome")
        self.overwrite = overwrite
        self.labels = labels
        self._written: set[int] = set()
        check_free(self.path, overwrite)
        self.partial = make_partial(self.path)
        self._open, self._owner = True, claim(self)
        self._root = _create_root(self.partial, self._owner)
        self._array = _create_array(self._root, "0", shape, self.dtype)

    def write(self, z0: int, slab: NDArray[Any]) -> None:
        """Write slices `z0` to `z0` + 16, or to the end of the volume.

        Parameters
        ----------
        z0
            First slice, a multiple of 16.
        slab
            Whole slices, (16 or what is left, y, x), in the dtype of the volume.
        """
        self._check_open()
        depth = min(SLAB, self.shape[0] - z0)
        shape = (depth, *self.shape[1:])
        if z0 % SLAB or depth < 1 or slab.shape != shape or slab.dtype != self.dtype:
            raise ValueError(
                f"a slab starts at a multiple of {SLAB} and is {shape} of {self.dtype}; "
                f"the one at slice {z0} is {slab.shape} of {slab.dtype}"
            )
        self._array[z0 : z0 + depth] = slab
        self._written.add(z0)

    def finish(
        self,
        record: Mapping[str, Any],
        contrast: tuple[float, float] | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> Path:
        """Build the pyramid, write the metadata, and give the volume its final name.

        Parameters
        ----------
        record
            What made the volume (JSON values): kept in the root attributes under "nanoct".
        contrast
            Grey values to show as black and white.
        check
            Called before every shard of the pyramid; what it raises stops the writing, as a cancelled job does.

        Returns
        -------
        Path
            The final path.

        Raises
        ------
        UserError
            If there is something at the final path by now that may not be replaced.
        """
        self._check_open()
        missing = sorted(set(range(0, self.shape[0], SLAB)) - self._written)
        if missing:
            raise ValueError(f"{self.partial}: the slabs at slices {missing} were not written")
        try:
            geometries = self._build_pyramid(check)
            ome = ome_metadata(self.name, self.geometry, geometries, self.dtype, contrast)
            if self.labels:
                ome["image-label"] = {"version": ome["version"]}
                ome["multiscales"][0]["type"] = "nearest"
            self._root.attrs.update({"ome": ome, "nanoct": {**record, "status": "complete"}})
        except BaseException:
            self.abandon()
            raise
        self._close()
        take_place(self.path, self.overwrite)
        return self.path

    def abandon(self) -> None:
        """Stop here: the half-written volume stays, under its marked name, and may be replaced."""
        if not self._open:
            return
        self._close()
        with suppress(OSError):  # a full disk, for one: who wrote is then known as long as this process lives
            mark = zarr_attributes(self.partial).get("nanoct", {})
            if mark.get("owner") == self._owner:  # else the folder is gone, or another's by now
                self._root.attrs["nanoct"] = {"status": "incomplete"}

    def _close(self) -> None:
        self._open = False
        release(self._owner)

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError(f"{self.path} was already finished or abandoned")

    def _build_pyramid(self, check: Callable[[], None]) -> list[Geometry]:
        """Write levels "1", "2", ... each from the one before; returns the geometry of every level."""
        geometries, finer = [self.geometry], self._array
        for number, factors in enumerate(pyramid_plan(self.shape, self.geometry), start=1):
            z, y, x = finer.shape
            coarser = _create_array(self._root, str(number), coarser_shape((z, y, x), factors), self.dtype)
            _coarsen(finer, coarser, factors, check, nearest_by if self.labels else mean_by)
            geometries.append(geometries[-1].coarsened(factors))
            finer = coarser
        return geometries


def ome_metadata(
    name: str,
    geometry: Geometry,
    levels: list[Geometry],
    dtype: np.dtype[Any],
    contrast: tuple[float, float] | None,
) -> dict[str, Any]:
    """Root attribute "ome" of an OME-Zarr 0.5 image with levels "0", "1", ... of the geometries `levels`."""
    unit = {} if geometry.unit == "pixel" else {"unit": geometry.unit}
    datasets = []
    for number, level in enumerate(levels):
        offset = [fine - full for fine, full in zip(level.origin, geometry.origin, strict=True)]
        scale = {"type": "scale", "scale": list(level.voxel_size)}
        datasets.append(
            {"path": str(number), "coordinateTransformations": [scale, {"type": "translation", "translation": offset}]}
        )
    # The origin of the volume stands at the multiscale, after every level's own offset: napari-ome-zarr 0.10 reads the
    # first transformation of a level alone, and one of the multiscale, the first whose input has no name. Giving the
    # scale of 1 an input name, which the format does not use, makes the translation that one.
    place = [
        {"type": "scale", "scale": [1.0, 1.0, 1.0], "input": {"name": "levels"}},
        {"type": "translation", "translation": list(geometry.origin)},
    ]
    ome: dict[str, Any] = {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "type": "mean",
                "axes": [{"name": axis, "type": "space", **unit} for axis in "zyx"],
                "datasets": datasets,
                "coordinateTransformations": place,
            }
        ],
    }
    if contrast is not None:
        low, high = (float(value) for value in contrast)
        ends = np.iinfo(dtype) if dtype.kind in "iu" else None
        window = {
            "start": low,
            "end": high,
            "min": float(ends.min) if ends else low,
            "max": float(ends.max) if ends else high,
        }
        channel = {"label": "grey", "color": "FFFFFF", "active": True, "window": window}
        ome["omero"] = {"channels": [channel], "rdefs": {"model": "greyscale"}}
    return ome


def _create_root(path: Path, owner: Mapping[str, Any]) -> zarr.Group:
    import zarr

    mark = {"status": "incomplete", "owner": dict(owner)}
    return zarr.create_group(str(path), zarr_format=3, attributes={"nanoct": mark})


def _create_array(root: zarr.Group, name: str, shape: Shape, dtype: np.dtype[Any]) -> zarr.Array[Any]:
    from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

    chunk = tuple(min(c, n) for c, n in zip(CHUNK, shape, strict=True))
    # as many whole chunks as the volume fills, at most those of a full shard
    shard = tuple(c * min(-(-n // c), s // full) for c, n, s, full in zip(chunk, shape, SHARD, CHUNK, strict=True))
    return root.create_array(
        name,
        shape=shape,
        dtype=dtype,
        chunks=chunk,
        shards=shard,
        compressors=[BloscCodec(cname="zstd", clevel=5, shuffle=BloscShuffle.bitshuffle), Crc32cCodec()],
        dimension_names=("z", "y", "x"),
        config={"write_empty_chunks": True},  # a chunk that is missing was not written
    )


def _coarsen(
    finer: zarr.Array[Any],
    coarser: zarr.Array[Any],
    factors: Shape,
    check: Callable[[], None],
    reduce: Callable[[NDArray[Any], Shape], NDArray[Any]],
) -> None:
    """Fill one level from the one before it, shard by shard; what is read at a time is 8 slices of one shard's area."""
    depth, height, width = coarser.shape
    _, tall, wide = coarser.shards or coarser.chunks
    fz, fy, fx = factors
    for z0 in range(0, depth, SLAB):
        for y0 in range(0, height, tall):
            for x0 in range(0, width, wide):
                check()
                z1, y1, x1 = min(z0 + SLAB, depth), min(y0 + tall, height), min(x0 + wide, width)
                out = np.empty((z1 - z0, y1 - y0, x1 - x0), finer.dtype)
                step = CHUNK[0] // fz
                for z in range(z0, z1, step):
                    block = finer[z * fz : min(z + step, z1) * fz, y0 * fy : y1 * fy, x0 * fx : x1 * fx]
                    out[z - z0 : z - z0 + step] = reduce(np.asarray(block), factors)
                coarser[z0:z1, y0:y1, x0:x1] = out
