"""Apertures from 0.5 to 6 voxels, blurred and noisy."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.aperture import Levels, openings, profiles, smoothed
from napari_nanoct.cracks.surface import mid_surface

APERTURES = [0.5, 1.0, 2.0, 4.0, 6.0]
OBLIQUE = (0.3, 0.5, 0.81)


def measured(grey, mask, voxel_size=(1.0, 1.0, 1.0), labels=None, closed=None, void=0.0):
    surface = mid_surface(mask, voxel_size)
    labels = mask.astype(np.int32) if labels is None else labels
    closed = np.zeros(mask.shape, bool) if closed is None else closed
    levels = Levels(1.0, void, {})
    lines = profiles(surface, 1, labels, grey, closed, levels, voxel_size)
    return surface, smoothed(surface, openings(lines, void), voxel_size)


def scene(disc, aperture, normal=OBLIQUE, coarse=1, blur=1.0, noise=0.0, side=56):
    share = disc(side, aperture, normal, 20.0, (0.3, 0.2, -0.4), coarse)
    grey = gaussian_filter(1 - share, (blur / coarse, blur, blur))
    mask = 1 - grey > 0.5 * (1 - grey).max()
    return grey + noise * np.random.default_rng(0).standard_normal(grey.shape), mask


def inner(surface):
    return np.linalg.norm(surface.position - surface.position.mean(axis=0), axis=1) < 14


@pytest.mark.parametrize("aperture", APERTURES)
@pytest.mark.parametrize("normal", [OBLIQUE, (0, 1, 0)])
def test_apertures_are_right_below_and_above_a_voxel(disc, aperture, normal):
    surface, opening = measured(*scene(disc, aperture, normal, noise=0.05))
    part = inner(surface)
    assert np.average(opening[part], weights=surface.area[part]) == pytest.approx(aperture, abs=0.06)
    assert opening[part].std() < 0.08


@pytest.mark.parametrize("aperture", APERTURES)
def test_blur_moves_the_deficit_and_does_not_change_it(disc, aperture):
    means = []
    for blur in (0.7, 1.4):
        surface, opening = measured(*scene(disc, aperture, blur=blur))
        means.append(opening[inner(surface)].mean())
    assert means[0] == pytest.approx(means[1], abs=0.03 * max(aperture, 1))


@pytest.mark.parametrize("aperture", [1.0, 3.0, 6.0])
def test_apertures_hold_on_a_grid_of_four_to_one(disc, aperture):
    surface, opening = measured(*scene(disc, aperture, coarse=4), (4.0, 1.0, 1.0))
    part = inner(surface)
    assert np.average(opening[part], weights=surface.area[part]) == pytest.approx(aperture, rel=0.08)


def test_a_wall_of_one_side_serves_both(disc):
    grey, mask = scene(disc, 3.0, (1, 0, 0))
    closed = np.zeros(mask.shape, bool)
    closed[33:] = True  # a pore begins where the blur of the crack ends
    dark = grey.copy()
    dark[33:] = 0
    surface, opening = measured(dark, mask, closed=closed)
    assert opening[inner(surface)].mean() == pytest.approx(3.0, abs=0.1)


def test_void_beyond_the_wall_is_no_wall(disc):
    grey, mask = scene(disc, 2.0, (1, 0, 0))
    grey[36:] = 0  # the particle ends eight voxels from the crack, which is not told
    surface, opening = measured(grey, mask)
    assert opening[inner(surface)].mean() == pytest.approx(2.0, abs=0.06)


@pytest.mark.parametrize("branch", [False, True])
@pytest.mark.parametrize("apart", [6, 7, 9])
def test_another_crack_or_branch_ends_the_profile(disc, apart, branch):
    both = disc(56, 2.0, (1, 0, 0), 20.0) + disc(56, 2.0, (1, 0, 0), 20.0, (apart, 0, 0))
    grey = gaussian_filter(1 - both, 0.7)
    mask = grey < 0.6
    upper = np.arange(56)[:, None, None] > 27.5 + apart / 2
    labels = np.where(mask, np.where(upper & ~branch, 2, 1), 0)
    surface, opening = measured(grey, mask & ~upper, labels=labels)
    assert opening[inner(surface)].mean() == pytest.approx(2.0, abs=0.15)


def test_where_no_wall_is_near_nothing_is_known():
    mask = np.zeros((40, 40, 40), bool)
    mask[18:22] = True
    surface, opening = measured(np.zeros(mask.shape), mask, closed=~mask)
    assert len(surface)
    assert np.isnan(opening).all()


def test_smoothing_leaves_unknown_points_out(disc):
    surface = mid_surface(disc(40, 2.0, (1, 0, 0), 12.0) > 0.4, (1.0, 1.0, 1.0))
    values = np.full(len(surface), 2.0)
    values[::3] = np.nan
    assert np.allclose(smoothed(surface, values, (1.0, 1.0, 1.0)), 2.0)
