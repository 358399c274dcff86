"""Draw the gallery of docs/phantoms.md: ``python docs/phantoms.py`` from the project's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from napari_nanoct.phantoms import Cathode, CrackSettings, Granular, Layered, Phantom, Pores, phantom

IMAGES = Path(__file__).parent / "images"
SHAPE = (5, 256, 256)
NONE = (0, 0)
# Name: settings and seed.
KINDS = {
    "radial, with branches": (Cathode(cracks=CrackSettings(probability=1, through=0, branch=1)), 1),
    "through the particle": (Cathode(cracks=CrackSettings(probability=1, count=(1, 2), through=1)), 1),
    "between the grains": (
        Cathode(cracks=CrackSettings(probability=1, count=NONE, intergranular=(2, 3), aperture=(40, 150))),
        1,
    ),
    "from border to border": (
        Cathode(
            packing=0.35, matrix=Granular(size=600, attenuation=0.05), cracks=CrackSettings(count=NONE, spanning=2)
        ),
        3,
    ),
    "layered matrix": (
        Cathode(packing=0, fines=0, matrix=Layered(), cracks=CrackSettings(spanning=2, closed=0.02, branch=0.3)),
        2,
    ),
    "granular matrix": (
        Cathode(packing=0, fines=0, matrix=Granular(), cracks=CrackSettings(spanning=2, closed=0.01, branch=0.3)),
        2,
    ),
    "pores of three sizes": (
        Cathode(
            more_pores=(Pores(4.0, (60.0, 110.0)), Pores(0.25, (250.0, 420.0))), cracks=CrackSettings(probability=0)
        ),
        1,
    ),
    "the default": (Cathode(), 1),
}


def main() -> None:
    """Write the two pictures."""
    made = {name: phantom(SHAPE, seed=seed, cathode=cathode) for name, (cathode, seed) in KINDS.items()}
    gallery(made)
    truth({name: made[name] for name in ("radial, with branches", "between the grains", "layered matrix")})


def gallery(made: dict[str, Phantom]) -> None:
    """Every kind, its middle slice."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    for axis, (name, one) in zip(figure.subplots(2, 4).flat, made.items(), strict=True):
        axis.imshow(one.clean[2], cmap="gray", vmin=0, vmax=0.105, interpolation="nearest")
        axis.set_title(name, fontsize=10)
        axis.set_axis_off()
    figure.savefig(IMAGES / "phantoms.png", dpi=90)


def truth(made: dict[str, Phantom], side: int = 110) -> None:
    """The clean slice and its truth, in the square with the most crack."""
    figure = Figure(figsize=(11, 8.2), layout="constrained")
    for row, (name, one) in zip(figure.subplots(len(made), 4), made.items(), strict=True):
        place = busiest(one.mid_surface[2], side)
        clean = one.clean[2][place]
        for axis, title in zip(row, (name, "mask", "mid-surface", "aperture, nm"), strict=True):
            axis.imshow(clean, cmap="gray", vmin=0, vmax=0.105, interpolation="nearest")
            axis.set_title(title, fontsize=10)
            axis.set_axis_off()
        for axis, mask in ((row[1], one.cracks), (row[2], one.mid_surface)):
            shown = np.ma.masked_equal(mask[2][place].astype(float), 0)
            axis.imshow(shown, cmap=ListedColormap(["#ff3b1f"]), interpolation="nearest")
        opening = np.ma.masked_equal(one.aperture[2][place], 0)
        picture = row[3].imshow(opening, cmap="viridis", vmin=0, vmax=240, interpolation="nearest")
        figure.colorbar(picture, ax=row[3], shrink=0.8)
    figure.savefig(IMAGES / "phantoms-truth.png", dpi=90)


def busiest(mask: np.ndarray, side: int) -> tuple[slice, slice]:
    """The square of that side, of a grid of them, with the most of the mask."""
    starts = [(y, x) for y in range(0, mask.shape[0] - side, 12) for x in range(0, mask.shape[1] - side, 12)]
    y, x = max(starts, key=lambda at: int(mask[at[0] : at[0] + side, at[1] : at[1] + side].sum()))
    return slice(y, y + side), slice(x, x + side)


if __name__ == "__main__":
    main()
