"""What the classifier sees of each voxel: 3-D derivatives at several scales, of a block or of one slice.

A slice gets the very values that a block gives, at the cost of a 2-D filter: z is contracted first, to the slice and
its two neighbours, which is all that derivatives at the slice need.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.blocks import Box, whole_box
from napari_nanoct.cracks.derivatives import Spacing, kernel, mirrored, radius
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Window = tuple[int, int, int, int]
"""Part ``(y0, y1, x0, x1)`` of a slice."""

Features = NDArray[np.float32]

STEPS = (0.7, 1.0, 1.6, 2.5, 4.0)
"""Default scales, in voxels of the finest axis: cracks of one voxel to those of about ten, and what is around them."""

PER_SCALE = ("smoothed", "gradient", "lambda1", "lambda2", "lambda3", "plate")

PIXELS = 1 << 14
"""Voxels whose derivatives are worked on together: few enough to stay in the processor's cache."""

BAND = 64
"""Rows that one small matrix smooths together."""


@dataclass(frozen=True)
class FeatureSettings:
    """Which features there are.

    Attributes
    ----------
    scales : tuple of float
        Standard deviations of the Gaussians, smallest first, in the unit of the voxel size.
    """

    scales: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.scales or not all(math.isfinite(scale) and scale > 0 for scale in self.scales):
            raise UserError(f"Features at scales {self.scales} cannot be computed: give one or more positive lengths.")


def default_features(voxel_size: Spacing) -> FeatureSettings:
    """Five scales from 0.7 to 4 times the finest edge of a voxel (z, y, x)."""
    return FeatureSettings(tuple(float(f"{step * min(voxel_size):.6g}") for step in STEPS))


def feature_names(settings: FeatureSettings) -> tuple[str, ...]:
    """Names of the features in their order: the grey value, then `PER_SCALE` for each scale."""
    return ("value", *(f"{name} {scale:g}" for scale in settings.scales for name in PER_SCALE))


def halo(settings: FeatureSettings, voxel_size: Spacing) -> tuple[int, int, int]:
    """Voxels (z, y, x) around a block that its features depend on."""
    z, y, x = (max(radius(scale, size) for scale in settings.scales) + 1 for size in voxel_size)
    return (z, y, x)


def volume_features(
    block: NDArray[np.float32],
    voxel_size: Spacing,
    settings: FeatureSettings,
    device: str = "cpu",
    inner: Box | None = None,
) -> Features:
    """Compute the features of a block, or of the inner part of one; its borders reflect.

    Parameters
    ----------
    block : ndarray, shape (z, y, x)
        Finite normalised grey values.
    voxel_size : (float, float, float)
        (z, y, x), in the unit of the scales.
    settings : FeatureSettings
    device : str
        Of torch.
    inner : (slice, slice, slice), optional
        The part whose features are asked for: within a volume give a block with its `halo` around that.

    Returns
    -------
    ndarray, shape (features, z, y, x), float32
        In the order of `feature_names`; derivatives are multiplied by the scale once per order and so are grey values.
    """
    import torch

    from napari_nanoct.cracks.derivatives import bordered, smooth

    values = torch.from_numpy(np.ascontiguousarray(block, np.float32)).to(device)
    inner = inner or whole_box(block.shape)
    wider = tuple(slice(part.start, part.stop + 2) for part in inner)
    out = torch.empty((len(feature_names(settings)), *values[inner].shape), device=device)
    out[0] = values[inner]
    for number, scale in enumerate(settings.scales):
        smoothed = bordered(smooth(_exact(values), scale, voxel_size))
        _from_smoothed(smoothed[wider], voxel_size, scale, out[_rows(number)])
    return out.cpu().numpy()


def slice_features(
    volume: Any,
    index: int,
    voxel_size: Spacing,
    settings: FeatureSettings,
    window: Window | None = None,
    device: str = "cpu",
) -> Features:
    """Compute the features of one slice, or of a window of it: those of the whole volume there, at 2-D cost.

    Parameters
    ----------
    volume : array-like, shape (z, y, x)
        Finite normalised grey values; anything that can be sliced and made an array. The planes within the `halo` of
        the slice alone are read.
    index : int
        The slice.
    voxel_size, settings, device
        As for `volume_features`.
    window : (y0, y1, x0, x1), optional
        Only this part; by default the whole slice.

    Returns
    -------
    ndarray, shape (features, y, x), float32
    """
    import torch

    y0, y1, x0, x1 = window or (0, volume.shape[1], 0, volume.shape[2])
    reach = halo(settings, voxel_size)
    around = ((index, index + 1), (y0, y1), (x0, x1))
    block = torch.from_numpy(_read(volume, around, reach)).to(device)
    height, width = block.shape[1:]
    out = torch.empty((len(feature_names(settings)), y1 - y0, x1 - x0), device=device)
    out[0] = block[reach[0], reach[1] : height - reach[1], reach[2] : width - reach[2]]
    across = [_taps(scale, voxel_size[0], reach[0], device) for scale in settings.scales]
    planes = (torch.cat(across) @ block.view(len(block), -1)).view(-1, 3, height, width)
    for number, scale in enumerate(settings.scales):
        y, x = (radius(scale, size) + 1 for size in voxel_size[1:])
        part = planes[number][:, reach[1] - y : height - reach[1] + y, reach[2] - x : width - reach[2] + x]
        down = _bands(_taps(scale, voxel_size[1], y, device), y1 - y0)
        along = _bands(_taps(scale, voxel_size[2], x, device), x1 - x0)
        # Along z, y and x together two derivatives at most: of order 0, 1, 2 along z go on 3, 2, 1 orders along y.
        by_rows = [_filtered(part[z], down[: 3 - z]) for z in range(3)]
        jet = {
            (z, y): _filtered(by_rows[z][y].t(), along[: 3 - z - y]).transpose(1, 2)
            for z in range(3)
            for y in range(3 - z)
        }
        _from_jet(jet, out[_rows(number)])
    return out.cpu().numpy()


