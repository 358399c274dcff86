"""Polydisperse particles pushed apart until they hardly overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Particles:
    """Slightly stretched balls.

    Attributes
    ----------
    centre
        (n, 3) centres (z, y, x) in nanometre.
    radius
        (n,) radii in nanometre (of the ball of equal volume).
    shape
        (n, 3, 3) matrices that turn an offset from the centre into one from a ball of the same radius.
    grey
        (n,) attenuation relative to the material's.
    """

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    shape: NDArray[np.float64]
    grey: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.radius)


def rotations(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """``n`` random rotation matrices, shape (n, 3, 3), uniformly distributed."""
    q, r = np.linalg.qr(rng.normal(size=(n, 3, 3)))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return np.asarray(q * np.sign(np.linalg.det(q))[:, None, None])


def log_uniform(rng: np.random.Generator, limits: tuple[float, float], n: int) -> NDArray[np.float64]:
    """``n`` numbers between ``limits`` whose logarithms are uniform."""
    return np.asarray(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]), n)))


def pack(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    median: float,
    spread: float,
    limits: tuple[float, float],
    fraction: float,
    stretch: float,
) -> Particles:
    """Fill a box with particles of log-normal radii.

    Random positions, then repeated pushing apart of overlapping pairs (Jodrey and Tory, Phys. Rev. A 32, 1985, 2347,
    in its simplest form). Small overlaps remain: touching cathode particles are flattened by calendering.

    Parameters
    ----------
    low, high
        Corners of the box (z, y, x), in nanometre; centres stay inside.
    rng
        Source of the draws.
    median, spread
        Median radius in nanometre and standard deviation of its logarithm.
    limits
        Smallest and largest radius in nanometre.
    fraction
        Volume of the particles over that of the box, up to about 0.65.
    stretch
        Standard deviation of the logarithm of the three axes' stretch.

    Returns
    -------
    Particles
        In the order of falling radius.
    """
    volume = float(np.prod(high - low)) * fraction
    radii: list[float] = []
    while volume > 0:
        radii.append(float(np.clip(median * np.exp(spread * rng.normal()), *limits)))
        volume -= 4 / 3 * np.pi * radii[-1] ** 3
    radius = np.sort(np.array(radii))[::-1]
    centre = _push_apart(rng.uniform(low, high, (len(radius), 3)), radius, low, high)
    return _stretched(centre, radius, rng, stretch)


def _push_apart(
    centre: NDArray[np.float64],
    radius: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    rounds: int = 150,
) -> NDArray[np.float64]:
    from scipy.spatial import cKDTree

    for _ in range(rounds if len(centre) > 1 else 0):
        pairs = cKDTree(centre).query_pairs(2 * float(radius.max()), output_type="ndarray")
        if not len(pairs):
            break
        i, j = pairs[:, 0], pairs[:, 1]
        offset = centre[j] - centre[i]
        distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
        overlap = radius[i] + radius[j] - distance
        if overlap.max() < 0.02 * radius.min():
            break
        push = (np.maximum(overlap, 0) / distance)[:, None] * offset
        # The lighter of two yields more.
        share = (radius[j] ** 3 / (radius[i] ** 3 + radius[j] ** 3))[:, None]
        np.add.at(centre, i, -0.8 * share * push)
        np.add.at(centre, j, 0.8 * (1 - share) * push)
        centre = np.clip(centre, low, high)
    return centre


def scatter(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    rng: np.random.Generator,
    around: Particles,
    *,
    limits: tuple[float, float],
    density: float,
    stretch: float,
) -> Particles:
    """Fines: small particles in the space that ``around`` leaves.

    Parameters
    ----------
    low, high
        Corners of the box (z, y, x), in nanometre.
    rng
        Source of the draws.
    around
        The large particles; fines whose centre lies inside one are dropped.
    limits
        Smallest and largest radius in nanometre; radii are log-uniform between.
    density
        Tries per cubic micrometre.
    stretch
        As for `pack`.

    Returns
    -------
    Particles
        The fines that were kept.
    """
    from scipy.spatial import cKDTree

    tries = int(density * float(np.prod((high - low) / 1000)))
    centre = rng.uniform(low, high, (tries, 3))
    radius = log_uniform(rng, limits, tries)
    if len(around) and tries:
        _, near = cKDTree(around.centre).query(centre, k=min(8, len(around)))
        near = near.reshape(tries, -1)
        gap = np.linalg.norm(centre[:, None] - around.centre[near], axis=-1) - around.radius[near]
        keep = (gap > 0.7 * radius[:, None]).all(axis=1)
        centre, radius = centre[keep], radius[keep]
    return _stretched(centre, radius, rng, stretch)


def _stretched(
    centre: NDArray[np.float64], radius: NDArray[np.float64], rng: np.random.Generator, stretch: float
) -> Particles:
    n = len(radius)
    log_axes = np.clip(stretch * rng.normal(size=(n, 3)), -2 * stretch, 2 * stretch)
    log_axes -= log_axes.mean(axis=1, keepdims=True)
    turn = rotations(rng, n)
    shape = np.einsum("nji,nj,njk->nik", turn, np.exp(-log_axes), turn)
    return Particles(centre, radius, shape, 1 + 0.025 * np.clip(rng.normal(size=n), -2, 2))


def joined(first: Particles, second: Particles) -> Particles:
    """Both sets in one, ``first`` first."""
    return Particles(
        np.concatenate([first.centre, second.centre]),
        np.concatenate([first.radius, second.radius]),
        np.concatenate([first.shape, second.shape]),
        np.concatenate([first.grey, second.grey]),
    )
