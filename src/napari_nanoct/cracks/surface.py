"""The mid-surface of a crack, as points between the voxels with a normal and an area each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.measurement import Triple

WINDOW = 3.0
"""Standard deviation of the window that a plane is fitted in, in mean voxels."""

REACH = 2.5
"""Where the window ends, in its standard deviations."""

# How far from a point on the rim of a crack the centre of gravity lies, in standard deviations: 0.8 for a straight one,
# more for a bent one; measured on discs of 10 to 40 voxels radius so that their areas come out right.
_RIM = 0.9

# Part of a normal along an axis below which that axis is not looked along.
_GRAZING = 0.2


@dataclass(frozen=True, eq=False)
class Surface:
    """Points of a mid-surface.

    Attributes
    ----------
    voxel
        (n, 3) the voxel that the point is next to.
    position
        (n, 3) in the unit of the voxel size, from the centre of the first voxel.
    normal
        (n, 3) unit vectors.
    area
        (n,) of the part of the surface that the point stands for.
    """

    voxel: NDArray[np.intp]
    position: NDArray[np.float64]
    normal: NDArray[np.float64]
    area: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.area)

    def __getitem__(self, which: slice | NDArray[np.bool_]) -> Surface:
        return Surface(self.voxel[which], self.position[which], self.normal[which], self.area[which])


def mean_voxel(voxel_size: Triple) -> float:
    """Edge length of the cube that has the volume of a voxel."""
    return float(np.prod(voxel_size)) ** (1 / 3)


def mid_surface(
    mask: NDArray[np.bool_], voxel_size: Triple, allowed: NDArray[np.bool_] | None = None, *, slices: int = 0
) -> Surface:
    """Find the mid-surface of one crack.

    Around every voxel of the crack, and next to it, a plane is fitted to the crack's voxels under a Gaussian window:
    through their centre of gravity, across the direction in which they extend least. The mid-surface passes between two
    neighbours where the centre of gravity changes from one side to the other (a mode of the window's density: Comaniciu
    and Meer, IEEE PAMI 24, 2002, 603). A plane cuts every line of voxels once, and as many lines along an axis as its
    shadow along it has: a cut along axis i stands for ``n_i`` squared of its part of the plane, which is the face of
    the voxel there over ``n_i``. These add up to the plane's area on any grid. Cracks of more than about two
    standard deviations of the window (6 voxels) lose some at their rims.

    Parameters
    ----------
    mask
        (z, y, x) the crack.
    voxel_size
        Edge lengths (z, y, x).
    allowed
        Where points may lie beside the crack: not in another. Everywhere by default.
    slices
        Of the volume, if the crack reaches from the first to the last; 0 for any other crack. One that a thin volume
        cuts on both sides is taken to go straight on beyond, in one slice upright: else its side on would be taken for
        its plane.
    """
    from scipy.ndimage import binary_dilation, generate_binary_structure

    size = np.array(voxel_size)
    near = binary_dilation(mask, generate_binary_structure(3, 2))
    if allowed is not None:
        near &= allowed | mask
    sigma = WINDOW * mean_voxel(voxel_size)
    at = np.argwhere(near)
    offset, covariance = _moments(mask, at, voxel_size, sigma)
    if slices:
        covariance += _beyond(covariance[:, 0], sigma**2, (slices**2 - 1) / 12 * size[0] ** 2)
    normal = np.linalg.eigh(covariance)[1][:, :, 0]
    across = np.einsum("ni,ni->n", offset, normal)
    along = offset - across[:, None] * normal
    square = (along**2).sum(axis=1)
    # Two standard deviations of what is in the window: where a disc ends that is smaller than the window.
    inside = (square <= (_RIM * sigma) ** 2) & (square**2 <= 4 * np.einsum("ni,nij,nj->n", along, covariance, along))
    number = np.full([length + 1 for length in near.shape], -1, np.intp)
    number[tuple(at.T)] = np.arange(len(at))
    cuts = []
    for axis in range(3):
        step = np.eye(3, dtype=np.intp)[axis]
        upper = number[tuple((at + step).T)]
        low = np.flatnonzero(upper >= 0)
        high = upper[low]
        same = np.where(np.einsum("ni,ni->n", normal[low], normal[high]) < 0, -1, 1)
        # The middle is a mode: ahead of it the centre of gravity lies ahead, beyond it behind.
        ahead = np.where(normal[low, axis] < 0, -1, 1)
        here, there = ahead * across[low], ahead * same * across[high]
        cut = (here >= 0) & (there < 0)
        low, high, same = low[cut], high[cut], same[cut]
        share = here[cut] / (here[cut] - there[cut])
        closer = np.where(share < 0.5, low, high)
        mean = (1 - share)[:, None] * normal[low] + (share * same)[:, None] * normal[high]
        mean /= np.linalg.norm(mean, axis=1)[:, None]
        steep = np.abs(mean[:, axis])
        keep = inside[closer] & (steep > _GRAZING)
        # What grazing cuts stood for is left to the others.
        weight = np.where(np.abs(mean) > _GRAZING, mean**2, 0).sum(axis=1)
        position = (at[low] + share[:, None] * step) * size
        area = steep / weight * np.prod(size) / size[axis]
        cuts.append((at[closer][keep], position[keep], mean[keep], area[keep]))
    voxel, position, normal, area = (np.concatenate(part) for part in zip(*cuts, strict=True))
    return Surface(voxel, position, normal, area)


def _beyond(along: NDArray[np.float64], whole: float, seen: float) -> NDArray[np.float64]:
    """Return what a covariance lacks where the volume shows the variance `seen` along z, not that of the whole window.

    ``along`` (n, 3) is its row for z: over its first value the direction in which the crack runs from slice to slice.
    """
    if seen == 0:
        return np.diag([whole, 0.0, 0.0])
    factor = max(0.0, whole / seen - 1) / np.maximum(along[:, 0], 1e-3 * seen)
    return np.asarray(factor[:, None, None] * along[:, :, None] * along[:, None, :])


def _moments(
    mask: NDArray[np.bool_], at: NDArray[np.intp], voxel_size: Triple, sigma: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre of gravity (n, 3) and covariance (n, 3, 3) of a mask about each voxel ``at``, under a Gaussian window.

    The moments are products of one-dimensional ones: along z and y they are filtered, along x they are summed at the
    wanted voxels alone.
    """
    from scipy.ndimage import correlate1d

    kernels = []
    for size in voxel_size:
        radius = int(REACH * sigma / size)
        u = size * np.arange(-radius, radius + 1)
        weight = np.exp(-(u**2) / (2 * sigma**2))
        kernels.append([(weight * u**p).astype(np.float32) for p in range(3)])
    reach = len(kernels[2][0]) // 2
    columns = at[:, 2, None] + np.arange(2 * reach + 1)
    found = {}
    for p in range(3):
        plane = correlate1d(mask.astype(np.float32), kernels[0][p], axis=0, mode="constant")
        for q in range(3 - p):
            rows = correlate1d(plane, kernels[1][q], axis=1, mode="constant")
            lines = np.pad(rows, ((0, 0), (0, 0), (reach, reach)))[at[:, 0, None], at[:, 1, None], columns]
            for r in range(3 - p - q):
                found[p, q, r] = (lines @ kernels[2][r]).astype(np.float64)
    total = np.maximum(found[0, 0, 0], 1e-12)
    offset = np.stack([found[1, 0, 0], found[0, 1, 0], found[0, 0, 1]], axis=1) / total[:, None]
    second = [
        [found[2, 0, 0], found[1, 1, 0], found[1, 0, 1]],
        [found[1, 1, 0], found[0, 2, 0], found[0, 1, 1]],
        [found[1, 0, 1], found[0, 1, 1], found[0, 0, 2]],
    ]
    covariance = np.stack([np.stack(row, axis=1) for row in second], axis=1) / total[:, None, None]
    return offset, covariance - offset[:, :, None] * offset[:, None, :]
