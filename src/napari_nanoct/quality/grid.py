"""How much an enhancement depends on where the image begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float


def grid_dependence(
    enhance: Callable[[NDArray[Any]], ArrayLike],
    picture: ArrayLike,
    shifts: Sequence[int] = (1, 2, 8),
    margin: int = 64,
) -> dict[int, float]:
    """Change of the output when the input is moved, as a share of the whole correction.

    A network with windows answers differently where its windows lie differently: false texture. For a shift k the
    picture without its first k rows and columns is enhanced and laid over the enhancement of the whole: the figure is
    the root mean square of their difference, divided by that of output minus input (enlarged bicubically, a = -0.5,
    where the enhancement enlarges). A convolution gives 0; two unrelated answers of one size give 1.41.

    Parameters
    ----------
    enhance
        From a slice (y, x) to one enlarged by a whole factor, for example
        ``lambda plane: enhancer.slice(plane, range, np.float32)`` with one intensity range for all calls.
    picture
        Shape (y, x), finite.
    shifts
        In input pixels, along both axes; multiples of the window period give nothing but rounding.
    margin
        Input pixels at each border that are not compared, as the border itself moves: the network's halo.

    Returns
    -------
    dict
        The share for each shift.

    Raises
    ------
    UserError
        If the picture is too small for margins and shifts, or the output is not it enlarged by a whole factor.
    """
    plane = np.asarray(picture)
    if plane.ndim != 2 or min(plane.shape) <= 2 * margin + max(shifts, default=0):
        raise UserError(f"Grid dependence needs a slice larger than twice the margin of {margin}, not {plane.shape}.")
    whole = np.asarray(enhance(plane), dtype=np.float64)
    factor = whole.shape[0] // plane.shape[0]
    if not factor or whole.shape != (factor * plane.shape[0], factor * plane.shape[1]):
        raise UserError(f"The enhancement turned shape {plane.shape} into {whole.shape}, which is no whole factor.")
    correction = whole - _enlarged(plane, factor)
    border = factor * margin
    result = {}
    for shift in shifts:
        moved = np.asarray(enhance(plane[shift:, shift:]), dtype=np.float64)
        here = tuple(slice(factor * shift + border, extent - border) for extent in whole.shape)
        there = tuple(slice(border, extent - border) for extent in moved.shape)
        change, size = _rms(moved[there] - whole[here]), _rms(correction[here])
        result[shift] = change / size if size else (float("inf") if change else 0.0)
    return result


def _enlarged(plane: NDArray[Any], factor: int) -> Float:
    import torch

    from napari_nanoct.utsr.resampling import enlarge_bicubic

    low = torch.from_numpy(plane.astype(np.float64))[None, None]
    return np.asarray(enlarge_bicubic(low, factor)[0, 0].numpy())


def _rms(values: Float) -> float:
    return float(np.sqrt(np.mean(values**2)))
