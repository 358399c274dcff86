"""Draw the pictures of docs/degradations.md and print its table.

Run from the project's folder: ``python docs/degradations.py DATA`` with the folder that holds ``ct`` and ``natural``.
"""

from __future__ import annotations

import argparse
import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import ndimage
from tifffile import imread

from napari_nanoct.evaluation.protocols import PROTOCOLS, degrade
from napari_nanoct.evaluation.truth import true_slices
from napari_nanoct.quality.noise import noise_power_spectrum
from napari_nanoct.training.degrade_sinogram import Scan, attenuation, reconstruct

IMAGES = Path(__file__).parent / "images"
Image = NDArray[np.float32]

PERFECT = Scan(math.inf, 1.25, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 361, 0.0, 0.0, "ramp", "linear", 0.0, seed=1)
PARTS = {
    "perfect scan": PERFECT,
    "detector PSF, s.d. 1.5 pixels": replace(PERFECT, psf_sigma=1.5),
    "2,000 photons per pixel": replace(PERFECT, counts=2000.0),
    "the same, filter smoothed by 0.9": replace(PERFECT, counts=2000.0, smoothing=0.9),
    "gain errors of 1 %": replace(PERFECT, gain=0.01),
    "flux drift of 10 %": replace(PERFECT, drift=0.1),
    "angles off by 1 degree": replace(PERFECT, jitter=1.0),
    "60 angles": replace(PERFECT, angles=60),
    "40 degrees missing": replace(PERFECT, missing=40.0, missing_from=20.0),
    "edge fringes, 1.5 pixels": replace(PERFECT, fringe=1.5, psf_sigma=0.7),
}


def main() -> None:
    """Write the three pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    torch.set_num_threads(1)
    phantom = next(iter(true_slices(["phantom:1"]))).image
    IMAGES.mkdir(exist_ok=True)
    protocols(phantom)
    parts(phantom)
    noise(data / "ct", phantom)


def protocols(truth: Image) -> None:
    """Every protocol and level at factor 2."""
    panels = {"phantom": truth}
    for protocol, levels in PROTOCOLS.items():
        for level in range(levels):
            title = f"{protocol} {level + 1}" if levels > 1 else protocol
            panels[title] = degrade(truth, protocol, level, 2, seed=5)
    figure = Figure(figsize=(11, 5.8), layout="constrained")
    for axis, (title, image) in zip(figure.subplots(2, 4).flat, panels.items(), strict=True):
        show(axis, image, title)
    save_grey(figure, "degradations.png", 100)


def parts(truth: Image) -> None:
    """Every part of the scan alone, strong enough to be seen."""
    figure = Figure(figsize=(15, 6.4), layout="constrained")
    high = torch.from_numpy(truth)[None, None]
    for axis, (title, scan) in zip(figure.subplots(2, 5).flat, PARTS.items(), strict=True):
        show(axis, reconstruct(high, 1, scan, attenuation(high, scan))[0, 0].numpy(), title)
    save_grey(figure, "degradations-parts.png", 70)


def noise(folder: Path, phantom: Image) -> None:
    """Compare the model's noise spectrum and rings with those of real slices; prints the table."""
    shown = {}
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            pages = imread(folder / row["file"])
            if row["sample"] not in shown and pages.ndim == 2:
                shown[row["sample"]] = normalised(pages)
    scan = replace(PERFECT, psf_sigma=0.5, gain=0.002, drift=0.01)
    high = torch.from_numpy(phantom)[None, None]
    modelled = {f"sinogram {n + 1}": degrade(phantom, "sinogram", n, 1, seed=5) for n in range(3)}
    for window in ("shepp-logan", "hann"):
        other = replace(scan, counts=2000.0, window=window)
        modelled[f"sinogram 2, {window}"] = reconstruct(high, 1, other, attenuation(high, other))[0, 0].numpy()
    for width in (0.5, 0.9):
        other = replace(scan, counts=2000.0, smoothing=width)
        modelled[f"sinogram 2, smoothed {width}"] = reconstruct(high, 1, other, attenuation(high, other))[0, 0].numpy()

    figure = Figure(figsize=(14, 9), layout="constrained")
    axes = figure.subplots(2, 2)
    print("| slice | noise s.d. | half of its power below | rings s.d. | off axis | two halves agree |")
    print("| --- | --- | --- | --- | --- | --- |")
    for axis, images in ((axes[0, 0], shown), (axes[0, 1], modelled)):
        for number, (name, image) in enumerate(images.items()):
            frequency, power, spread = flat_noise(image, None if images is shown else phantom)
            share = np.cumsum(power * frequency) / (power * frequency).sum()
            middle = float(np.interp(0.5, share, frequency))
            left = image if images is shown else image - phantom
            profiles, off = ring_profiles(left), ring_profiles(left, image.shape[1] / 8)
            agree = float(np.corrcoef(*profiles)[0, 1])
            print(f"| {name} | {spread:.3f} | {middle:.2f} | {profiles.std():.4f} | {off.std():.4f} | {agree:+.2f} |")
            axis.plot(frequency, power / power.mean(), "-" if number < 10 else "--", label=name)
        axis.set(xlabel="cycles per pixel", ylabel="noise power / its mean", yscale="log", ylim=(4e-3, 60))
        axis.legend(fontsize=8, ncols=2, loc="upper right")
    axes[0, 0].set_title("real slices, flattest patches")
    axes[0, 1].set_title("scans of the phantom, less the phantom in its flattest patches")
    rings = {
        "nerve, X-ray CT": shown["insegtpy_nerve"],
        "sandstone": shown["sandstone"],
        "scan, level 1": modelled["sinogram 1"],
    }
    strong = replace(PERFECT, gain=0.005)
    rings["scan, gain errors of 0.5 % alone"] = reconstruct(high, 1, strong, attenuation(high, strong))[0, 0].numpy()
    for number, (name, image) in enumerate(rings.items()):
        profile = ring_profiles(image - phantom if name.startswith("scan,") else image)[0]
        axes[1, 0].plot(np.linspace(0, 1, len(profile)), profile + 0.08 * number, label=name, linewidth=0.8)
    axes[1, 0].set(xlabel="share of the radius", ylabel="share of the range (each curve 0.08 higher)")
    axes[1, 0].set_title("rings: median over half a turn, less its trend")
    axes[1, 0].legend(fontsize=8, loc="upper right")
    turned = polar(rings["scan, gain errors of 0.5 % alone"])[::4]
    turned -= ndimage.gaussian_filter1d(turned, 6, axis=1)
    axes[1, 1].imshow(turned, cmap="gray", vmin=-0.1, vmax=0.1, aspect="auto", interpolation="nearest")
    axes[1, 1].set(xlabel="radius, pixels", ylabel="angle", yticks=[])
    axes[1, 1].set_title("scan with gain errors of 0.5 %, polar, less its trend: rings are upright lines")
    figure.savefig(IMAGES / "degradations-noise.png", dpi=75)


