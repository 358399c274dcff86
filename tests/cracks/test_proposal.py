"""The proposal: cracks that are there are found, and nothing where there are none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.proposal import ProposalSettings, propose, sample_mask
from napari_nanoct.errors import UserError

CUBE = (1.0, 1.0, 1.0)
GREY = np.random.default_rng(0)


def particle(crack: bool = True, shape: tuple[int, int, int] = (40, 80, 80)) -> NDArray[np.float32]:
    """A bright ball with a pore and, perhaps, an oblique crack of 2 voxels, in the dark; blurred, with some noise."""
    z, y, x = (np.arange(n) - n / 2 for n in shape)
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    grey = 0.9 * (radius < 30).astype(float)
    pore = (z[:, None, None] - 2) ** 2 + (y[:, None] + 15) ** 2 + (x - 8) ** 2 < 16
    grey[pore] = 0
    if crack:
        grey[truth(shape)] = 0
    noisy = gaussian_filter(grey, 0.8) + np.random.default_rng(1).normal(0, 0.03, shape)
    return noisy.astype(np.float32)


def truth(shape: tuple[int, int, int] = (40, 80, 80)) -> NDArray[np.bool_]:
    z, y, x = (np.arange(n) - n / 2 for n in shape)
    plane = 0.3 * z[:, None, None] + 0.8 * y[:, None] + 0.5 * x
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    return np.asarray((np.abs(plane) < 1) & (radius < 22))


def test_a_crack_in_a_particle_is_found_and_nothing_else() -> None:
    found = propose(particle(), CUBE)
    assert found.clear
    assert found.message == "One crack."
    assert found.labels.dtype == np.int32
    assert found.labels.max() == 1
    assert ((found.labels > 0) & truth()).sum() > 0.8 * truth().sum()
    from scipy.ndimage import binary_dilation

    assert ((found.labels > 0) & ~binary_dilation(truth(), np.ones((5, 5, 5)))).sum() == 0


def test_a_crack_is_as_wide_as_it_is() -> None:
    """Blur carries the score beyond the walls; what is found stays near them."""
    found = propose(particle(), CUBE).labels > 0
    assert found.sum() == pytest.approx(truth().sum(), rel=0.3)


def test_a_sound_particle_has_none_at_its_edge_or_pore() -> None:
    found = propose(particle(crack=False), CUBE)
    assert not found.clear
    assert not found.labels.any()
    assert found.message.startswith("No clear cracks")


@pytest.mark.parametrize("blur", [0.0, 0.7, 1.5])
@pytest.mark.parametrize("sensitivity", [0.5, 1.0])
def test_noise_has_no_cracks(blur: float, sensitivity: float) -> None:
    noise = gaussian_filter(np.random.default_rng(3).normal(size=(24, 96, 96)), blur) if blur else GREY.normal(
        size=(24, 96, 96)
    )  # fmt: skip
    low, high = np.percentile(noise, (0.5, 99.5))
    found = propose((noise - low) / (high - low), CUBE, ProposalSettings(sensitivity))
    assert not found.clear


@pytest.mark.parametrize("blur", [0.0, 0.7, 1.5, 2.5])
def test_noise_in_one_slice_has_no_cracks(blur: float) -> None:
    noise = np.random.default_rng(5).normal(size=(400, 400))
    noise = gaussian_filter(noise, blur) if blur else noise
    low, high = np.percentile(noise, (0.5, 99.5))
    assert not propose((noise - low) / (high - low), CUBE).clear


def test_sensitivity_decides_on_faint_cracks() -> None:
    grey = particle(crack=False)
    grey[truth()] -= np.float32(0.25)
    sizes = [int((propose(grey, CUBE, ProposalSettings(s)).labels > 0).sum()) for s in (0.1, 0.5, 0.9)]
    assert sizes[0] == 0 < sizes[2]
    assert sizes == sorted(sizes)


def test_bright_cracks_are_found_where_they_are_asked_for() -> None:
    inside = np.ones(particle().shape, bool)
    found = propose(1 - particle(), CUBE, ProposalSettings(dark=False), inside)
    assert np.array_equal(found.labels > 0, propose(particle(), CUBE, mask=inside).labels > 0)


def test_one_slice_is_searched_for_lines() -> None:
    plane = particle()[20]
    found = propose(plane, CUBE)
    line = truth()[20]
    assert found.labels.shape == (1, 80, 80)
    assert ((found.labels[0] > 0) & line).sum() > 0.7 * line.sum()
    assert not propose(particle(crack=False)[20], CUBE).clear


def test_a_mask_leaves_the_rest_out() -> None:
    mask = np.zeros((40, 80, 80), bool)
    mask[:, :, 40:] = True
    labels = propose(particle(), CUBE, mask=mask).labels
    assert labels[:, :, 40:].any()
    assert not labels[:, :, :40].any()


def test_small_cracks_are_dropped_by_their_volume() -> None:
    most = float((propose(particle(), CUBE).labels > 0).sum())
    assert propose(particle(), CUBE, ProposalSettings(minimum_volume=most)).clear
    assert not propose(particle(), CUBE, ProposalSettings(minimum_volume=most + 1)).clear
    assert propose(particle(), (2.0, 2.0, 2.0), ProposalSettings(minimum_volume=8 * most)).clear


def test_the_mask_is_the_particle_with_its_crack() -> None:
    mask = sample_mask(particle(), CUBE)
    z, y, x = (np.arange(n) - n / 2 for n in mask.shape)
    radius = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
    assert mask[truth()].mean() > 0.95
    assert not mask[radius > 31].any()
    assert sample_mask(np.random.default_rng(0).normal(size=(8, 64, 64)), CUBE).all()


def test_values_that_are_not_finite_are_left_out() -> None:
    grey = particle()
    grey[:, :10] = np.nan
    found = propose(grey, CUBE)
    assert found.labels.max() == 1
    assert not found.labels[:, :10].any()
    assert not sample_mask(grey, CUBE)[:, :10].any()


def test_what_cannot_be_searched_is_said_in_a_sentence() -> None:
    grey = particle()
    with pytest.raises(UserError, match="no finite voxel"):
        propose(np.full((4, 8, 8), np.nan), CUBE)
    with pytest.raises(UserError, match="All voxels of the volume are equal"):
        propose(np.ones((4, 8, 8)), CUBE)
    with pytest.raises(UserError, match="mask is empty"):
        propose(grey, CUBE, mask=np.zeros(grey.shape, bool))
    with pytest.raises(UserError, match=r"mask has shape \(1, 80, 80\)"):
        propose(grey, CUBE, mask=np.ones((80, 80), bool))
    with pytest.raises(UserError, match="not in shape"):
        propose(np.ones(5), CUBE)


@pytest.mark.parametrize(
    "settings", [{"sensitivity": 1.5}, {"sensitivity": -1}, {"widths": ()}, {"widths": (0.0,)}, {"minimum_volume": -1}]
)
def test_settings_that_do_not_exist(settings: dict[str, float]) -> None:
    with pytest.raises(UserError):
        ProposalSettings(**settings)  # type: ignore[arg-type]
