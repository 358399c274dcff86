"""Thin cracks: rough, bent mid-surfaces, or the boundaries of grains, with an aperture that closes at the front."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.phantoms.grains import grain_centres
from napari_nanoct.phantoms.noise import rough_noise, smooth_noise
from napari_nanoct.phantoms.partial_volume import slab_share, through_cube

Kind = Literal["radial", "through", "branch", "intergranular", "spanning", "closed"]
Axes = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]

# No point of a grain is farther from its centre than this many mean widths: the diagonal of its cube.
_GRAIN = 1.75


@dataclass(frozen=True)
class Crack:
    """One crack as a height field over a plane, in nanometre.

    Attributes
    ----------
    particle
        Index of the particle that it is in; it stays inside that one. -1: it runs through all that is dense.
    kind
        ``"radial"`` (from the core outwards), ``"through"`` (cuts the particle), ``"branch"``, ``"intergranular"``
        (radial, between the grains of a particle), ``"spanning"`` (from border to border of the volume: it has no
        front) or ``"closed"`` (anywhere in a dense matrix, ending inside it).
    centre
        (3,) middle of the crack (z, y, x).
    frame
        (3, 3) unit vectors as rows: two in the plane, the normal last.
    extent
        Half lengths along the two in-plane vectors.
    aperture
        Opening in the middle before its variation along the surface.
    bend
        Heights of the overall bend at the ends of the two half lengths.
    roughness
        Standard deviation of the mid-surface's fine height.
    hurst
        Hurst exponent of the surface.
    variation
        Standard deviation of the relative aperture along the surface; 0 also makes the front an ellipse.
    closing
        Whether the aperture closes elliptically towards the front (otherwise it ends with its full width).
    seed
        Names the crack's random fields.
    grain, grain_seed
        Mean width of the grains that it runs between, and the name of their `grain_centres`; 0: it minds no grains.
        Its mid-surface is then made of the boundaries between the grains whose centres lie on either side of the
        height field, each plane.
    """

    particle: int
    kind: Kind
    centre: NDArray[np.float64]
    frame: NDArray[np.float64]
    extent: tuple[float, float]
    aperture: float
    bend: tuple[float, float] = (0.0, 0.0)
    roughness: float = 0.0
    hurst: float = 0.7
    variation: float = 0.35
    closing: bool = True
    seed: int = 0
    grain: float = 0.0
    grain_seed: int = 0

    def reach(self, step: float) -> NDArray[np.float64]:
        """Largest in-plane coordinates (2,) of the maps of that step, in nanometre."""
        return (np.ceil(1.4 * np.array(self.extent) / step) + 1) * step

    def maps(
        self, step: float, window: NDArray[np.float64] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Height of the mid-surface and aperture over the crack's plane.

        Parameters
        ----------
        step
            Distance of the points in nanometre.
        window
            (2, 2) lowest and highest in-plane coordinates that are needed; by default the whole crack. The values do
            not depend on it.

        Returns
        -------
        origin, height, aperture
            In-plane coordinates of the first point (2,), and two maps (nu, nv) in nanometre.
        """
        last = np.rint(self.reach(step) / step)
        first = -last
        if window is not None:
            first, last = np.clip([np.floor(window[0] / step) - 2, np.ceil(window[1] / step) + 2], -last, last)
        u, v = (np.arange(low, high + 1) * step for low, high in zip(first, last, strict=True))
        s, t = u[:, None] / self.extent[0], v[None, :] / self.extent[1]
        length = max(self.extent)
        height = self.bend[0] * s**2 + self.bend[1] * t**2
        if self.roughness:
            shortest = max(60.0, 1.5 * step)
            height = height + self.roughness * rough_noise((u, v), length, shortest, self.hurst, self.seed)
        radius = np.hypot(s, t)
        if self.variation:
            radius = radius / np.clip(1 + 0.15 * smooth_noise((u, v), length / 3, self.seed + 101), 0.6, 1.4)
        shape = np.sqrt(np.clip(1 - radius**2, 0, None)) if self.closing else (radius < 1).astype(float)
        if self.kind == "spanning":
            shape = np.ones_like(shape)
        if self.variation:
            change = self.variation * rough_noise((u, v), length / 2, max(80.0, 2 * step), 0.5, self.seed + 202)
            shape = shape * np.clip(1 + change, 0.15, 2)
        return np.array([u[0], v[0]]), height, self.aperture * shape


@dataclass(frozen=True)
class CrackPart:
    """A crack in the voxels of a grid, all arrays of the box's shape.

    Attributes
    ----------
    box
        Where in the grid the crack may be.
    share
        float32, share of each voxel that lies in the crack, 0 to 1.
    mid_surface
        bool, the crack's mid-surface passes through the voxel.
    aperture
        float32, opening of the crack in nanometre, at the point of its plane next to the voxel; 0 where it is not.
    """

    box: tuple[slice, slice, slice]
    share: NDArray[np.float32]
    mid_surface: NDArray[np.bool_]
    aperture: NDArray[np.float32]


def crack_share(
    crack: Crack, axes: Axes, voxel: float
) -> tuple[tuple[slice, slice, slice], NDArray[np.float32]] | None:
    """Where a crack is and its share of each voxel: `crack_part` without the rest."""
    part = crack_part(crack, axes, voxel)
    return None if part is None else (part.box, part.share)


