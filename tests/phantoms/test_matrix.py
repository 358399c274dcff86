import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.phantoms import Cathode, CrackSettings, Granular, Layered, Pores, draw_scene, phantom
from napari_nanoct.phantoms.grains import grain_centres, grain_field

AXES = tuple(np.arange(n) * 40.0 for n in (8, 60, 70))


def test_layers_are_flat_and_as_thick_as_set() -> None:
    axes = (np.arange(4) * 40.0, np.arange(1500) * 40.0, np.arange(5) * 40.0)
    made = Layered(normal=(0, 1, 0), waviness=0, thickness=600.0).render(axes, 3, 40.0)
    assert made.std(axis=(0, 2)).max() < 1e-6
    line = made[0, :, 0]
    layers = 1500 * 40 / 600
    # Within a layer the line is constant; between two it changes over a voxel or two.
    assert (np.diff(line) != 0).sum() == pytest.approx(1.5 * layers, rel=0.4)
    assert line.mean() == pytest.approx(0.06, rel=0.03)
    assert 0.08 < line.std() / line.mean() < 0.2


def test_grains_fill_space_and_are_as_large_as_set() -> None:
    low, high = np.zeros(3), np.full(3, 20e3)
    centres, grey = grain_centres(low, high, 1000.0, 3)
    inside = ((centres >= low) & (centres < high)).all(axis=1)
    assert inside.sum() == pytest.approx(20**3, rel=0.05)
    assert abs(grey.mean()) < 0.05
    assert grey.std() == pytest.approx(1, abs=0.05)
    # A box gives the same centres as a larger one.
    part = grain_centres(np.full(3, 4e3), np.full(3, 7e3), 1000.0, 3)[0]
    assert {tuple(c) for c in part.round(6)} <= {tuple(c) for c in centres.round(6)}


def test_distance_to_the_boundary_is_that_of_the_nearest_plane() -> None:
    grey, distance = grain_field(AXES, 700.0, 9, 40.0)
    assert grey.shape == distance.shape == (8, 60, 70)
    assert distance.min() >= 0
    points = np.stack(np.meshgrid(*AXES, indexing="ij"), axis=-1)[::4, ::7, ::7].reshape(-1, 3)
    centres = grain_centres(points.min(axis=0) - 3000, points.max(axis=0) + 3000, 700.0, 9)[0]
    far = np.linalg.norm(points[:, None] - centres, axis=-1)
    first = far.argmin(axis=1)
    apart = np.linalg.norm(centres[first][:, None] - centres, axis=-1)
    apart[apart == 0] = np.inf
    planes = (far**2 - far.min(axis=1)[:, None] ** 2) / (2 * apart)
    planes[~np.isfinite(apart)] = np.inf
    expected = planes.min(axis=1)
    np.testing.assert_array_less(expected, distance[::4, ::7, ::7].ravel() + 0.01)
    assert (np.abs(distance[::4, ::7, ::7].ravel() - expected) < 0.01).mean() > 0.9
    # Far from all boundaries a grain has one grey.
    assert len(np.unique(grey[distance > 40])) < 60


@pytest.mark.parametrize("matrix", [Layered(), Granular()])
def test_a_dense_matrix_is_solid_but_for_pores_and_cracks(matrix: Layered | Granular) -> None:
    cracks = CrackSettings(spanning=1)
    made = phantom((8, 60, 70), seed=1, cathode=Cathode(packing=0, fines=0, cracks=cracks, matrix=matrix))
    assert made.particles.all()
    solid = (made.crack_share == 0) & ~made.pores
    assert np.median(made.clean[solid]) == pytest.approx(0.06, rel=0.2)
    assert made.clean[made.cracks].mean() < 0.5 * made.clean[solid].mean()
    control = phantom(
        (8, 60, 70), seed=1, cracks=False, cathode=Cathode(packing=0, fines=0, cracks=cracks, matrix=matrix)
    )
    untouched = made.crack_share == 0
    np.testing.assert_array_equal(control.clean[untouched], made.clean[untouched])


def test_pores_of_several_sizes_lie_in_their_particles() -> None:
    classes = (Pores(0.5, (60.0, 80.0)), Pores(0.1, (250.0, 300.0)))
    cathode = Cathode(pores=0, hollow=0, more_pores=classes)
    made = draw_scene((60, 160, 160), seed=1, voxel=40.0, cathode=cathode, circle=False)
    small, large = ((made.pore_radius >= low) & (made.pore_radius <= high) for low, high in (c.radius for c in classes))
    assert (small | large).all()
    assert small.sum() > 2 * large.sum() > 0
    assert (made.pore_particle >= 0).all()
    away = np.linalg.norm(made.pore_centre - made.particles.centre[made.pore_particle], axis=1)
    assert (away < 1.4 * made.particles.radius[made.pore_particle]).all()


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Layered, {"thickness": 0.0}),
        (Layered, {"normal": (0.0, 0.0, 0.0)}),
        (Granular, {"size": -1.0}),
        (Pores, {"density": 1.0, "radius": (0.0, 10.0)}),
        (CrackSettings, {"aperture": (90.0, 30.0)}),
        (CrackSettings, {"grain": 0.0}),
        (CrackSettings, {"spanning": -1}),
    ],
)
def test_settings_that_cannot_be_get_a_sentence(kind: type, wrong: dict) -> None:
    with pytest.raises(UserError, match="give"):
        kind(**wrong)
