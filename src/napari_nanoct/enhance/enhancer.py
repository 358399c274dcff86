"""A loaded network that enhances slices: the volume run and a preview both go through it and so agree."""

from __future__ import annotations

import time
from collections.abc import Iterator
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_nanoct.enhance.device import Timing, autocast, choose_device, measure
from napari_nanoct.enhance.tiling import Box, Tile, cut, plan, scaled
from napari_nanoct.enhance.untouched import enlarged, filled, is_constant, untouched
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken

if TYPE_CHECKING:
    import torch

    from napari_nanoct.utsr import Card
    from napari_nanoct.volumes import IntensityRange

CORE = 1024
"""Side of the part of a tile that is kept."""

WHOLE = {"cpu": 1_500_000, "cuda": 4_500_000, "mps": 1_500_000}
"""Input pixels that go through the network at once: a slice up to this size is one tile."""


class Enhancer:
    """A network on a device, in a precision, with its plan of tiles.

    Parameters
    ----------
    network : Module
        Maps float32 (n, 1, h, w) to float32 (n, 1, scale * h, scale * w) for any h and w.
    card : Card
        The model's card: name, scale, window period, halo and sha256.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision : str
        ``"auto"`` (the faster one by measurement), ``"float32"`` or ``"bfloat16"``.
    core : int
        Largest side of the kept part of a tile, in input pixels.
    whole : int, optional
        Input pixels up to which a slice is one tile and tiles are joined in a batch; None: by the device.

    Attributes
    ----------
    device : torch.device
    precision : str
        The one in use.
    scale : int
        Output pixels per input pixel along y and x.
    network_seconds : float
        Time spent in the network and on the way to the device and back, so far.
    """

    def __init__(
        self,
        network: torch.nn.Module,
        card: Card,
        device: str = "auto",
        precision: str = "auto",
        *,
        core: int = CORE,
        whole: int | None = None,
    ) -> None:
        import torch

        self.card = card
        self.scale = card.scale
        self.device = choose_device(device)
        self.network = network.eval().to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network_seconds = 0.0
        self.core = core
        self.whole = WHOLE[self.device.type] if whole is None else whole
        # On a CPU a batch gains nothing, and one at a time gives every slice the same answer alone as in a volume.
        self.batch = self.whole if self.device.type != "cpu" else 0
        self.precision = self.timing(precision).precision if precision == "auto" else precision

    @classmethod
    def load(
        cls,
        model: str | PathLike[str] = "utsr-light",
        scale: int | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> Enhancer:
        """Load a model by its name and scale, or from a ``.safetensors`` file.

        Raises
        ------
        UserError
            If there is no such model or device, or the file is not a model of this scale.
        """
        from napari_nanoct.utsr import find_model, load_network, read_card

        choose_device(device)  # a wrong name is said before anything is loaded
        path = find_model(str(model), scale)
        return cls(load_network(path), read_card(path), device, precision)

    def timing(self, precision: str | None = None) -> Timing:
        """Measure the speed on this device, once per process, in the precision in use or a given one."""
        key = self.card.sha256 or str(id(self.network))
        return measure(self.network, key, self.device, precision or self.precision)

    def tiles(self, shape: tuple[int, int], crop: Box | None = None) -> tuple[Tile, ...]:
        """Return the tiles of a slice of this shape."""
        card = self.card
        return plan(shape, period=card.period, halo=card.halo, core=self.core, whole=self.whole, crop=crop)

    def slice(
        self, plane: NDArray[Any], intensity: IntensityRange, dtype: DTypeLike | None = None, crop: Box | None = None
    ) -> NDArray[Any]:
        """Enhance one whole slice (y, x); see :meth:`slices`."""
        return self.slices(plane[None], intensity, dtype, crop)[0]

    def slices(
        self,
        planes: NDArray[Any],
        intensity: IntensityRange,
        dtype: DTypeLike | None = None,
        crop: Box | None = None,
        cancel: CancelToken | None = None,
    ) -> NDArray[Any]:
        """Enhance whole slices.

        Parameters
        ----------
        planes : ndarray, shape (n, y, x)
            Whole slices of the volume, any integer or floating dtype.
        intensity : IntensityRange
            Of the whole volume.
        dtype : dtype, optional
            Of the result; None: :func:`output_type` of the input's.
        crop : Box, optional
            ``(y0, y1, x0, x1)``: enhance this part of every slice, on the grid of the whole slice.
        cancel : CancelToken, optional
            Checked before every batch of tiles.

        Returns
        -------
        ndarray, shape (n, scale * y, scale * x)
            NaN, infinities and the constant outside of a reconstruction circle are those of the input, enlarged by
            repetition; slices of one value too. Integers are rounded and saturated.

        Raises
        ------
        UserError
            If the network answers with values that are not finite, or the device lacks memory for the smallest tile.
        Cancelled
            If the token was cancelled.
        """
        y0, y1, x0, x1 = crop or (0, planes.shape[1], 0, planes.shape[2])
        size = (len(planes), self.scale * (y1 - y0), self.scale * (x1 - x0))
        output = np.empty(size, output_type(planes.dtype) if dtype is None else dtype)
        for _ in self.steps(planes, output, intensity, crop, cancel):
            pass
        return output

    def steps(
        self,
        planes: NDArray[Any],
        output: NDArray[Any],
        intensity: IntensityRange,
        crop: Box | None = None,
        cancel: CancelToken | None = None,
    ) -> Iterator[float]:
        """Enhance whole slices into `output`, step by step; yields after each step the share that is done, up to 1.

        As :meth:`slices`, which takes all the steps at once.
        """
        done = 0
        for planes_now in _groups(len(planes), self._planes_at_once(planes.shape[1:], crop)):
            group = slice(planes_now[0], planes_now[-1] + 1)
            for share in self._group(planes[group], output[group], intensity, crop, cancel or CancelToken()):
                yield (done + share * len(planes_now)) / len(planes)
            done += len(planes_now)

    def _planes_at_once(self, shape: tuple[int, ...], crop: Box | None) -> int:
        tiles = self.tiles((shape[0], shape[1]), crop)
        return max(self.batch // sum(t.shape[0] * t.shape[1] for t in tiles), 1)

    def _group(
        self,
        planes: NDArray[Any],
        output: NDArray[Any],
        intensity: IntensityRange,
        crop: Box | None,
        cancel: CancelToken,
    ) -> Iterator[float]:
        """Enhance as many slices as go through the network together."""
        cancel.check()
        window = crop or (0, planes.shape[1], 0, planes.shape[2])
        masks = [untouched(plane) for plane in planes]
        pictures: dict[int, NDArray[np.float32]] = {}
        for index, plane in enumerate(planes):
            if is_constant(plane, masks[index]):
                output[index] = enlarged(_cast(cut(plane, window), output.dtype), self.scale)
            else:
                pictures[index] = intensity.normalise(filled(plane))
        if pictures:
            yield from self._through_network(pictures, planes.shape[1:], output, intensity, crop, cancel)
        for index, mask in enumerate(masks):
            if index in pictures and mask is not None:
                where = enlarged(cut(mask, window), self.scale)
                output[index][where] = enlarged(_cast(cut(planes[index], window), output.dtype), self.scale)[where]
        yield 1.0

    def _through_network(
        self,
        pictures: dict[int, NDArray[np.float32]],
        shape: tuple[int, ...],
        output: NDArray[Any],
        intensity: IntensityRange,
        crop: Box | None,
        cancel: CancelToken,
    ) -> Iterator[float]:
        top, left = (crop[0], crop[2]) if crop else (0, 0)
        scale = self.scale
        while True:
            tiles = self.tiles((shape[0], shape[1]), crop)
            total, done, fits = sum(tile.kept for tile in tiles) * len(pictures), 0, True
            for batch in self._batches(tiles, list(pictures)):
                cancel.check()
                answers = self._answers(np.stack([cut(pictures[index], tile.read) for index, tile in batch]))
                if answers is None:
                    fits = False
                    break
                for (index, tile), answer in zip(batch, answers, strict=True):
                    if not np.isfinite(answer).all():
                        raise UserError(
                            f"{self.card.name} answered with values that are not finite in {self.precision} "
                            f"at rows {tile.keep[0]}:{tile.keep[1]}, columns {tile.keep[2]}:{tile.keep[3]}; "
                            "try precision float32, or another model"
                        )
                    inside = cut(answer, scaled(tile.keep, scale, tile.read[0], tile.read[2]))
                    cut(output[index], scaled(tile.keep, scale, top, left))[...] = intensity.restore(
                        inside, output.dtype
                    )
                    done += tile.kept
                if done < total:
                    yield done / total
            if fits:
                return
            self._shrink(max(tiles, key=lambda tile: tile.shape[0] * tile.shape[1]))

    def _batches(self, tiles: tuple[Tile, ...], planes: list[int]) -> Iterator[list[tuple[int, Tile]]]:
        """Join tiles of one shape, of all the slices, as far as they go through the network at once."""
        shapes: dict[tuple[int, int], list[tuple[int, Tile]]] = {}
        for index in planes:
            for tile in tiles:
                shapes.setdefault(tile.shape, []).append((index, tile))
        for (height, width), members in shapes.items():
            for group in _groups(len(members), max(self.batch // (height * width), 1)):
                yield [members[place] for place in group]

    def _answers(self, tiles: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Run tiles (n, h, w) through the network; None if the device's memory is too small for them."""
        import torch

        start = time.perf_counter()
        try:
            batch = torch.from_numpy(tiles)[:, None].to(self.device).contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), autocast(self.device, self.precision):
                answers: NDArray[np.float32] = self.network(batch)[:, 0].float().cpu().numpy()
        except torch.OutOfMemoryError:
            return None
        self.network_seconds += time.perf_counter() - start
        return answers

    def _shrink(self, tile: Tile) -> None:
        """Halve what goes through the network at once: the batch first, then the tile."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        height, width = tile.shape
        if self.batch >= 2 * height * width:
            self.batch //= 2
            return
        side = min(max(tile.keep[1] - tile.keep[0], tile.keep[3] - tile.keep[2]), self.core)
        if side <= self.card.period:
            raise UserError(
                f"the memory of device {self.device} is too small for a tile of {height} x {width} pixels; "
                "close other programs that use it, or choose device cpu"
            )
        self.core, self.whole, self.batch = side // 2, 0, 0


def output_type(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the dtype of the result for dtype ``"same"``: the input's, but float32 for float64.

    The network computes in float32; twice the disk would hold no more.
    """
    given = np.dtype(dtype)
    return np.dtype(np.float32) if given == np.float64 else given


def _cast(plane: NDArray[Any], dtype: DTypeLike) -> NDArray[Any]:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, and says so
        return plane.astype(dtype, copy=False)


def _groups(count: int, size: int) -> Iterator[range]:
    return (range(start, min(start + size, count)) for start in range(0, count, size))
