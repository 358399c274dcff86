"""Figures and pictures of docs/crack-measures.md: ``python docs/crack_measures.py`` from the project's folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label

from napari_nanoct.cracks.measure import measure_cracks
from napari_nanoct.cracks.measurement import Crack
from napari_nanoct.cracks.plots import COLOUR, draw_measurement
from napari_nanoct.phantoms import Phantom, phantom
from napari_nanoct.phantoms.partial_volume import slab_share
from napari_nanoct.volumes import Geometry, Volume

IMAGES = Path(__file__).parent / "images"
APERTURES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
SIDE, RADIUS, DIRECTIONS = 60, 20.0, 6
SEEDS = (11, 12, 13)
SHAPE = (48, 256, 256)
CLASSES = (0.25, 0.5, 1.0, 2.0, 3.0, 6.0)
PIECES = np.ones((3, 3, 3))


def main() -> None:
    """Print the tables and write the pictures."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    plates(left)
    made = [phantom(SHAPE, seed=seed) for seed in SEEDS]
    phantoms(made, right)
    figure.savefig(IMAGES / "crack-apertures.png", dpi=110)
    evidence(made)
    shown = Figure(figsize=(8.4, 6.8), layout="constrained")
    labels, image = labelled(made[0])
    draw_measurement(shown, measure_cracks(labels, image, pores=made[0].pores))
    shown.savefig(IMAGES / "crack-measures.png", dpi=100)


def plates(axes: Any) -> None:
    """Round plane cracks of exact aperture in random directions: bias and spread of the aperture, error of the area."""
    row("grid", "noise", "aperture", "bias of mean", "spread", "P95 - true", "area")
    for coarse, noise in ((1, 0.05), (1, 0.1), (2, 0.05), (4, 0.05)):
        rng = np.random.default_rng(1)
        middle, spread = [], []
        for aperture in APERTURES:
            found = [plate(aperture, coarse, noise, rng) for _ in range(DIRECTIONS)]
            bias, within, high, area = np.mean(found, axis=0)
            row(f"{coarse}:1", noise, aperture, f"{bias:+.2f}", f"{within:.2f}", f"{high:+.2f}", f"{area - 1:+.1%}")
            middle.append(aperture + bias)
            spread.append(within)
        axes.errorbar(APERTURES, middle, spread, fmt="o", markersize=3, label=f"{coarse}:1, noise {noise:.0%}")
    axes.plot((0, 6.5), (0, 6.5), color="0.6", linewidth=1, zorder=0)
    axes.set(xlabel="true aperture / voxel", ylabel="measured aperture / voxel", title="Plane cracks")
    axes.legend(fontsize=8, frameon=False)


