"""Cracks that the original shows, and those that it does not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label

from napari_nanoct.cracks.measure import measure_cracks
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, Volume

FINE = Geometry((1.0, 0.5, 0.5), (10.0, 20.25, 30.25), "micrometer")
COARSE = Geometry((1.0, 1.0, 1.0), (10.0, 20.5, 30.5), "micrometer")


@pytest.fixture(scope="module")
def scene(disc):
    """Share (z, y, x) of a true and of a painted crack on the fine grid, both oblique; enhanced layer and labels."""
    side = 64
    true = disc(side, 2.5, (0.5, 0.8, 0.3), 14.0, (0, -14, 0), 2)
    painted = disc(side, 2.5, (0.5, -0.8, 0.3), 14.0, (0, 14, 0), 2)
    enhanced = gaussian_filter(1 - true - painted, (0.5, 0.8, 0.8)).astype(np.float32)
    return true, painted, Volume(enhanced, FINE), label(enhanced < 0.6, np.ones((3, 3, 3)))[0]


def binned(fine):
    return fine.reshape(fine.shape[0], fine.shape[1] // 2, 2, fine.shape[2] // 2, 2).mean(axis=(2, 4))


def noisy(grey, amount, seed, blur=0.0):
    """Add noise of that standard deviation, correlated over some voxels with a blur."""
    noise = np.random.default_rng(seed).standard_normal(grey.shape)
    if blur:
        noise = gaussian_filter(noise, blur)
    return grey + amount * noise / noise.std()


def judged(scene, amount, seed=0, correlation=0.0, factor=2):
    true, painted, enhanced, labels = scene
    original = gaussian_filter(1 - true, (0.5, 1.2, 1.2))
    grid = FINE
    if factor == 2:
        original, grid = binned(original), COARSE
    shown = Volume(noisy(original, amount, seed, correlation).astype(np.float32), grid)
    measurement = measure_cracks(labels, enhanced, original=shown, void=0.0)
    found = {labels[tuple(np.argwhere(share > 0.9)[0])]: name for share, name in ((true, "true"), (painted, "painted"))}
    return {found[crack.id]: crack for crack in measurement.cracks}, measurement


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("correlation", [0.0, 1.0])
def test_a_painted_crack_is_flagged_and_a_true_one_is_not(scene, factor, correlation):
    for seed in range(3):
        cracks, measurement = judged(scene, 0.2, seed, correlation, factor)
        assert cracks["painted"].only_enhanced is True
        assert cracks["true"].only_enhanced is False
        assert cracks["true"].evidence > 8
        assert measurement.whole.only_enhanced == 1


def test_contrast_to_noise_is_that_of_a_voxel(scene):
    quiet, loud = (judged(scene, amount)[0]["true"] for amount in (0.1, 0.4))
    assert quiet.cnr_original == pytest.approx(4 * loud.cnr_original, rel=0.25)
    assert 2 < quiet.cnr_original < 10
    assert abs(judged(scene, 0.1)[0]["painted"].cnr_original) < 0.3


def test_a_crack_lost_in_noise_has_no_evidence(scene):
    assert judged(scene, 20.0)[0]["true"].only_enhanced is True


def test_of_cracks_beside_the_original_nothing_is_known(scene):
    true, painted, enhanced, labels = scene
    half = Volume(noisy(gaussian_filter(1 - true, (0.5, 1.2, 1.2)), 0.2, 0)[:, :30].astype(np.float32), FINE)
    measurement = measure_cracks(labels, enhanced, original=half, void=0.0)
    crack = {one.id: one.only_enhanced for one in measurement.cracks}
    numbers = [labels[tuple(np.argwhere(share > 0.9)[0])] for share in (true, painted)]
    assert [crack[number] for number in numbers] == [False, None]
    assert measurement.whole.only_enhanced == 0


def test_an_original_that_lies_elsewhere_is_refused(scene):
    _, _, enhanced, labels = scene
    far = Volume(np.ones((8, 8, 8), np.float32), Geometry((1.0, 1.0, 1.0), (900.0, 0.0, 0.0), "micrometer"), name="far")
    with pytest.raises(UserError, match="“far” and “volume” do not lie in the same place; choose"):
        measure_cracks(labels, enhanced, original=far, void=0.0)


@pytest.mark.parametrize(("labels_in", "original_in"), [("nanometer", "pixel"), ("pixel", "micrometer")])
def test_a_unit_on_one_side_alone_is_refused(scene, labels_in, original_in):
    _, _, enhanced, labels = scene
    here = Volume(enhanced.data, Geometry((40.0,) * 3, unit=labels_in), name=labels_in)
    there = Volume(enhanced.data, Geometry((40.0,) * 3, unit=original_in), name=original_in)
    with pytest.raises(UserError, match=r"“pixel” has no unit of length .* give “pixel” its voxel size"):
        measure_cracks(labels, here, original=there, void=0.0)


def test_units_of_the_two_layers_may_differ(scene):
    true, _, enhanced, labels = scene
    original = binned(gaussian_filter(1 - true, (0.5, 1.2, 1.2))).astype(np.float32)
    nano = Geometry(*(tuple(1000 * v for v in part) for part in (COARSE.voxel_size, COARSE.origin)), "nanometer")
    one, other = (
        measure_cracks(labels, enhanced, original=Volume(original, grid), void=0.0).cracks for grid in (COARSE, nano)
    )
    assert [crack.cnr_original for crack in one] == pytest.approx([crack.cnr_original for crack in other], rel=1e-3)
