"""What a run will write, and where: worked out and checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.enhance.enhancer import Enhancer, output_type
from napari_nanoct.enhance.settings import EnhanceSettings
from napari_nanoct.enhance.tiling import Box, network_pixels
from napari_nanoct.errors import UserError
from napari_nanoct.volumes.place import check_output, free_bytes

if TYPE_CHECKING:
    from napari_nanoct.volumes import Geometry, Volume


@dataclass(frozen=True)
class Target:
    """The volume that a run will write.

    Attributes
    ----------
    path : Path
    shape : (int, int, int)
        (z, y, x) of the output.
    dtype : dtype
    geometry : Geometry
    first : int
        Input slice that becomes the output's first.
    crop : Box or None
        The wanted part of every input slice; None: all of it.
    voxels_per_slice : int
        Input voxels that are wanted of a slice.
    """

    path: Path
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    geometry: Geometry
    first: int
    crop: Box | None
    voxels_per_slice: int

    @property
    def nbytes(self) -> int:
        """Size of the full-resolution voxels, uncompressed, in bytes."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


@dataclass(frozen=True)
class Estimate:
    """What a run will need.

    Attributes
    ----------
    shape : (int, int, int)
        (z, y, x) of the output.
    dtype : str
        Of the output.
    output_bytes : int
        Disk space with the pyramid, if nothing could be compressed.
    free_bytes : int
        Free space on the output's disk; 0 if the disk does not say.
    seconds : float
        By a short measurement of the network on the device.
    device, precision : str
        Those that would be used.
    """

    shape: tuple[int, int, int]
    dtype: str
    output_bytes: int
    free_bytes: int
    seconds: float
    device: str
    precision: str


def estimate(settings: EnhanceSettings, volume: Volume | None = None) -> Estimate:
    """Tell what a run would write and need, without running it.

    Parameters
    ----------
    settings : EnhanceSettings
    volume : Volume, optional
        Take this one, not ``settings.input``.

    Raises
    ------
    UserError
        If the run could not start: no such input, model, device, slice or crop.
    """
    from napari_nanoct.volumes import open_volume

    volume = volume or open_volume(settings.input)
    check_output(Path(settings.output).expanduser(), (settings.input, volume.source), settings.overwrite)
    enhancer = Enhancer.load(settings.model, settings.scale, settings.device, settings.precision)
    target = find_target(settings, volume, enhancer.scale)
    pixels = network_pixels(enhancer.tiles(volume.shape[1:], target.crop), enhancer.card.period)
    return Estimate(
        shape=target.shape,
        dtype=str(target.dtype),
        output_bytes=target.nbytes * 4 // 3,
        free_bytes=free_bytes(target.path) or 0,
        seconds=target.shape[0] * pixels * enhancer.timing().seconds_per_pixel,
        device=str(enhancer.device),
        precision=enhancer.precision,
    )


def find_target(settings: EnhanceSettings, volume: Volume, scale: int) -> Target:
    """Return what a run of these settings writes.

    Raises
    ------
    UserError
        If slices or crop reach beyond the volume.
    """
    depth, height, width = volume.shape
    first, last = settings.slices or (0, depth)
    if last > depth:
        raise UserError(f"{volume.source} has {depth} slices, so slices {first}:{last} do not exist; end at {depth}")
    y0, y1, x0, x1 = settings.crop or (0, height, 0, width)
    if y1 > height or x1 > width:
        raise UserError(
            f"{volume.source} has slices of {height} x {width} pixels, so the crop {y0}:{y1},{x0}:{x1} "
            f"reaches beyond; stay within 0:{height},0:{width}"
        )
    return Target(
        path=Path(settings.output).expanduser(),
        shape=(last - first, scale * (y1 - y0), scale * (x1 - x0)),
        dtype=np.dtype(np.float32) if settings.dtype == "float32" else output_type(volume.dtype),
        geometry=volume.geometry.cropped(first, y0, x0).enlarged(scale),
        first=first,
        crop=settings.crop,
        voxels_per_slice=(y1 - y0) * (x1 - x0),
    )
