"""The picture of a demo: before, after and truth, and a profile across a crack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_nanoct.phantoms import Acquisition, Phantom

_HALF_LINE = 14
_PATCH = 9
_LINE, _AFTER = "#ffb000", "#0072b2"


@dataclass(frozen=True)
class Spot:
    """A place on a crack: slice, row, column, and the in-plane unit vector (y, x) across it."""

    z: int
    y: int
    x: int
    across: tuple[float, float]

    def line(self, half: float = _HALF_LINE, step: float = 0.25) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distances along the profile in voxels (n,), and its points (2, n) as rows and columns."""
        distance = np.arange(-half, half + step / 2, step)
        return distance, np.array([[self.y], [self.x]]) + np.array(self.across)[:, None] * distance


def find_crack(made: Phantom, seed: int = 0) -> Spot:
    """Choose a place where one crack stands alone, straight and some two voxels wide, from the truth alone.

    Parameters
    ----------
    made
        The phantom.
    seed
        For the choice of the places that are tried.

    Returns
    -------
    Spot
        The best place; the middle of the volume where there is no crack at all.
    """
    from scipy.ndimage import map_coordinates

    height, width = made.clean.shape[1:]
    margin = min(40, max(_PATCH, min(height, width) // 4))
    places = np.argwhere(made.cracks[:, margin : height - margin, margin : width - margin]) + np.array(
        [0, margin, margin]
    )
    middle = Spot(made.clean.shape[0] // 2, height // 2, width // 2, (0.0, 1.0))
    if not len(places):
        return middle
    places = np.random.default_rng(seed).permutation(places)[:4000]

    solid = (made.particles & ~made.pores).astype(np.float32)
    best, chosen = -np.inf, middle
    for z, y, x in places:
        patch = made.crack_share[z, y - _PATCH : y + _PATCH + 1, x - _PATCH : x + _PATCH + 1]
        across, straight = _direction(patch)
        spot = Spot(int(z), int(y), int(x), across)
        distance, points = spot.line()
        share = map_coordinates(made.crack_share[z], points, order=1, mode="nearest")
        body = map_coordinates(solid[z], points, order=1, mode="nearest")
        near = np.abs(distance) <= 4
        opening, others = share[near].sum() * 0.25, share[~near].sum() * 0.25
        centred = abs((share[near] * distance[near]).sum()) / max(share[near].sum(), 1e-6)
        score = straight - 0.4 * abs(opening - 2.2) - 2 * others - 12 * (1 - body.mean()) - 0.3 * centred
        if score > best:
            best, chosen = score, spot
    return chosen


def _direction(patch: NDArray[np.float32]) -> tuple[tuple[float, float], float]:
    """Unit vector (y, x) across a line-like patch, and how straight it is: 1 less the root of the moments' ratio."""
    y, x = np.indices(patch.shape)
    mass = patch.sum() + 1e-9
    y, x = y - (patch * y).sum() / mass, x - (patch * x).sum() / mass
    moments = np.array([[(patch * y * y).sum(), (patch * y * x).sum()], [(patch * y * x).sum(), (patch * x * x).sum()]])
    values, vectors = np.linalg.eigh(moments / mass)
    return (float(vectors[0, 0]), float(vectors[1, 0])), float(1 - np.sqrt(max(values[0], 0) / max(values[1], 1e-9)))


def save_picture(
    path: Path, made: Phantom, acquired: Acquisition, *, before: NDArray[Any], after: NDArray[Any], scale: int
) -> None:
    """Draw before, after and truth of one slice, the same around a crack, and the profiles across it.

    Parameters
    ----------
    path
        A .png file.
    made, acquired
        Truth and grey values.
    before, after
        Grey values (z, y, x) on the grid of the truth.
    scale
        Enlargement; for the titles.
    """
    from matplotlib.figure import Figure

    spot = find_crack(made)
    truth = acquired.to_grey(made.clean[spot.z])
    first = "before: input" if scale == 1 else f"before: input, bicubic x{scale}"
    images = {first: before[spot.z], f"after: UTSR x{scale}": after[spot.z], "truth": truth}
    low, high = np.percentile(truth, [0.5, 99.5])
    window = {"cmap": "gray", "vmin": low, "vmax": high}
    voxel = made.geometry.voxel_size[1]
    half = min(32, min(truth.shape) // 4)

    figure = Figure(figsize=(10.2, 9.4), dpi=100, layout="constrained")
    axes = figure.subplot_mosaic("ABC;DEF;PPP", height_ratios=[1, 1, 0.75])
    for (title, image), whole, zoom in zip(images.items(), "ABC", "DEF", strict=True):
        axes[whole].set_title(title)
        axes[whole].imshow(image, **window)
        _outline(axes[whole], spot, half)
        axes[zoom].imshow(image, interpolation="nearest", **window)
        axes[zoom].set_xlim(spot.x - half - 0.5, spot.x + half + 0.5)
        axes[zoom].set_ylim(spot.y + half + 0.5, spot.y - half - 0.5)
        _, points = spot.line()
        axes[zoom].plot(points[1, [0, -1]], points[0, [0, -1]], color=_LINE, linewidth=1.2)
        for name in (whole, zoom):
            axes[name].set_xticks([])
            axes[name].set_yticks([])
            _scale_bar(axes[name], voxel)
    _profiles(axes["P"], images, spot, acquired.grey_range, voxel)
    figure.suptitle(f"Slice {spot.z} of the phantom; all pictures in one grey window", fontsize=11)
    _save_small(figure, path)


def _outline(axes: Axes, spot: Spot, half: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (spot.x - half - 0.5, spot.y - half - 0.5)
    axes.add_patch(Rectangle(corner, 2 * half + 1, 2 * half + 1, fill=False, edgecolor=_LINE, linewidth=1.2))


def _scale_bar(axes: Axes, voxel: float) -> None:
    """A bar of a round length, about a fifth of the picture's width."""
    from matplotlib.patheffects import Normal, Stroke

    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    rough = (right - left) * voxel / 5
    decade = 10 ** np.floor(np.log10(rough))
    length = decade * max(step for step in (1, 2, 5) if step * decade <= rough)
    x0, y0 = left + 0.05 * (right - left), bottom + 0.06 * (top - bottom)
    text = f"{length / 1000:g} µm" if length >= 1000 else f"{length:g} nm"
    outline = [Stroke(linewidth=2.5, foreground="black"), Normal()]
    axes.text(x0, y0 + 0.035 * (top - bottom), text, color="white", fontsize=10, path_effects=outline)
    around = [Stroke(linewidth=6, foreground="black"), Normal()]
    axes.plot([x0, x0 + length / voxel], [y0, y0], "w", linewidth=3.5, solid_capstyle="butt", path_effects=around)


def _profiles(
    axes: Axes, images: dict[str, NDArray[Any]], spot: Spot, grey_range: tuple[float, float], voxel: float
) -> None:
    from scipy.ndimage import map_coordinates

    distance, points = spot.line()
    low, high = grey_range
    styles = (("#8c8c8c", 1.4), (_AFTER, 2.2), ("black", 1.4))
    for (title, image), (colour, width) in zip(images.items(), styles, strict=True):
        grey = map_coordinates(image.astype(np.float64), points, order=1, mode="nearest")
        attenuation = low + grey / 65535 * (high - low)
        axes.plot(distance * voxel, attenuation, color=colour, linewidth=width, label=title)
    axes.set_xlabel("distance across the crack / nm")
    axes.set_ylabel("attenuation / µm⁻¹")
    axes.set_xlim(distance[0] * voxel, distance[-1] * voxel)
    axes.legend(frameon=False, loc="lower right")
    axes.grid(alpha=0.25)


def _save_small(figure: Figure, path: Path) -> None:
    """Save with a palette of greys and the two colours' blends with black, grey and white: a third of the size."""
    import io

    from PIL import Image

    greys = np.repeat(np.linspace(0, 255, 160)[:, None], 3, axis=1)
    blends = [
        ground + np.linspace(0.25, 1, 16)[:, None] * (np.array(_rgb(colour)) - ground)
        for colour in (_LINE, _AFTER)
        for ground in (0, 128, 255)
    ]
    colours = np.rint(np.concatenate([greys, *blends])).astype(np.uint8)
    palette = Image.new("P", (1, 1))
    palette.putpalette(colours.tobytes())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    with Image.open(buffer) as image:
        image.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE).save(path, optimize=True)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue
