"""Whole measurements: figures of known cracks, blocks, units, borders, bad input."""

import dask.array as da
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from skimage.measure import euler_number

from napari_nanoct.cracks import census
from napari_nanoct.cracks.measure import measure_cracks
from napari_nanoct.errors import UserError
from napari_nanoct.phantoms import phantom
from napari_nanoct.volumes import Geometry, Volume

OBLIQUE = (0.3, 0.5, 0.81)


def volume(grey, voxel_size=(1.0, 1.0, 1.0), unit="micrometer", origin=(0.0, 0.0, 0.0)):
    return Volume(np.asarray(grey, np.float32), Geometry(voxel_size, origin, unit), name="test")


def scene(disc, coarse=1, scale=1.0):
    """A disc of 3 voxels, 24 in radius, oblique."""
    grey = gaussian_filter(1 - disc(64, 3.0, OBLIQUE, 24.0, coarse=coarse), (1 / coarse, 1, 1))
    labels = (grey < 0.5).astype(np.int32)
    return labels, volume(grey, (coarse * scale, scale, scale))


@pytest.mark.parametrize(("coarse", "scale"), [(1, 1.0), (4, 1.0), (1, 0.05), (2, 0.05)])
def test_a_known_crack(disc, coarse, scale):
    labels, image = scene(disc, coarse, scale)
    measurement = measure_cracks(labels, image, void=0.0)
    (crack,) = measurement.cracks
    normal = np.array(OBLIQUE) / np.linalg.norm(OBLIQUE)
    assert crack.area == pytest.approx(np.pi * 24**2 * scale**2, rel=0.04)
    # The rim, where blur takes part of the aperture away, belongs to the crack.
    assert crack.aperture_mean == pytest.approx(2.9 * scale, rel=0.04)
    assert crack.aperture_p95 == pytest.approx(3 * scale, rel=0.06)
    assert crack.aperture_mean < crack.aperture_p95 <= crack.aperture_max
    assert crack.length == pytest.approx(48 * scale, rel=0.05)
    assert np.dot(crack.normal, normal) > 0.9995
    assert crack.planarity > 0.98
    middle = np.array([(64 / coarse - 1) / 2 * coarse, 31.5, 31.5]) * scale
    assert np.allclose(crack.centre, middle, atol=0.2 * coarse * scale)
    assert crack.volume == pytest.approx(labels.sum() * coarse * scale**3)
    assert not crack.touches_border
    assert crack.touches_pores is crack.only_enhanced is None
    whole = measurement.whole
    assert whole.volume == pytest.approx(64**3 * scale**3)
    assert whole.density == pytest.approx(crack.area / whole.volume)
    assert whole.opening_fraction == pytest.approx(crack.area * crack.aperture_mean / whole.volume)
    assert whole.aperture_area.sum() == pytest.approx(crack.area)
    assert whole.orientation_area.sum() == pytest.approx(crack.area)


def test_blocks_change_nothing(monkeypatch):
    made = phantom((40, 96, 96), seed=5)
    labels = label(made.cracks, np.ones((3, 3, 3)))[0]
    image = Volume(gaussian_filter(made.clean, 0.7), made.geometry)
    original = Volume(gaussian_filter(made.clean, 1.0), made.geometry)
    local, cut = (np.zeros(labels.shape, np.float32) for _ in range(2))
    whole = measure_cracks(labels, image, pores=made.pores, original=original, apertures=local, void=0.0)
    assert len(whole.cracks) >= 3
    monkeypatch.setattr(census, "BLOCK", (16, 40, 32))
    lazy = da.from_array(labels, chunks=(8, 64, 64))
    blocked = measure_cracks(lazy, image, pores=made.pores, original=original, apertures=cut, void=0.0)
    assert blocked.whole.euler == whole.whole.euler
    for one, other in zip(whole.cracks, blocked.cracks, strict=True):
        assert one.id == other.id
        assert (one.voxels, one.box, one.touches_border) == (other.voxels, other.box, other.touches_border)
        for name in ("area", "aperture_mean", "aperture_p95", "length", "normal", "planarity", "centre", "evidence"):
            assert np.allclose(getattr(one, name), getattr(other, name), rtol=1e-3, equal_nan=True), name
    assert np.allclose(local, cut, rtol=1e-3)


def test_a_phantom_has_the_apertures_that_were_drawn():
    made = phantom((40, 160, 160), seed=1)
    labels = label(made.cracks, np.ones((3, 3, 3)))[0]
    measurement = measure_cracks(labels, Volume(gaussian_filter(made.clean, 0.7), made.geometry), pores=made.pores)
    large = sorted(measurement.cracks, key=lambda crack: -crack.area)[:4]
    for crack in large:
        true = made.aperture[(labels == crack.id) & made.mid_surface].mean()
        assert crack.aperture_mean == pytest.approx(true, rel=0.15, abs=0.2 * 40)
    assert measurement.settings["void from"] == "mean in the depth of the pores"


def test_local_apertures_stand_at_the_labels(disc):
    labels, image = scene(disc)
    local = np.full(labels.shape, 7, np.float32)
    measure_cracks(labels, image, void=0.0, apertures=local)
    assert (local[labels == 0] == 0).all()
    middle = local[28:36, 28:36, 28:36][labels[28:36, 28:36, 28:36] != 0]
    assert np.allclose(middle, 3.0, atol=0.1)


def test_bright_cracks_are_measured_like_dark_ones(disc):
    labels, image = scene(disc)
    bright = volume(1 - image.data)
    (dark,) = measure_cracks(labels, image, void=0.0).cracks
    (other,) = measure_cracks(labels, bright, void=1.0, dark=False).cracks
    assert other.aperture_mean == pytest.approx(dark.aperture_mean, rel=1e-4)