def _rows(number: int) -> slice:
    """Place of the features of a scale among all."""
    return slice(1 + number * len(PER_SCALE), 1 + (number + 1) * len(PER_SCALE))


def _read(volume: Any, around: tuple[tuple[int, int], ...], reach: tuple[int, int, int]) -> NDArray[np.float32]:
    """Read a box with `reach` voxels around it; beyond the volume its mirror image."""
    wanted = [
        mirrored(np.arange(first - more, last + more), length)
        for (first, last), more, length in zip(around, reach, volume.shape, strict=True)
    ]
    part = np.asarray(volume[tuple(slice(int(i.min()), int(i.max()) + 1) for i in wanted)], np.float32)
    return np.ascontiguousarray(part[np.ix_(*(i - i.min() for i in wanted))])


def _taps(sigma: float, size: float, reach: int, device: str) -> Tensor:
    """Weights (3, 2 reach + 1) of the Gaussian and its first two derivatives, these times sigma once per order."""
    import torch

    half = kernel(sigma, size)
    gauss = np.pad([*half[:0:-1], *half], reach + 1 - len(half) + 1)
    first = (gauss[:-2] - gauss[2:]) / 2 * (sigma / size)
    second = (gauss[:-2] + gauss[2:] - 2 * gauss[1:-1]) * (sigma / size) ** 2
    return torch.from_numpy(np.stack([gauss[1:-1], first, second]).astype(np.float32)).to(device)


def _bands(taps: Tensor, kept: int) -> Tensor:
    """Return the band matrices (n, rows, rows + 2 reach) by which taps (n, 2 reach + 1) filter some rows at once."""
    import torch

    rows, length = min(BAND, kept), taps.shape[1]
    matrices = np.zeros((len(taps), rows, rows + length - 1), np.float32)
    for row in range(rows):
        matrices[:, row, row : row + length] = taps.cpu().numpy()
    return torch.from_numpy(matrices).to(taps.device)


def _filtered(plane: Tensor, bands: Tensor) -> Tensor:
    """Filter (y, x) along y by each of n band matrices: (n, y - 2 reach, x).

    One product for all bands of rows, and one for what remains: many small ones would have threads wait for each other.
    """
    import torch

    count, rows, length = bands.shape
    kept, width = plane.shape[0] - length + rows, plane.shape[1]
    whole = kept // rows
    out = plane.new_empty(count, kept, width)
    down, across = plane.stride()
    overlapping = plane.as_strided((whole, length, width), (rows * down, down, across), plane.storage_offset())
    matrix = bands.reshape(1, count * rows, length).expand(whole, -1, -1)
    parts = torch.bmm(matrix, overlapping).view(whole, count, rows, width)
    out[:, : whole * rows].view(count, whole, rows, width).copy_(parts.transpose(0, 1))
    if rest := kept - whole * rows:
        last = bands[:, :rest, : rest + length - rows].reshape(count * rest, -1)
        out[:, whole * rows :] = (last @ plane[whole * rows :]).view(count, rest, width)
    return out


def _from_jet(jet: dict[tuple[int, int], Tensor], out: Tensor) -> None:
    """Fill (6, y, x) with the features at one scale; `jet` has by orders along z and y all orders along x."""
    height, width = out.shape[1:]
    rows = max(1, PIXELS // width)
    for y in range(0, height, rows):
        part = {orders: values[:, y : y + rows] for orders, values in jet.items()}
        slopes = (part[1, 0][0], part[0, 1][0], part[0, 0][1])
        curvatures = (part[2, 0][0], part[1, 1][0], part[1, 0][1], part[0, 2][0], part[0, 1][1], part[0, 0][2])
        _fill(out[:, y : y + rows], part[0, 0][0], slopes, curvatures)


def _from_smoothed(smoothed: Tensor, voxel_size: Spacing, scale: float, out: Tensor) -> None:
    """Fill (6, z, y, x) with the features at one scale of a smoothed block that has a voxel more on every side."""
    from napari_nanoct.cracks.derivatives import gradient, hessian

    depth, height, width = out.shape[1:]
    rows = max(1, PIXELS // width)
    for z in range(depth):
        for y in range(0, height, rows):
            part = smoothed[z : z + 3, y : y + rows + 2]
            slopes = gradient(part, voxel_size, valid=True)[:, 0] * scale
            curvatures = hessian(part, voxel_size, valid=True)[:, 0] * scale**2
            _fill(out[:, z, y : y + rows], part[1, 1:-1, 1:-1], slopes, curvatures)


def _fill(out: Tensor, smoothed: Tensor, slopes: Iterable[Tensor], curvatures: Iterable[Tensor]) -> None:
    """Fill (6, y, x) from the smoothed values, the gradient and the components of the Hessian, in the order of both."""
    import torch

    from napari_nanoct.cracks.derivatives import eigenvalues
    from napari_nanoct.cracks.plates import sheetness

    z, y, x = slopes
    out[0] = smoothed
    out[1] = (z * z + y * y + x * x).sqrt()
    out[2:5] = eigenvalues(_exact(torch.stack(tuple(curvatures))))
    out[5] = sheetness(out[2:5])


def _exact(values: Tensor) -> Tensor:
    """Return float64, except on Apple's GPUs, which lack it: differences of smooth values, and nearly equal
    eigenvalues, lose half of the digits."""
    return values if values.device.type == "mps" else values.double()
