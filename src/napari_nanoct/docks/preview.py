"""One slice through the network, as a volume run would give it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_nanoct.docks.layers import Crop
    from napari_nanoct.enhance import Enhancer
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Geometry, IntensityRange, Volume


@dataclass(frozen=True, eq=False)
class Request:
    """What the controls asked for, taken down at the moment of the click.

    Attributes
    ----------
    volume : Volume
        Of the layer.
    model, scale, device
        As in ``EnhanceSettings``.
    slices, crop
        The region, as in ``EnhanceSettings``.
    output : str
        Where a volume run writes.
    """

    volume: Volume
    model: str
    scale: int
    device: str
    slices: tuple[int, int] | None
    crop: Crop | None
    output: str

    def placed(self, z: int) -> Geometry:
        """Return where a result lies that starts at slice `z`."""
        top, left = (self.crop[0], self.crop[2]) if self.crop else (0, 0)
        return self.volume.geometry.cropped(z, top, left).enlarged(self.scale)


class Previewer:
    """Computes previews, one at a time; keeps the network of the last one loaded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._enhancer: Enhancer | None = None
        self._key: tuple[str, int, str] | None = None
        self._range: IntensityRange | None = None
        self._range_of: object = None

    def compute(self, request: Request, data: Any, z: int, cancel: CancelToken) -> NDArray[Any]:
        """Return slice `z` enhanced, (scale * y, scale * x) of the region, in the dtype of a volume run.

        Parameters
        ----------
        request : Request
            What to enhance and how.
        data : array
            The layer's own data: the intensity range is kept while it is the same lazy array.
        z : int
            Index of the slice.
        cancel : CancelToken
            Checked before every tile; a newer preview cancels this one.
        """
        from napari_nanoct.enhance import Enhancer
        from napari_nanoct.volumes import intensity_range

        with self._lock:
            cancel.check()
            if self._enhancer is None or self._key != _key(request):
                self._enhancer = self._key = None  # let the old network go before the new one is loaded
                self._enhancer = Enhancer.load(request.model, request.scale, request.device)
                self._key = _key(request)
            cancel.check()
            # A NumPy array may have been painted on since; a lazy one is read again only where it is another.
            if self._range is None or data is not self._range_of:
                self._range = intensity_range(request.volume)
                self._range_of = None if isinstance(data, np.ndarray) else data
            planes = np.asarray(request.volume.data[z : z + 1])
            return self._enhancer.slices(planes, self._range, crop=request.crop, cancel=cancel)[0]


def _key(request: Request) -> tuple[str, int, str]:
    return request.model, request.scale, request.device
