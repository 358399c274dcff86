"""Smooth random fields that are a function of position alone, so that any block of a volume can be made by itself.

A field is a lattice of random numbers, one hash of its integer position each, blended by cubic B-splines. On a grid the
blend is separable: one small matrix product per axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Mean over all positions of the sum of squared cubic B-spline weights, one axis (151/315): scales a field to unit s.d.
_SPLINE_POWER = 151 / 315
_GOLDEN = 0x9E3779B97F4A7C15


def _hash(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers (the finaliser of SplitMix64, Steele et al., OOPSLA 2014)."""
    values = values + np.uint64(_GOLDEN)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def lattice(nodes: Sequence[NDArray[np.int64]], seed: int) -> NDArray[np.float32]:
    """Independent numbers of zero mean and unit variance, close to normal, at the integer positions ``nodes``."""
    state = _hash(np.full((1,) * len(nodes), seed % 2**64, dtype=np.uint64))
    for axis, index in enumerate(nodes):
        shape = [1] * len(nodes)
        shape[axis] = len(index)
        state = _hash(state ^ index.astype(np.uint64).reshape(shape))
    # The sum of the four 16-bit words of a hash: nearly normal, without a logarithm.
    words = np.ascontiguousarray(state)[..., None].view(np.uint16)
    total = words.sum(axis=-1, dtype=np.float32)
    return np.asarray((total - 2 * 65535) / (65536 * np.sqrt(4 / 12)), dtype=np.float32)


def _spline(position: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Cubic B-spline weights (points, nodes) of the lattice nodes around ``position`` and the nodes' indices."""
    base = np.floor(position).astype(np.int64)
    t = position - base
    taps = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    first = int(base.min()) - 1
    nodes = np.arange(first, int(base.max()) + 3)
    weights = np.zeros((len(position), len(nodes)), dtype=np.float32)
    columns = base[:, None] - 1 - first + np.arange(4)
    np.put_along_axis(weights, columns, taps.astype(np.float32), axis=1)
    return weights, nodes


def smooth_noise(axes: Sequence[NDArray[np.float64]], length: float, seed: int) -> NDArray[np.float32]:
    """Smooth noise of zero mean and unit standard deviation on a grid.

    Parameters
    ----------
    axes
        Coordinates along each axis of the grid (any number of axes), in nanometre.
    length
        Distance of the lattice nodes in nanometre; structures are about twice as wide.
    seed
        Names the field: the same seed, length and position give the same value, whatever the grid.

    Returns
    -------
    NDArray[np.float32]
        Field of shape ``tuple(len(a) for a in axes)``, no unit.
    """
    splines = [_spline(np.asarray(axis, dtype=np.float64) / length) for axis in axes]
    field = lattice([nodes for _, nodes in splines], seed)
    for axis, (weights, _) in enumerate(splines):
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    scale = _SPLINE_POWER ** (-len(splines) / 2)
    return np.ascontiguousarray(field) * np.float32(scale)


def rough_noise(
    axes: Sequence[NDArray[np.float64]], longest: float, shortest: float, hurst: float, seed: int
) -> NDArray[np.float32]:
    """Self-affine noise: octaves from ``longest`` to ``shortest`` with amplitudes proportional to length ** ``hurst``.

    Fracture surfaces are self-affine with a Hurst exponent near 0.8 (Bouchaud, J. Phys.: Condens. Matter 9, 1997,
    4319); smaller exponents are rougher at short range.

    Parameters
    ----------
    axes
        Coordinates along each axis of the grid, in nanometre.
    longest, shortest
        Longest and shortest lattice distance in nanometre.
    hurst
        Hurst exponent, 0 to 1.
    seed
        Names the field.

    Returns
    -------
    NDArray[np.float32]
        Field of unit standard deviation, shape ``tuple(len(a) for a in axes)``.
    """
    octaves = max(1, int(np.floor(np.log2(max(longest / shortest, 1.0)))) + 1)
    amplitudes = 2.0 ** (-hurst * np.arange(octaves))
    total = np.zeros(tuple(len(axis) for axis in axes), dtype=np.float32)
    for octave, amplitude in enumerate(amplitudes / np.linalg.norm(amplitudes)):
        total += np.float32(amplitude) * smooth_noise(axes, longest / 2**octave, seed + octave)
    return total
