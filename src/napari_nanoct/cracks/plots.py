"""Plots of measured cracks; matplotlib figures that a script saves and a dock embeds."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_nanoct.cracks.comparison import Comparison
from napari_nanoct.cracks.measurement import Measurement, Whole
from napari_nanoct.volumes.units import SYMBOLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR = "#2f6f9f"
FLAG = "#d1495b"
"""Of what the original does not prove."""

STRIKES = 18
"""Sectors of the half circle in a rose of strikes."""


def draw_measurement(figure: Figure, measurement: Measurement) -> None:
    """Fill a figure with the apertures, the strikes, the normals and the sizes of measured cracks, two by two.

    Parameters
    ----------
    figure
        An empty one, best with ``layout="constrained"`` and 7 x 6 inches or more.
    measurement
        From `napari_nanoct.cracks.measure.measure_cracks`.
    """
    draw_apertures(figure.add_subplot(2, 2, 1), measurement)
    draw_sizes(figure.add_subplot(2, 2, 2), measurement)
    draw_rose(figure.add_subplot(2, 2, 3, projection="polar"), measurement)
    draw_stereonet(figure.add_subplot(2, 2, 4, projection="polar"), measurement)


def draw_apertures(axes: Axes, measurement: Measurement) -> None:
    """Area of mid-surface by aperture, and its mean."""
    whole, unit = measurement.whole, length_symbol(measurement)
    edges, area = whole.aperture_edges, whole.aperture_area
    axes.bar(edges[:-1], area, np.diff(edges), align="edge", color=COLOUR, edgecolor="white", linewidth=0.4)
    if np.isfinite(whole.aperture_mean):
        axes.axvline(whole.aperture_mean, color="0.2", linewidth=1, linestyle="--")
        label = f" mean {whole.aperture_mean:.3g} {unit}"
        side = "left" if whole.aperture_mean < edges[-1] / 2 else "right"
        transform = axes.get_xaxis_transform()
        axes.text(whole.aperture_mean, 0.96, label, transform=transform, ha=side, va="top", fontsize=8)
    axes.set(xlabel=f"aperture / {unit}", ylabel=f"mid-surface area / {unit}²", xlim=(0, edges[-1]))
    _plain(axes, "Apertures")


def draw_sizes(axes: Axes, measurement: Measurement) -> None:
    """Mean aperture of every crack over its length; cracks that the original does not prove stand out."""
    unit = length_symbol(measurement)
    known = [crack for crack in measurement.cracks if crack.length > 0 and crack.aperture_mean > 0]
    for flagged, colour, name in ((False, COLOUR, "cracks"), (True, FLAG, "not proven by the original")):
        some = [crack for crack in known if (crack.only_enhanced is True) == flagged]
        if some:
            length, opening = [crack.length for crack in some], [crack.aperture_mean for crack in some]
            axes.scatter(length, opening, 14, color=colour, alpha=0.7, linewidths=0, label=f"{name} ({len(some)})")
    if known:
        axes.set(xscale="log", yscale="log")
        axes.legend(fontsize=8, frameon=False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda value, _: f"{value:g}")
            axis.set_minor_formatter(lambda value, _: "")
    axes.set(xlabel=f"length / {unit}", ylabel=f"mean aperture / {unit}")
    _plain(axes, "Cracks")


def draw_rose(axes: Any, measurement: Measurement) -> None:
    """Strikes in the plane of the slices, by area: where the cracks run in an (y, x) slice.

    A crack counts as much as it is upright, as one that lies in the plane has no strike. Polar axes; x to the right, y
    downwards as in a viewer.
    """
    edges, area = strikes(measurement.whole)
    middle, width = np.radians((edges[:-1] + edges[1:]) / 2), np.radians(np.diff(edges))
    both = np.concatenate([middle, middle + np.pi])
    axes.bar(both, np.tile(area, 2), np.tile(width, 2), color=COLOUR, edgecolor="white", linewidth=0.4)
    axes.set_theta_direction(-1)
    axes.set_xticks(np.radians([0, 90, 180, 270]), ["x", "y", "", ""])
    axes.set_yticklabels([])
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.35)
    axes.set_title(f"Strikes in the slice, by area ({length_symbol(measurement)}²)", fontsize=9)


def draw_stereonet(axes: Any, measurement: Measurement) -> None:
    """Normals on the upper half sphere: density by area, and a ring for every crack (the larger the bigger).

    Lambert's azimuthal equal-area projection (Schmidt net); z in the middle, x to the right, y downwards.
    """
    whole = measurement.whole
    radius = np.sqrt(2) * np.sin(np.radians(whole.inclination_edges) / 2)
    azimuth = np.radians(90 - whole.azimuth_edges)
    solid = (1 / (len(radius) - 1)) * (1 / (len(azimuth) - 1))
    share = whole.orientation_area / max(float(whole.orientation_area.sum()), 1e-300) / solid
    picture = axes.pcolormesh(azimuth, radius, share, cmap="Blues", vmin=0, vmax=max(float(share.max()), 1.0))
    largest = max((crack.area for crack in measurement.cracks), default=0.0)
    for crack in measurement.cracks:
        if crack.area > 0 and np.isfinite(crack.normal[0]):
            z, y, x = crack.normal
            place = np.arctan2(y, x), np.sqrt(2) * np.sin(np.arccos(min(z, 1.0)) / 2)
            size = 6 + 120 * crack.area / largest
            colour = FLAG if crack.only_enhanced else "0.25"
            axes.scatter(*place, size, facecolors="none", edgecolors=colour, linewidths=0.8, clip_on=False)
    axes.set_theta_direction(-1)
    axes.set_ylim(0, 1)
    axes.set_xticks(np.radians([0, 90, 180, 270]), ["x", "y", "", ""])
    axes.set_yticks(np.sqrt(2) * np.sin(np.radians([30, 60]) / 2), ["30°", "60°"])
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.35)
    axes.set_title("Normals (equal area; z in the middle)", fontsize=9)
    bar = axes.figure.colorbar(picture, ax=axes, shrink=0.75, pad=0.1)
    bar.set_label("times uniform", fontsize=8)
    bar.ax.tick_params(labelsize=8)


def draw_recall(axes: Axes, comparison: Comparison) -> None:
    """Share of the known mid-surface that was found, by aperture, a line a layer."""
    edges = comparison.edges
    middle = np.arange(len(edges) - 1)
    colours = ["0.45", COLOUR, FLAG, "#6a994e", "#bc6c25"]
    for number, (name, recall) in enumerate(comparison.recall.items()):
        axes.plot(middle, recall, "o-", color=colours[number % len(colours)], markersize=4, linewidth=1.5, label=name)
    ticks = [f"{low:g}–{high:g}" for low, high in pairwise(edges)]
    axes.set_xticks(middle, ticks)
    axes.set(xlabel="aperture / voxel", ylabel="mid-surface found", ylim=(0, 1.03))
    axes.legend(fontsize=8, frameon=False, loc="lower right")
    axes.grid(axis="y", alpha=0.3)
    _plain(axes, "Recall by aperture")


def draw_layers(figure: Figure, shown: Mapping[str, tuple[NDArray[Any], NDArray[np.bool_]]]) -> None:
    """Slices (y, x) side by side, each with the outline of what was found in it.

    Parameters
    ----------
    figure
        An empty one, best about three inches wide a slice.
    shown
        Grey values and mask by name.
    """
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis, (name, (grey, mask)) in zip(axes, shown.items(), strict=True):
        low, high = np.nanpercentile(grey, (0.5, 99.5))
        axis.imshow(grey, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
        if mask.any() and not mask.all():
            axis.contour(mask.astype(float), [0.5], colors=[FLAG], linewidths=0.8)
        axis.set_title(name, fontsize=9)
        axis.set_axis_off()


def strikes(whole: Whole) -> tuple[Any, Any]:
    """Histogram of strikes: edges (n + 1,) in degrees from x towards y, 0 to 180, and area by sector (n,).

    The strike of a normal is at right angles to its part in the slice; its area counts times the sine of the angle to
    z, the share of the surface that stands upright.
    """
    tilt = np.radians((whole.inclination_edges[:-1] + whole.inclination_edges[1:]) / 2)
    weight = (whole.orientation_area * np.sin(tilt)[:, None]).sum(axis=0)
    azimuth = (whole.azimuth_edges[:-1] + whole.azimuth_edges[1:]) / 2
    # An azimuth counts from y towards x: the normal is (cos, sin) in (y, x), the strike at right angles (-sin, cos).
    edges = np.linspace(0, 180, STRIKES + 1)
    return edges, np.histogram(-azimuth % 180, edges, weights=weight)[0]


def length_symbol(measurement: Measurement) -> str:
    """Short name of the unit of length: "voxel" where it is not known."""
    unit = measurement.geometry.unit
    return "voxel" if unit == "pixel" else SYMBOLS[unit]


def _plain(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)
    axes.spines[["top", "right"]].set_visible(False)
