"""Normalised grey values of a volume, with the slices around the one in view kept in memory; no Qt here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_nanoct.docks.cracks.overlay import Window
    from napari_nanoct.volumes import IntensityRange, Volume

CACHE_BYTES = 512 << 20
"""Slices are kept up to here; where a filter's halo alone takes more, only what is asked for is read."""


class Planes:
    """The volume as finite float32 values, `low` at 0 and `high` at 1; NaN and infinity become 0.

    Parameters
    ----------
    volume : Volume
        Read on demand, neighbouring slices at once.
    intensity : IntensityRange
        One for the whole volume.
    """

    def __init__(self, volume: Volume, intensity: IntensityRange) -> None:
        self.shape = volume.shape
        self._volume = volume
        self.intensity = intensity
        self._kept: dict[int, NDArray[Any]] = {}

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        return self.intensity.normalise_finite(self._read(key))

    def finite(self, z: int, window: Window) -> NDArray[np.bool_]:
        """Return where part of a slice has grey values that are finite."""
        y0, y1, x0, x1 = window
        return np.isfinite(self._read((slice(z, z + 1), slice(y0, y1), slice(x0, x1)))[0])

    def _read(self, key: tuple[slice, slice, slice]) -> NDArray[Any]:
        z, y, x = key
        wanted = range(*z.indices(self.shape[0]))
        plane_bytes = self.shape[1] * self.shape[2] * self._volume.dtype.itemsize
        if len(wanted) * plane_bytes > CACHE_BYTES:
            return np.asarray(self._volume.data[key])
        missing = [place for place in wanted if place not in self._kept]
        if missing:
            first, last = min(missing), max(missing) + 1
            # Further away first; what is wanted stays.
            room = CACHE_BYTES // plane_bytes - (last - first)
            near = sorted(self._kept, key=lambda place: abs(place - wanted[len(wanted) // 2]))[: max(0, room)]
            self._kept = {place: self._kept[place] for place in {*near, *(set(wanted) & set(self._kept))}}
            block = np.asarray(self._volume.data[first:last])
            self._kept.update((first + number, plane.copy()) for number, plane in enumerate(block))
        return np.stack([self._kept[place][y, x] for place in wanted])
