import numpy as np
import pytest

from napari_nanoct.phantoms.crack_draws import CrackSettings, draw_cracks
from napari_nanoct.phantoms.cracks import Crack, CrackPart, crack_part, crack_share
from napari_nanoct.phantoms.packing import Particles, rotations

VOXEL = 40.0


def _plane(aperture: float, frame: np.ndarray, **others: object) -> Crack:
    settings: dict = {"variation": 0.0, "closing": False, "centre": np.full(3, 32.3 * VOXEL), "extent": (1e4, 1e4)}
    return Crack(0, "through", frame=frame, aperture=aperture, **(settings | others))


def _whole(crack: Crack, n: int = 64) -> np.ndarray:
    axis = np.arange(n) * VOXEL
    share = np.zeros((n, n, n), dtype=np.float32)
    found = crack_share(crack, (axis, axis, axis), VOXEL)
    if found is not None:
        share[found[0]] = found[1]
    return share


def _part(crack: Crack, n: int = 40) -> CrackPart:
    axis = np.arange(n) * VOXEL
    part = crack_part(crack, (axis, axis, axis), VOXEL)
    assert part is not None
    return part


@pytest.mark.parametrize("voxels", [0.5, 1.0, 2.0, 4.0, 6.0])
def test_measured_aperture_of_a_plane_crack_is_the_set_one(voxels: float) -> None:
    for seed in range(3):
        frame = rotations(np.random.default_rng(seed), 1)[0]
        crack = Crack(
            0, "through", np.full(3, 32.3 * VOXEL), frame, (2600.0, 2600.0), voxels * VOXEL, variation=0, closing=False
        )
        share = _whole(crack)
        # Along the axis nearest to the normal, through the middle: thickness times the cosine is the aperture.
        axis = int(np.argmax(np.abs(frame[2])))
        middle = tuple(slice(None) if a == axis else slice(26, 39) for a in range(3))
        measured = share[middle].sum(axis=axis).mean() * abs(frame[2, axis])
        assert measured == pytest.approx(voxels, rel=2e-3)


@pytest.mark.parametrize("voxels", [0.5, 1.0, 3.0, 6.0])
def test_truth_of_a_plane_crack(voxels: float) -> None:
    for seed in range(3):
        frame = rotations(np.random.default_rng(seed), 1)[0]
        crack = Crack(
            0, "through", np.full(3, 20.3 * VOXEL), frame, (2e3, 2e3), voxels * VOXEL, variation=0, closing=False
        )
        part = _part(crack)
        # The aperture stands wherever the crack has a share, and is the set one.
        np.testing.assert_array_equal(part.aperture > 0, part.share > 0)
        np.testing.assert_allclose(part.aperture[part.share > 0], voxels * VOXEL, rtol=1e-5)
        # The plane passes through a voxel where the voxel's corners lie on both sides of it.
        corners = np.stack(np.meshgrid(*[[-0.5, 0.5]] * 3, indexing="ij")).reshape(3, -1) * VOXEL
        centres = np.indices(part.share.shape).reshape(3, -1).T + [p.start for p in part.box]
        side = ((centres * VOXEL - crack.centre) @ frame[2])[:, None] + frame[2] @ corners
        expected = ((side.min(axis=1) < 0) & (side.max(axis=1) > 0)).reshape(part.share.shape)
        inner = np.ix_(*[(np.arange(p.start, p.stop) > 8) & (np.arange(p.start, p.stop) < 32) for p in part.box])
        np.testing.assert_array_equal(part.mid_surface[inner], expected[inner])
        assert expected[inner].sum() > 300


def test_a_plane_on_the_grid_marks_one_layer_of_voxels() -> None:
    for shift in (0.0, 0.3, 0.5, 0.9):
        crack = _plane(2 * VOXEL, np.eye(3)[[1, 2, 0]], extent=(2e3, 2e3), centre=np.full(3, (20 + shift) * VOXEL))
        assert (_part(crack).mid_surface[:, 15:25, 15:25].sum(axis=0) == 1).all()


