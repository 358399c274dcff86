import numpy as np
import pytest

from napari_nanoct.phantoms.partial_volume import behind_plane, slab_share


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=0)


def test_share_behind_a_plane_equals_counting_points() -> None:
    rng = np.random.default_rng(0)
    normal = _unit(rng.normal(size=(3, 40)))
    distance = rng.uniform(-1, 1, 40)
    steps = (np.arange(60) + 0.5) / 60 - 0.5
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij")).reshape(3, -1)
    counted = [(n @ points < d).mean() for n, d in zip(normal.T, distance, strict=True)]
    np.testing.assert_allclose(behind_plane(distance, normal), counted, atol=4e-3)


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, -1, 0), (1, 1, 0), (1, 1, 1), (3, 1, -2)])
def test_share_is_monotone_symmetric_and_reaches_both_ends(normal: tuple[int, int, int]) -> None:
    distance = np.linspace(-500, 500, 4001)
    normals = np.repeat(_unit(np.array(normal, dtype=float)[:, None]), len(distance), axis=1)
    share = behind_plane(distance, normals)
    assert share[0] == 0
    assert share[-1] == 1
    assert (np.diff(share) >= -1e-9).all()
    np.testing.assert_allclose(share + share[::-1], 1, atol=1e-6)


def test_shares_of_a_column_add_up_to_the_slab_thickness() -> None:
    # Along x a slab of thickness w and normal n takes w / |n_x| of a line: summed over a column it must come back.
    normal = _unit(np.array([0.3, -0.4, 0.8])[:, None])
    x = np.arange(-20, 21)
    for thickness in (0.3, 0.7, 1.0, 2.5, 4.0):
        share = slab_share(0.2 - x * normal[2], np.full(x.shape, thickness), np.repeat(normal, len(x), axis=1))
        assert share.sum() == pytest.approx(thickness / normal[2, 0], rel=1e-3)
