import numpy as np
import pytest
from scipy.spatial.distance import cdist

from napari_nanoct.phantoms.packing import joined, pack, rotations, scatter

LOW, HIGH = np.zeros(3), np.array([6000.0, 9000.0, 9000.0])


def _packed(seed: int = 0):
    return pack(
        LOW,
        HIGH,
        np.random.default_rng(seed),
        median=1000,
        spread=0.3,
        limits=(500, 2000),
        fraction=0.5,
        stretch=0.1,
    )


def test_packing_has_the_fraction_and_hardly_overlaps() -> None:
    made = _packed()
    assert (4 / 3 * np.pi * made.radius**3).sum() / np.prod(HIGH) == pytest.approx(0.5, abs=0.05)
    assert ((made.centre >= LOW) & (made.centre <= HIGH)).all()
    assert ((made.radius >= 500) & (made.radius <= 2000)).all()
    overlap = made.radius[:, None] + made.radius[None] - cdist(made.centre, made.centre)
    np.fill_diagonal(overlap, 0)
    assert overlap.max() < 0.25 * made.radius.min()


def test_shapes_keep_the_volume() -> None:
    np.testing.assert_allclose(np.linalg.det(_packed().shape), 1, rtol=1e-9)


def test_fines_lie_between_the_particles() -> None:
    large = _packed()
    fines = scatter(LOW, HIGH, np.random.default_rng(1), large, limits=(100, 300), density=1.0, stretch=0.2)
    assert len(fines) > 20
    assert (cdist(fines.centre, large.centre) - large.radius > 0).all()
    assert len(joined(large, fines)) == len(large) + len(fines)


def test_rotations_are_rotations() -> None:
    turn = rotations(np.random.default_rng(0), 50)
    np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turn), 1)
