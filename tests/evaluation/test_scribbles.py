"""Scribbles drawn from the truth."""

from __future__ import annotations

import numpy as np
import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.evaluation.scribbles import corrected, simulated_scribbles


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A particle with a crack and a pore, empty space around it."""
    y, x = np.mgrid[:160, :160]
    particles = (y - 80) ** 2 + (x - 80) ** 2 < 70**2
    cracks = particles & (np.abs(y - 70) < 2)
    pores = ~particles | ((y - 110) ** 2 + (x - 80) ** 2 < 12**2)
    return cracks, pores & ~cracks, particles


def test_strokes_lie_on_what_they_name_and_are_few():
    cracks, pores, particles = scene()
    painted = simulated_scribbles(cracks, pores, particles, share=0.02, seed=1)
    assert set(np.unique(painted)) == {0, 1, 2, 3}
    assert 0.008 < (painted > 0).mean() <= 0.021
    assert cracks[painted == 1].all()
    assert pores[painted == 2].all()
    assert not (cracks | pores)[painted == 3].any()
    assert np.array_equal(painted, simulated_scribbles(cracks, pores, particles, share=0.02, seed=1))
    assert not np.array_equal(painted, simulated_scribbles(cracks, pores, particles, share=0.02, seed=2))


def test_corrections_lie_where_the_preview_is_wrong():
    cracks, pores, _ = scene()
    painted = np.zeros(cracks.shape, np.uint8)
    found = np.zeros_like(cracks)
    found[40:44, 60:100] = True
    more = corrected(painted, found, cracks, pores, share=0.01)
    assert not painted.any()
    assert (more == 3).any()
    assert found[more == 3].all()
    assert (more == 1).any()
    assert cracks[more == 1].all()
    assert not corrected(painted, cracks, cracks, pores).any()


def test_a_slice_without_a_crack_is_refused():
    cracks, pores, particles = scene()
    with pytest.raises(UserError, match="without a crack"):
        simulated_scribbles(np.zeros_like(cracks), pores, particles)