def flat_noise(
    image: Image, truth: Image | None, side: int = 32
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Noise power by frequency, and its standard deviation, in the flattest 3 % of the patches inside the circle.

    Flat is where a smoothed slice varies least; without a truth, structure that is left counts as noise.
    """
    smooth = ndimage.gaussian_filter(image if truth is None else truth, 2)
    height, width = image.shape
    found = []
    for y in range(0, height - side + 1, side // 2):
        for x in range(0, width - side + 1, side // 2):
            place = (slice(y, y + side), slice(x, x + side))
            inside = (
                math.hypot(y + side / 2 - height / 2, x + side / 2 - width / 2) + 0.71 * side < min(height, width) / 2
            )
            if inside and image[place].std() > 1e-3:
                found.append((float(smooth[place].std()), place))
    found.sort(key=lambda entry: entry[0])
    patches = np.stack(
        [image[place] if truth is None else (image - truth)[place] for _, place in found[: max(8, len(found) // 33)]]
    )
    spectrum = noise_power_spectrum(patches, patch=side)
    return spectrum.frequency, spectrum.radial, float(np.median(patches.std(axis=(1, 2))))


def polar(image: Image, shift: float = 0.0) -> Image:
    """The slice by (angle, radius) about its middle, or about a point ``shift`` pixels beside it."""
    y, x = ((extent - 1) / 2 for extent in image.shape)
    radius = np.arange(int(min(image.shape) / 2 - shift) - 2)
    angle = np.linspace(0, 2 * np.pi, 1440, endpoint=False)[:, None]
    return ndimage.map_coordinates(image, [y + radius * np.sin(angle), x + shift + radius * np.cos(angle)], order=1)


def ring_profiles(image: Image, shift: float = 0.0) -> NDArray[np.float64]:
    """Median over each half turn by radius, less its trend: rings, where there are any; shape (2, radii)."""
    halves = np.split(polar(image, shift), 2)
    profiles = [np.median(half - ndimage.gaussian_filter1d(half, 6, axis=1), axis=0) for half in halves]
    return np.stack(profiles)[:, len(profiles[0]) // 6 : len(profiles[0]) * 17 // 20]


def normalised(pages: NDArray[np.generic]) -> Image:
    """The 0.5 to 99.5 percentile range as 0 to 1."""
    page = pages.astype(np.float32)
    low, high = np.percentile(page, (0.5, 99.5))
    return (page - low) / (high - low)


def save_grey(figure: Figure, name: str, dpi: int) -> None:
    """Write a picture without colour, a third of the size."""
    figure.savefig(IMAGES / name, dpi=dpi)
    with PIL.Image.open(IMAGES / name) as picture:
        grey = picture.convert("L")
    grey.save(IMAGES / name, optimize=True)


def show(axis: object, image: Image, title: str) -> None:
    """Draw a slice in the truth's grey window."""
    axis.imshow(image, cmap="gray", vmin=-0.1, vmax=1.1, interpolation="nearest")  # type: ignore[attr-defined]
    axis.set_title(title, fontsize=10)  # type: ignore[attr-defined]
    axis.set_axis_off()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