def plate(aperture: float, coarse: int, noise: float, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Bias and spread of the local aperture off the rim, of the 95th percentile, and relative area."""
    normal = rng.standard_normal(3)
    normal /= np.linalg.norm(normal)
    grid = np.indices((SIDE,) * 3).reshape(3, -1) - (SIDE - 1) / 2 - rng.uniform(-0.5, 0.5, 3)[:, None]
    across = normal @ grid
    along = np.sqrt(np.maximum((grid**2).sum(axis=0) - across**2, 0))
    share = slab_share(-across, np.full(across.shape, aperture), np.repeat(normal[:, None], across.size, axis=1))
    share *= np.clip(RADIUS - along + 0.5, 0, 1)
    share = share.reshape(SIDE // coarse, coarse, SIDE, SIDE).mean(axis=1)
    grey = gaussian_filter(1 - share, (1 / coarse, 1, 1))
    labels = (1 - grey > 0.5 * (1 - grey).max()).astype(np.int32)
    grey = grey + noise * rng.standard_normal(grey.shape)
    image = Volume(grey.astype(np.float32), Geometry((float(coarse), 1.0, 1.0)))
    local = np.zeros(labels.shape, np.float32)
    (crack,) = measure_cracks(labels, image, void=0.0, apertures=local).cracks
    inner = local[(labels != 0) & (along.reshape(SIDE // coarse, coarse, SIDE, SIDE).mean(axis=1) < 0.7 * RADIUS)]
    area = crack.area / (np.pi * RADIUS**2)
    return float(inner.mean() - aperture), float(inner.std()), crack.aperture_p95 - aperture, area


def labelled(made: Phantom, noise: float = 0.03) -> tuple[NDArray[np.int32], Volume]:
    """True cracks as labels, and a phantom's grey values blurred by 0.8 voxels, with noise (share of the range)."""
    grey = gaussian_filter(made.clean, 0.8)
    grey += noise * np.ptp(np.percentile(made.clean, (0.5, 99.5))) * np.random.default_rng(0).standard_normal(SHAPE)
    return label(made.cracks, PIECES)[0], Volume(grey.astype(np.float32), made.geometry)


def phantoms(made: Sequence[Phantom], axes: Any) -> None:
    """Rough cracks of phantoms: local aperture and mean aperture of each crack against what was drawn."""
    true, found, of_cracks = [], [], []
    for one in made:
        labels, image = labelled(one)
        local = np.zeros(SHAPE, np.float32)
        cracks = measure_cracks(labels, image, pores=one.pores, apertures=local).cracks
        seen = one.mid_surface & (labels != 0)
        voxel = one.geometry.voxel_size[0]
        true.append(one.aperture[seen] / voxel)
        found.append(local[seen] / voxel)
        for crack in cracks:
            own = one.mid_surface & (labels == crack.id)
            if own.sum() >= 100:
                of_cracks.append((one.aperture[own].mean() / voxel, crack.aperture_mean / voxel))
    drawn, local = np.concatenate(true), np.concatenate(found)
    row("phantoms: aperture", "voxels", "bias", "spread")
    for low, high in pairwise(CLASSES):
        part = (drawn >= low) & (drawn < high)
        error = (local - drawn)[part]
        row(f"{low:g} to {high:g}", part.sum(), f"{error.mean():+.2f}", f"{error.std():.2f}")
    pairs = np.array(of_cracks)
    error = pairs[:, 1] - pairs[:, 0]
    row("mean of a crack", len(pairs), f"{error.mean():+.2f}", f"{error.std():.2f}")
    axes.hexbin(drawn, local, gridsize=60, extent=(0, 5, 0, 5), bins="log", cmap="Blues", linewidths=0)
    axes.plot(*pairs.T, "o", color=COLOUR, markeredgecolor="white", markersize=6, label="mean of a crack")
    axes.plot((0, 5), (0, 5), color="0.6", linewidth=1)
    axes.set(
        xlabel="true aperture / voxel", ylabel="measured aperture / voxel", title="Phantoms", xlim=(0, 5), ylim=(0, 5)
    )
    axes.legend(fontsize=8, frameon=False)


def evidence(made: Sequence[Phantom]) -> None:
    """Cracks that the original has, and the same cracks over the original of the sound twin, which has none."""
    voxels: list[tuple[int, bool, bool]] = []
    for seed, one in zip(SEEDS, made, strict=True):
        sound = phantom(SHAPE, seed=seed, cracks=False)
        labels, image = labelled(one)
        there, absent = (flags(labels, image, one, clean, seed) for clean in (one.clean, sound.clean))
        voxels += [
            (a.voxels, a.only_enhanced is True, b.only_enhanced is True) for a, b in zip(there, absent, strict=True)
        ]
    size, present, gone = (np.array(part) for part in zip(*voxels, strict=True))
    row("evidence: voxels of a crack", "cracks", "flagged, original has it", "flagged, original lacks it")
    for low, high in ((1, 30), (30, 300), (300, 10**9)):
        part = (size >= low) & (size < high)
        row(f"{low} to {high}", part.sum(), f"{present[part].mean():.0%}", f"{gone[part].mean():.0%}")


def flags(
    labels: NDArray[np.int32], image: Volume, one: Phantom, clean: NDArray[np.float32], seed: int
) -> tuple[Crack, ...]:
    """Measure over an original with blur of 1.3 voxels and noise of 10 % of the range."""
    span = float(np.ptp(np.percentile(clean, (0.5, 99.5))))
    noise = 0.1 * span * np.random.default_rng(seed).standard_normal(SHAPE)
    original = Volume((gaussian_filter(clean, 1.3) + noise).astype(np.float32), one.geometry)
    return measure_cracks(labels, image, pores=one.pores, original=original).cracks


def row(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("|", " | ".join(str(cell) for cell in cells), "|", flush=True)


if __name__ == "__main__":
    main()