def test_borders_pores_and_percolation(disc):
    labels = np.zeros((30, 40, 40), np.int32)
    labels[:, 19:21, 10:30] = 5
    labels[10:20, 30:32, 20:30] = 9
    grey = np.where(labels, 0.0, 1.0)
    pores = np.zeros(labels.shape, bool)
    pores[10:20, 32:35, 22:28] = True
    measurement = measure_cracks(labels, volume(grey), pores=pores, void=0.0)
    through, inside = measurement.cracks
    assert (through.id, inside.id) == (5, 9)
    assert (through.touches_border, inside.touches_border) == (True, False)
    assert (through.touches_pores, inside.touches_pores) == (False, True)
    assert measurement.whole.percolates == (True, False, False)
    assert through.box == ((0, 19, 10), (29, 20, 29))
    assert measurement.whole.euler == 2


def test_the_sample_mask_is_what_fractions_refer_to(disc):
    labels, image = scene(disc)
    mask = np.zeros(labels.shape, bool)
    mask[:, :32] = True
    part = measure_cracks(labels, image, mask=mask, void=0.0).whole
    whole = measure_cracks(labels, image, void=0.0).whole
    assert part.volume == whole.volume / 2
    assert part.density == pytest.approx(2 * whole.density)


def test_euler_number_is_that_of_scikit_image(monkeypatch):
    mask = gaussian_filter(np.random.default_rng(3).standard_normal((24, 25, 26)), 1.2) > 0.15
    monkeypatch.setattr(census, "BLOCK", (7, 11, 26))
    measurement = measure_cracks(mask.astype(np.uint8), volume(~mask), void=0.0)
    assert measurement.whole.euler == euler_number(mask, connectivity=3)


def test_a_slice_is_measured(disc):
    grey = gaussian_filter(1 - disc(64, 3.0, (0, 0.6, 0.8), 20.0)[32], 1.0)[None]
    measurement = measure_cracks((grey < 0.5).astype(np.int32), volume(grey, (2.0, 1.0, 1.0)), void=0.0)
    (crack,) = measurement.cracks
    assert crack.area == pytest.approx(2 * 40, rel=0.08)
    assert crack.aperture_mean == pytest.approx(3.0, rel=0.1)
    assert not crack.touches_border
    assert measurement.whole.percolates == (False, False, False)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("width", [3.0, 5.0])
def test_a_crack_through_few_slices_is_no_plane_in_them(depth, width):
    x = np.indices((depth, 64, 64))[2]
    share = np.clip(width / 2 - np.abs(x - 31.7) + 0.5, 0, 1)
    share[:, :12] = share[:, 52:] = 0
    grey = gaussian_filter(1 - share, (0, 0.8, 0.8))
    (crack,) = measure_cracks((share > 0.4).astype(np.int32), volume(grey), void=0.0).cracks
    assert crack.area == pytest.approx(depth * 40, rel=0.06)
    assert np.allclose(crack.normal, [0, 0, 1], atol=0.05)
    assert crack.aperture_mean == pytest.approx(width, rel=0.06)


def test_a_crack_through_few_slices_keeps_its_tilt():
    z, y, x = np.indices((5, 64, 64))
    across = ((x - 31.7) - 0.5 * (z - 2)) / np.hypot(1, 0.5)
    share = np.clip(4 / 2 - np.abs(across) + 0.5, 0, 1) * ((y >= 12) & (y < 52))
    (crack,) = measure_cracks((share > 0.4).astype(np.int32), volume(1 - share), void=0.0).cracks
    assert crack.area == pytest.approx(5 * 40 * np.hypot(1, 0.5), rel=0.1)
    assert abs(crack.normal[0]) == pytest.approx(0.5 / np.hypot(1, 0.5), abs=0.08)


def test_nan_is_left_out(disc):
    labels, image = scene(disc)
    grey = image.data.copy()
    grey[labels == 0] = np.where(np.indices(grey.shape)[0][labels == 0] < 20, np.nan, grey[labels == 0])
    (crack,) = measure_cracks(labels, volume(grey), void=0.0).cracks
    assert crack.aperture_mean == pytest.approx(2.9, rel=0.05)


def test_no_cracks_are_a_measurement_too():
    measurement = measure_cracks(np.zeros((8, 9, 10), np.int32), volume(np.ones((8, 9, 10))))
    assert measurement.cracks == ()
    assert (measurement.whole.count, measurement.whole.density, measurement.whole.euler) == (0, 0.0, 0)


def test_cracks_without_contrast_get_a_sentence(disc):
    labels, image = scene(disc)
    with pytest.raises(UserError, match="not darker than their walls"):
        measure_cracks(labels, volume(np.ones(labels.shape)))
    with pytest.raises(UserError, match="not brighter than their walls"):
        measure_cracks(labels, image, void=0.0, dark=False)


def test_progress_reaches_the_end_and_may_stop(disc):
    labels, image = scene(disc)
    told = []
    measure_cracks(labels, image, void=0.0, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert told == sorted(told)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_cracks(labels, image, progress=stop)


def test_bad_input_gets_a_sentence():
    image = volume(np.ones((8, 8, 8)))
    with pytest.raises(UserError, match="integers"):
        measure_cracks(np.zeros((8, 8, 8)), image)
    with pytest.raises(UserError, match="labels of shape"):
        measure_cracks(np.zeros((8, 8, 9), int), image)
    with pytest.raises(UserError, match="pores of shape"):
        measure_cracks(np.zeros((8, 8, 8), int), image, pores=np.zeros((1, 8, 8)))
    labels = np.zeros((8, 8, 8), int)
    labels[4] = 1
    with pytest.raises(UserError, match="no finite grey value"):
        measure_cracks(labels, volume(np.where(labels, np.nan, 1.0)))
