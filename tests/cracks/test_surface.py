"""Mid-surfaces: area, normal and place of cracks of known shape."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.surface import mean_voxel, mid_surface

NORMALS = [(1, 0, 0), (0, 0, 1), (0.3, 0.5, 0.81), (0.6, -0.6, 0.5)]


def found(disc, aperture, normal, radius=20.0, coarse=1, side=56):
    share = disc(side, aperture, normal, radius, (0.3, 0.2, -0.4), coarse)
    blurred = gaussian_filter(share, (1 / coarse, 1, 1))
    return mid_surface(blurred > 0.5 * blurred.max(), (float(coarse), 1.0, 1.0))


def angle(surface, normal):
    tensor = np.einsum("n,ni,nj->ij", surface.area, surface.normal, surface.normal)
    mean = np.linalg.eigh(tensor)[1][:, -1]
    return np.degrees(np.arccos(min(abs(mean @ np.array(normal)) / np.linalg.norm(normal), 1)))


@pytest.mark.parametrize("aperture", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("normal", NORMALS)
def test_a_disc_has_its_area_and_normal(disc, aperture, normal):
    surface = found(disc, aperture, normal)
    assert surface.area.sum() == pytest.approx(np.pi * 20**2, rel=0.05)
    assert angle(surface, normal) < 1.0


@pytest.mark.parametrize(("radius", "most"), [(2.0, 1.2), (3.0, 1.6), (4.0, 1.1)])
@pytest.mark.parametrize("normal", NORMALS)
def test_a_small_disc_is_not_drawn_out_to_the_window(disc, radius, most, normal):
    share = disc(32, 1.5, normal, radius)
    surface = mid_surface(share > 0.4, (1.0, 1.0, 1.0))
    assert 0.65 < surface.area.sum() / (np.pi * radius**2) < most


@pytest.mark.parametrize("coarse", [2, 4])
@pytest.mark.parametrize("normal", [(0.3, 0.5, 0.81), (0.8, 0.6, 0.1)])
def test_an_oblique_disc_is_the_same_on_coarser_slices(disc, coarse, normal):
    fine, other = found(disc, 3.0, normal), found(disc, 3.0, normal, coarse=coarse)
    assert other.area.sum() == pytest.approx(fine.area.sum(), rel=0.05)
    assert angle(other, normal) < 1.5


def test_points_lie_on_the_plane(disc):
    normal = np.array([0.3, 0.5, 0.81]) / np.linalg.norm([0.3, 0.5, 0.81])
    surface = found(disc, 2.0, normal)
    centre = (56 - 1) / 2 + np.array([0.3, 0.2, -0.4])
    assert np.abs((surface.position - centre) @ normal).max() < 0.4
    assert np.abs(surface.position - surface.voxel).max() <= 0.5 + 1e-6


def test_a_gap_of_a_voxel_is_bridged(disc):
    mask = disc(40, 1.0, (1, 0, 0), 12.0, (0.5, 0, 0)) > 0.4
    holes = mask.copy()
    holes[:, ::4, ::4] = False
    whole, pierced = (mid_surface(m, (1.0, 1.0, 1.0)).area.sum() for m in (mask, holes))
    assert pierced == pytest.approx(whole, rel=0.02)


def test_another_crack_is_not_entered(disc):
    mask = disc(40, 2.0, (1, 0, 0), 12.0) > 0.4
    allowed = np.zeros_like(mask)
    surface = mid_surface(mask, (1.0, 1.0, 1.0), allowed)
    assert mask[tuple(surface.voxel.T)].all()


def test_a_slice_has_upright_cracks():
    mask = np.zeros((1, 40, 60), bool)
    mask[0, 20, 10:50] = True
    surface = mid_surface(mask, (3.0, 1.0, 1.0), slices=1)
    assert surface.area.sum() == pytest.approx(3 * 40, rel=0.05)
    assert np.allclose(np.abs(surface.normal), [0, 1, 0], atol=1e-6)


def test_mean_voxel():
    assert mean_voxel((4.0, 1.0, 2.0)) == pytest.approx(2.0)