def test_aperture_falls_to_zero_at_a_closed_front() -> None:
    frame = np.eye(3)[[1, 2, 0]]
    part = _part(Crack(0, "radial", np.full(3, 20 * VOXEL), frame, (600.0, 600.0), 80.0, variation=0))
    z, y, x = (index + p.start for index, p in zip(np.indices(part.share.shape), part.box, strict=True))
    radius = np.hypot(y - 20, x - 20) * VOXEL / 600
    expected = 80 * np.sqrt(np.clip(1 - radius**2, 0, None))
    inside = part.mid_surface & (radius < 0.9)
    np.testing.assert_allclose(part.aperture[inside], expected[inside], atol=0.5)
    assert part.aperture[radius > 1.05].max(initial=0) == 0
    assert not part.mid_surface[radius > 1.05].any()
    assert (z[part.mid_surface] == 20).all()


def test_a_front_closes_elliptically() -> None:
    frame = np.eye(3)[[1, 2, 0]]
    crack = Crack(0, "radial", np.full(3, 32 * VOXEL), frame, (800.0, 1000.0), 80.0, variation=0)
    opening = _whole(crack).sum(axis=0) * VOXEL
    assert opening[32, 32] == pytest.approx(80, abs=0.5)
    assert opening[32 + 12, 32] == pytest.approx(80 * np.sqrt(1 - (12 * 40 / 800) ** 2), abs=1)
    assert opening[32 + 21, 32] == 0
    # The volume of a crack that closes as an ellipse is 2/3 of its area times its opening.
    assert opening.sum() * VOXEL**2 == pytest.approx(2 / 3 * np.pi * 800 * 1000 * 80, rel=0.01)


def test_roughness_moves_the_crack_but_keeps_its_opening() -> None:
    frame = np.eye(3)[[1, 2, 0]]
    settings = {"variation": 0.0, "closing": False}
    rough = Crack(
        0, "through", np.full(3, 32 * VOXEL), frame, (2000.0, 2000.0), 60.0, roughness=90.0, seed=3, **settings
    )
    share = _whole(rough).astype(float)[:, 8:56, 8:56]
    thickness = share.sum(axis=0)
    place = (share * np.arange(64)[:, None, None]).sum(axis=0) / thickness
    assert place.std() > 1
    slope = np.gradient(place)
    # Across an inclined surface the opening is the same: the vertical one grows by 1 / cosine.
    across = thickness / np.sqrt(1 + slope[0] ** 2 + slope[1] ** 2)
    assert np.median(across) * VOXEL == pytest.approx(60, rel=0.03)


def test_a_crack_beyond_the_grid_is_none() -> None:
    axis = np.arange(8) * VOXEL
    crack = Crack(0, "radial", np.full(3, 9000.0), np.eye(3), (500.0, 500.0), 80.0)
    assert crack_share(crack, (axis, axis, axis), VOXEL) is None


def test_draws_stay_in_their_ranges_and_in_their_particles() -> None:
    n = 200
    particles = Particles(np.zeros((n, 3)), np.linspace(500, 2500, n), np.tile(np.eye(3), (n, 1, 1)), np.ones(n))
    settings = CrackSettings(aperture=(30, 90), smallest_particle=1000)
    cracks = draw_cracks(particles, np.random.default_rng(0), settings)
    radius = np.array([particles.radius[crack.particle] for crack in cracks])
    assert {crack.kind for crack in cracks} == {"radial", "through", "branch"}
    assert radius.min() >= 1000
    # A branch is thinner than its parent; the others keep the range.
    assert all(30 <= c.aperture <= 90 for c in cracks if c.kind != "branch")
    assert all(c.aperture < 90 for c in cracks if c.kind == "branch")
    assert all(np.linalg.norm(c.centre) < 1.3 * r for c, r in zip(cracks, radius, strict=True))


def test_shares_of_a_rough_crack_equal_the_mean_of_finer_voxels() -> None:
    frame = rotations(np.random.default_rng(4), 1)[0]
    crack = Crack(
        0, "radial", np.full(3, 600.0), frame, (500.0, 600.0), 90.0, bend=(80.0, -60.0), roughness=35.0, seed=9
    )

    def share(voxel: float) -> np.ndarray:
        axis = np.arange(voxel / 2, 1200, voxel)
        whole = np.zeros((len(axis),) * 3)
        box, part = crack_share(crack, (axis, axis, axis), voxel)
        whole[box] = part
        return whole

    coarse, fine = share(40.0), share(8.0)
    counted = fine.reshape(30, 5, 30, 5, 30, 5).mean(axis=(1, 3, 5))
    touched = (coarse > 0) | (counted > 0)
    assert touched.sum() > 500
    assert np.abs(coarse - counted)[touched].mean() < 0.03
    assert coarse.sum() == pytest.approx(counted.sum(), rel=0.02)
