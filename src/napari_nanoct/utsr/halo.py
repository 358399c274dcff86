"""How far the result at a pixel depends on its surroundings, measured on a picture."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_nanoct.utsr.network import UTSR
from napari_nanoct.utsr.resampling import pad_reflect

TOLERANCE = 1e-3


def halo_error(network: UTSR, picture: Tensor, halo: int) -> float:
    """Return the largest difference, as a fraction of the range, between a tile with this halo and the whole.

    Parameters
    ----------
    network : UTSR
    picture : Tensor, shape (y, x), float32
        Normalised grey values; at least ``2 * halo + 2 * period`` a side.
    halo : int
        Input pixels, a multiple of the period.
    """
    period, scale = network.period, network.scale
    core = 2 * period
    middle = min(picture.shape) // 2 // period * period
    margin = max(halo, 3 * period)
    with torch.inference_mode():
        start = max(middle - margin, 0)
        whole = network(picture[None, None, start : middle + core + margin, start : middle + core + margin])
        tile = network(picture[None, None, middle - halo : middle + core + halo, middle - halo : middle + core + halo])
    offset = (middle - start) * scale
    inner = slice(halo * scale, (halo + core) * scale)
    outer = slice(offset, offset + core * scale)
    return float((whole[0, 0, outer, outer] - tile[0, 0, inner, inner]).abs().max())


def measure_halo(network: UTSR, picture: Tensor) -> int:
    """Return the smallest halo whose tiles equal the whole slice to 1e-3 of the range.

    A multiple of the network's window period, at most three periods, which is as far as the comparison reaches.

    Parameters
    ----------
    network : UTSR
    picture : Tensor, shape (y, x), float32
        Normalised grey values; mirrored where it is smaller than ten periods.
    """
    bottom, right = (max(10 * network.period - extent, 0) for extent in picture.shape)
    picture = pad_reflect(picture, 0, bottom, 0, right)
    halo = network.period
    while halo < 3 * network.period and halo_error(network, picture, halo) > TOLERANCE:
        halo += network.period
    return halo
