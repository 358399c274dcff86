"""Plots: what they show, and that they can be drawn for anything that is measured."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.comparison import compare_masks
from napari_nanoct.cracks.measure import measure_cracks
from napari_nanoct.cracks.plots import draw_layers, draw_measurement, draw_recall, strikes
from napari_nanoct.volumes import Geometry, Volume


def measured(disc, normal, unit="micrometer"):
    grey = gaussian_filter(1 - disc(40, 3.0, normal, 12.0), 1.0).astype(np.float32)
    return measure_cracks((grey < 0.5).astype(int), Volume(grey, Geometry(unit=unit)), void=0.0)


@pytest.mark.parametrize("degrees", [5, 45, 95, 155])
def test_strikes_run_along_the_crack(disc, degrees):
    # A crack that runs at that angle from x towards y in the slice.
    along = np.radians(degrees)
    measurement = measured(disc, (0.0, np.cos(along), -np.sin(along)))
    edges, area = strikes(measurement.whole)
    best = int(np.argmax(area))
    assert edges[best] - 5 <= degrees <= edges[best + 1] + 5
    assert area[best] > 0.7 * area.sum()
    assert area.sum() == pytest.approx(measurement.whole.area, rel=0.02)


def test_a_measurement_is_drawn_with_units(disc):
    figure = Figure(figsize=(8, 6), layout="constrained")
    measurement = measured(disc, (1.0, 0.2, 0.1))
    draw_measurement(figure, measurement)
    figure.canvas.draw()
    apertures, sizes, rose, net, _ = figure.axes
    assert apertures.get_xlabel() == "aperture / µm"
    assert sizes.get_ylabel() == "mean aperture / µm"
    heights = [bar.get_height() for bar in apertures.patches]
    assert sum(heights) == pytest.approx(measurement.whole.area)
    assert rose.name == net.name == "polar"
    # The crack lies nearly in the slice: its normal is near the middle.
    (place,) = net.collections[-1].get_offsets()
    assert place[1] < 0.3


def test_nothing_is_drawn_too():
    figure = Figure(layout="constrained")
    image = Volume(np.ones((5, 6, 7), np.float32), Geometry())
    draw_measurement(figure, measure_cracks(np.zeros((5, 6, 7), int), image))
    figure.canvas.draw()
    assert figure.axes[0].get_xlabel() == "aperture / voxel"


def test_recall_has_a_line_a_layer():
    mask = np.zeros((8, 20, 20), bool)
    mask[4] = True
    comparison = compare_masks({"a": mask, "b": ~mask}, truth=mask, mid_surface=mask, aperture=np.full(mask.shape, 1.2))
    axes = Figure().subplots()
    draw_recall(axes, comparison)
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert np.nanmax(axes.lines[0].get_ydata()) == 1


def test_layers_are_outlined():
    figure = Figure()
    mask = np.zeros((20, 20), bool)
    mask[8:12] = True
    draw_layers(
        figure, {"original": (np.random.default_rng(0).random((20, 20)), mask), "none": (mask * 1.0, ~mask & mask)}
    )
    assert [axes.get_title() for axes in figure.axes] == ["original", "none"]
    assert [len(axes.collections) for axes in figure.axes] == [1, 0]