def crack_part(crack: Crack, axes: Axes, voxel: float) -> CrackPart | None:
    """What a crack is to each voxel of a grid, exact where its surface is plane within the voxel.

    Parameters
    ----------
    crack
        The crack.
    axes
        Coordinates of the voxel centres along z, y and x, in nanometre, ``voxel`` apart.
    voxel
        Edge length of a voxel in nanometre.

    Returns
    -------
    CrackPart or None
        None where the crack does not reach the grid.
    """
    from scipy.ndimage import map_coordinates

    if not _may_reach(crack, axes, voxel):
        return None
    step = 0.75 * voxel
    # One that belongs to no particle may be far larger than the grid: only what the grid needs of it.
    window = _window(crack, axes, voxel) if crack.particle < 0 else None
    origin, height, aperture = crack.maps(step, window)
    # The box that holds the map's plane, widened by the height along the normal.
    reach = float(np.abs(height[aperture > 0]).max(initial=0) + aperture.max() / 2 + voxel) + _GRAIN * crack.grain
    span = np.append(crack.reach(step), reach) @ np.abs(crack.frame)
    box = []
    for axis, middle, half in zip(axes, crack.centre, span, strict=True):
        first, last = np.searchsorted(axis, [middle - half, middle + half])
        if first == last:
            return None
        box.append(slice(int(first), int(last)))
    z, y, x = (axis[part] - middle for axis, part, middle in zip(axes, box, crack.centre, strict=True))
    offset = [
        (f[0] * z[:, None, None] + f[1] * y[None, :, None] + f[2] * x[None, None, :]).ravel() for f in crack.frame
    ]
    near = np.flatnonzero(np.abs(offset[2]) < reach)
    u, v, w = (values[near] for values in offset)
    place = np.stack([(u - origin[0]) / step, (v - origin[1]) / step])
    opening = map_coordinates(aperture, place, order=1)
    keep = opening > 0
    if crack.grain:
        # A boundary lies between two centres on either side of the height field: two widths hold them and its slope.
        above = np.abs(w - map_coordinates(height, place, order=1))
        keep &= above < 2 * crack.grain + crack.aperture + voxel
    near, w, place, opening = near[keep], w[keep], place[:, keep], opening[keep]
    if not len(near):
        return None
    if crack.grain:
        at = np.unravel_index(near, tuple(part.stop - part.start for part in box))
        points = np.stack([a[i] for a, i in zip((z, y, x), at, strict=True)], axis=1)
        distance, normal = _between_grains(crack, points, origin, height, step)
        distance = distance / voxel
    else:
        slope = [map_coordinates(g, place, order=1) for g in np.gradient(height, step)]
        norm = np.sqrt(1 + slope[0] ** 2 + slope[1] ** 2)
        distance = (map_coordinates(height, place, order=1) - w) / norm / voxel
        along = slope[0] * crack.frame[0][:, None] + slope[1] * crack.frame[1][:, None]
        normal = (crack.frame[2][:, None] - along) / norm
    shape = tuple(part.stop - part.start for part in box)
    made = CrackPart(
        (box[0], box[1], box[2]), np.zeros(shape, np.float32), np.zeros(shape, bool), np.zeros(shape, np.float32)
    )
    # The aperture is the opening across the surface, as a gauge would measure it.
    share = slab_share(distance, opening / voxel, normal)
    made.share.ravel()[near] = share
    made.mid_surface.ravel()[near] = through_cube(distance, normal)
    made.aperture.ravel()[near] = np.where(share > 0, opening, 0)
    return made


def _may_reach(crack: Crack, axes: Axes, voxel: float) -> bool:
    """Whether a crack may touch the grid, from bounds alone: most cracks of a volume miss a slab of it."""
    plane = 1.4 * np.array(crack.extent) + 2 * voxel
    along = 2 * sum(abs(height) for height in crack.bend) + 8 * crack.roughness + 2 * crack.aperture + voxel
    along += _GRAIN * crack.grain
    span = np.append(plane, along) @ np.abs(crack.frame)
    return all(
        axis[0] <= middle + half and axis[-1] >= middle - half
        for axis, middle, half in zip(axes, crack.centre, span, strict=True)
    )


def _window(crack: Crack, axes: Axes, voxel: float) -> NDArray[np.float64]:
    """Lowest and highest in-plane coordinates (2, 2) of a grid, with room for slopes and grains at its border."""
    corners = np.array(list(itertools.product(*((axis[0], axis[-1]) for axis in axes)))) - crack.centre
    flat = corners @ crack.frame[:2].T
    room = 2 * voxel + 4 * crack.grain
    return np.stack([flat.min(axis=0) - room, flat.max(axis=0) + room])


def _between_grains(
    crack: Crack, points: NDArray[np.float64], origin: NDArray[np.float64], height: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signed distance (n,) and normal (3, n) of the boundary between the grains on either side of a height field.

    Points are (n, 3) offsets from the crack's centre. The boundary of two Voronoi cells is the plane midway between
    their centres: exact on the boundary itself, and beside it but where three cells meet.
    """
    from scipy.ndimage import map_coordinates
    from scipy.spatial import cKDTree

    room = 2 * _GRAIN * crack.grain + 2 * crack.aperture
    low, high = points.min(axis=0) - room, points.max(axis=0) + room
    centres = grain_centres(crack.centre + low, crack.centre + high, crack.grain, crack.grain_seed)[0] - crack.centre
    u, v, w = crack.frame @ centres.T
    place = np.stack([(u - origin[0]) / step, (v - origin[1]) / step])
    above = w > map_coordinates(height, place, order=1, mode="nearest")
    if above.all() or not above.any():
        return np.full(len(points), np.inf), np.repeat(crack.frame[2][:, None], len(points), axis=1)
    below_at, above_at = (part[cKDTree(part).query(points)[1]] for part in (centres[~above], centres[above]))
    apart = above_at - below_at
    normal = apart / np.linalg.norm(apart, axis=1)[:, None]
    return np.einsum("ni,ni->n", (above_at + below_at) / 2 - points, normal), normal.T
