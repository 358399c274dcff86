"""A tomogram: lazy voxels, where they lie, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dask.array as da
    import numpy as np

    from napari_nanoct.volumes.geometry import Geometry

Shape = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Volume:
    """A (z, y, x) volume that is read on demand.

    Parameters
    ----------
    data
        The voxels at full resolution, lazy, in their native dtype.
    geometry
        Voxel size, origin and unit of `data`.
    source
        The path that it came from, or "array".
    name
        Short name, for layers and tables.
    levels
        The pyramid, full resolution first; only `data` where the file has none.
    metadata
        What else the file says: "nanoct" (the record of the run that wrote it), "contrast" (display window, low and
        high), "assumed" (a sentence for each thing that the file does not say and that was taken as usual).
    """

    data: da.Array
    geometry: Geometry
    source: str = "array"
    name: str = "volume"
    levels: tuple[da.Array, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.levels:
            object.__setattr__(self, "levels", (self.data,))

    @property
    def shape(self) -> Shape:
        """Number of slices, rows and columns."""
        z, y, x = self.data.shape
        return (int(z), int(y), int(x))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the voxels."""
        return self.data.dtype

    @property
    def nbytes(self) -> int:
        """Size of the full-resolution voxels in memory, in bytes."""
        return int(self.data.nbytes)
