import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.phantoms import Phantom, draw_scene, phantom, slabs
from napari_nanoct.phantoms.cathode import Cathode
from napari_nanoct.phantoms.render import render

SHAPE = (20, 96, 112)


@pytest.fixture(scope="module")
def made() -> Phantom:
    return phantom(SHAPE, seed=3)


def test_shapes_types_and_geometry(made: Phantom) -> None:
    assert made.clean.dtype == np.float32
    assert made.crack_share.dtype == np.float32
    for mask in (made.cracks, made.pores, made.particles):
        assert mask.dtype == bool
        assert mask.shape == made.clean.shape == made.crack_share.shape == SHAPE
    assert made.geometry.voxel_size == (40.0, 40.0, 40.0)
    assert made.geometry.unit == "nanometer"


def test_same_seed_same_volume_other_seed_another(made: Phantom) -> None:
    again, other = phantom(SHAPE, seed=3), phantom(SHAPE, seed=4)
    np.testing.assert_array_equal(again.clean, made.clean)
    np.testing.assert_array_equal(again.cracks, made.cracks)
    assert (other.clean != made.clean).mean() > 0.5


def test_phases_are_there_and_apart(made: Phantom) -> None:
    assert 0.4 < made.particles.mean() < 0.8
    assert 0.02 < made.pores.mean() < 0.4
    assert 0.001 < made.cracks.mean() < 0.1
    assert not (made.cracks & made.pores).any()
    assert not (made.cracks & ~made.particles).any()


def test_crack_mask_is_at_least_half_a_voxel(made: Phantom) -> None:
    np.testing.assert_array_equal(made.cracks, made.crack_share >= 0.5)
    assert made.crack_share.min() >= 0
    assert made.crack_share.max() <= 1


def test_mid_surface_and_aperture_lie_in_the_cracks(made: Phantom) -> None:
    assert made.mid_surface.dtype == bool
    assert made.aperture.dtype == np.float32
    np.testing.assert_array_equal(made.aperture > 0, made.crack_share > 0)
    assert not (made.mid_surface & (made.crack_share == 0)).any()
    # A crack of more than two voxels has its mid-surface inside its mask; elsewhere voxels of the mask lie beside it.
    wide = made.mid_surface & (made.aperture > 2 * 40.0)
    assert wide.sum() > 50
    assert made.cracks[wide].mean() > 0.9
    assert 0.2 < made.mid_surface.sum() / made.cracks.sum() < 3
    largest = Cathode().cracks.aperture[1]
    assert 0 < made.aperture.max() <= 2 * largest


def test_the_default_stays_what_it_was(made: Phantom) -> None:
    # Figures in the docs are of these volumes.
    assert made.clean.mean(dtype=np.float64) == pytest.approx(0.07033862460884661, rel=1e-6)
    assert made.crack_share.sum(dtype=np.float64) == pytest.approx(6936.91381388795, rel=1e-5)
    assert int(made.pores.sum()) == pytest.approx(21_256, abs=3)


def test_cracks_are_darker_than_the_particles(made: Phantom) -> None:
    solid = made.particles & ~made.pores & (made.crack_share == 0)
    level = np.median(made.clean[solid])
    assert level == pytest.approx(Cathode().particle, rel=0.1)
    assert np.median(made.clean[made.cracks]) < 0.4 * level
    # The grey value of a crack voxel is that of the solid less the crack's share: exact partial volume.
    thin = made.particles & ~made.pores & (made.crack_share > 0.1) & (made.crack_share < 0.4)
    assert np.median(made.clean[thin] / (1 - made.crack_share[thin])) == pytest.approx(level, rel=0.05)


def test_control_without_cracks_is_the_same_elsewhere(made: Phantom) -> None:
    control = phantom(SHAPE, seed=3, cracks=False)
    assert not control.cracks.any()
    assert not control.crack_share.any()
    assert not control.mid_surface.any()
    assert not control.aperture.any()
    np.testing.assert_array_equal(control.particles, made.particles)
    untouched = made.crack_share == 0
    np.testing.assert_array_equal(control.clean[untouched], made.clean[untouched])
    assert (control.clean[made.cracks] > made.clean[made.cracks]).all()


def test_circle_is_empty_outside_and_the_same_inside(made: Phantom) -> None:
    round_ = phantom(SHAPE, seed=3, circle=True)
    y, x = np.indices(SHAPE[1:])
    radius = np.hypot(y - (SHAPE[1] - 1) / 2, x - (SHAPE[2] - 1) / 2)
    outside, inside = radius > 49, radius < 47
    assert not round_.clean[:, outside].any()
    assert not (round_.cracks | round_.pores | round_.particles)[:, outside].any()
    np.testing.assert_array_equal(round_.clean[:, inside], made.clean[:, inside])


def test_any_range_of_slices_renders_the_same(made: Phantom) -> None:
    part = render(made.scene, 7, 12)
    np.testing.assert_allclose(part.attenuation, made.clean[7:12], atol=1e-6)
    np.testing.assert_allclose(part.crack, made.crack_share[7:12], atol=1e-5)
    np.testing.assert_array_equal(part.mid_surface, made.mid_surface[7:12])
    np.testing.assert_allclose(part.aperture, made.aperture[7:12], rtol=1e-4, atol=1e-3)


def test_slabs_are_few_slices_and_cover_all() -> None:
    scene = draw_scene((5, 40, 40), seed=0, voxel=40.0, cathode=Cathode(), circle=False)
    starts = [(first, len(slab.body)) for first, slab in slabs(scene)]
    assert starts == [(0, 5)]
    assert sum(length for _, length in starts) == 5


def test_smaller_voxels_show_the_same_sizes() -> None:
    # Half the voxel size over twice the voxels: as much particle and crack, in physical units.
    coarse, fine = phantom((12, 90, 90), seed=1, voxel_size_nm=80), phantom((24, 180, 180), seed=1, voxel_size_nm=40)
    assert coarse.clean.mean() == pytest.approx(fine.clean.mean(), rel=0.03)
    assert coarse.crack_share.mean() == pytest.approx(fine.crack_share.mean(), rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 64, 48), (3, 17, 5)])
def test_odd_shapes(shape: tuple[int, int, int]) -> None:
    made = phantom(shape, seed=2)
    assert made.clean.shape == shape
    assert np.isfinite(made.clean).all()


@pytest.mark.parametrize(
    "wrong",
    [{"shape": (0, 8, 8)}, {"shape": (8, 8)}, {"voxel_size_nm": 0}, {"voxel_size_nm": float("nan")}, {"seed": -1}],
)
def test_wrong_settings_get_a_sentence(wrong: dict) -> None:
    with pytest.raises(UserError, match="give"):
        phantom(**({"shape": (2, 8, 8)} | wrong))
