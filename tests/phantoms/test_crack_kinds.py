from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import label

from napari_nanoct.phantoms import Cathode, CrackSettings, Granular, Layered, phantom
from napari_nanoct.phantoms.crack_draws import draw_free, draw_intergranular
from napari_nanoct.phantoms.cracks import Crack, crack_part
from napari_nanoct.phantoms.grains import grain_field
from napari_nanoct.phantoms.packing import Particles, rotations
from napari_nanoct.phantoms.render import render

VOXEL = 40.0
SPANNING = CrackSettings(count=(0, 0), spanning=1, branch=0.0, aperture=(120.0, 160.0))


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.8])
def test_a_surface_has_its_hurst_exponent(hurst: float) -> None:
    # Root mean square height differences grow as distance ** H, from two of the shortest octaves to the longest.
    slopes = []
    for seed in range(3):
        crack = Crack(
            0, "spanning", np.zeros(3), np.eye(3), (16e3, 16e3), 80.0, roughness=500.0, hurst=hurst, seed=97 * seed
        )
        height = crack.maps(40.0)[1]
        steps = np.array([5, 10, 20, 40, 80])
        change = [np.sqrt(np.mean((height[d:] - height[:-d]) ** 2)) for d in steps]
        slopes.append(np.polyfit(np.log(steps), np.log(change), 1)[0])
    assert np.mean(slopes) == pytest.approx(hurst, abs=0.1)


def test_a_window_of_the_maps_is_the_whole_there() -> None:
    crack = Crack(0, "spanning", np.zeros(3), np.eye(3), (3e3, 2e3), 80.0, (300.0, 0.0), roughness=100.0, seed=5)
    first, height, aperture = crack.maps(40.0)
    origin, part_height, part_aperture = crack.maps(40.0, np.array([[-500.0, 100.0], [700.0, 900.0]]))
    at = np.rint((origin - first) / 40).astype(int)
    there = tuple(slice(a, a + n) for a, n in zip(at, part_height.shape, strict=True))
    assert part_height.shape[0] < height.shape[0] / 3
    np.testing.assert_allclose(part_height, height[there], atol=1e-2)
    np.testing.assert_allclose(part_aperture, aperture[there], atol=1e-2)


def _grainy(**others: object) -> Crack:
    frame = rotations(np.random.default_rng(1), 1)[0]
    settings: dict = {"variation": 0.0, "grain": 420.0, "grain_seed": 77} | others
    return Crack(0, "intergranular", np.full(3, 800.0), frame, (700.0, 800.0), 100.0, **settings)


def test_an_intergranular_crack_runs_between_the_grains() -> None:
    axis = np.arange(40) * VOXEL
    part = crack_part(_grainy(), (axis, axis, axis), VOXEL)
    assert part is not None
    distance = grain_field((axis, axis, axis), 420.0, 77, VOXEL)[1][part.box]
    assert part.mid_surface.sum() > 500
    # A plane that passes through a voxel is no farther from its centre than half its diagonal; where cells meet, the
    # planes of others count too.
    assert (distance[part.mid_surface] <= np.sqrt(3) / 2 * VOXEL + 1e-3).mean() > 0.98
    assert (distance <= np.sqrt(3) / 2 * VOXEL).mean() < 0.5
    # It leaves the plane of the crack: facets lean by tens of degrees.
    w = (np.argwhere(part.mid_surface) + [p.start for p in part.box]) * VOXEL - 800.0
    assert (w @ _grainy().frame[2]).std() > 60


def test_shares_between_grains_equal_the_mean_of_finer_voxels() -> None:
    def share(voxel: float) -> np.ndarray:
        axis = np.arange(voxel / 2, 1600, voxel)
        whole = np.zeros((len(axis),) * 3)
        part = crack_part(_grainy(), (axis, axis, axis), voxel)
        assert part is not None
        whole[part.box] = part.share
        return whole

    coarse, fine = share(40.0), share(40 / 3)
    counted = fine.reshape(40, 3, 40, 3, 40, 3).mean(axis=(1, 3, 5))
    touched = (coarse > 0) | (counted > 0)
    assert touched.sum() > 1000
    assert np.abs(coarse - counted)[touched].mean() < 0.03
    assert coarse.sum() == pytest.approx(counted.sum(), rel=0.02)


def test_intergranular_cracks_are_drawn_in_large_particles_alone() -> None:
    n = 60
    particles = Particles(np.zeros((n, 3)), np.linspace(300, 2500, n), np.tile(np.eye(3), (n, 1, 1)), np.ones(n))
    settings = CrackSettings(intergranular=(1, 3), grain=380.0)
    cracks = draw_intergranular(particles, np.random.default_rng(0), settings, 5)
    assert {crack.kind for crack in cracks} == {"intergranular"}
    assert {(crack.grain, crack.grain_seed) for crack in cracks} == {(380.0, 5)}
    assert min(particles.radius[crack.particle] for crack in cracks) >= 800
    assert draw_intergranular(particles, np.random.default_rng(0), CrackSettings(), 5) == []


@pytest.mark.parametrize("matrix", [Layered(pores=()), Granular(pores=())])
def test_a_spanning_crack_runs_from_border_to_border(matrix: Layered | Granular) -> None:
    made = phantom((12, 70, 80), seed=5, cathode=Cathode(packing=0, fines=0, cracks=SPANNING, matrix=matrix))
    assert [crack.kind for crack in made.scene.cracks] == ["spanning"]
    # It cuts the volume in two: what is not crack falls into pieces on either side.
    pieces, number = label(made.crack_share < 0.3)
    sizes = np.bincount(pieces.ravel())[1:]
    assert number >= 2
    assert np.sort(sizes)[-2] > 0.02 * pieces.size
    touched = [made.cracks.take(end, axis).any() for axis in (1, 2) for end in (0, -1)]
    assert sum(touched) >= 2


@pytest.mark.parametrize("matrix", [Layered(), Granular(), None])
def test_any_range_of_slices_renders_the_same(matrix: Layered | Granular | None) -> None:
    cracks = CrackSettings(intergranular=(1, 2), spanning=2, closed=0.2)
    made = phantom((10, 50, 60), seed=4, cathode=Cathode(packing=0.3, cracks=cracks, matrix=matrix))
    part = render(made.scene, 4, 7)
    np.testing.assert_allclose(part.attenuation, made.clean[4:7], atol=1e-4)
    np.testing.assert_allclose(part.crack, made.crack_share[4:7], atol=1e-3)
    np.testing.assert_allclose(part.aperture, made.aperture[4:7], rtol=1e-3, atol=0.1)
    assert (part.mid_surface != made.mid_surface[4:7]).mean() < 1e-4


def test_closed_cracks_come_by_volume_and_end() -> None:
    settings = CrackSettings(closed=0.5, closed_extent=(300.0, 600.0), branch=0.0)
    cracks = draw_free(np.full(3, 10e3), np.random.default_rng(0), settings)
    assert len(cracks) == pytest.approx(500, abs=70)
    assert all(crack.closing and crack.particle == -1 for crack in cracks)
    assert all(300 <= extent <= 600 for crack in cracks for extent in crack.extent)


def test_cracks_follow_the_layers() -> None:
    settings = replace(SPANNING, spanning=40)
    size = np.full(3, 5e3)
    cracks = draw_free(size, np.random.default_rng(0), settings, along=0.5, normal=(0.0, 3.0, 4.0))
    along = [abs(crack.frame[2] @ [0, 0.6, 0.8]) > 1 - 1e-9 for crack in cracks]
    assert 10 <= sum(along) <= 30
    for crack in cracks:
        np.testing.assert_allclose(crack.frame @ crack.frame.T, np.eye(3), atol=1e-9)
