"""Scans: seeded, aligned, with the noise, the rings and the streaks that their physics gives."""

from __future__ import annotations

import math
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.training.data import seeded
from napari_nanoct.training.degrade_sinogram import (
    Scan,
    SinogramRange,
    attenuation,
    draw_scan,
    measure,
    reconstruct,
    sinogram,
    sinogram_volume,
    transmission,
)

PERFECT = Scan(
    counts=math.inf,
    depth=1.25,
    sample=1.0,
    psf_sigma=0.0,
    fringe=0.0,
    gain=0.0,
    drift=0.0,
    jitter=0.0,
    angles=181,
    missing=0.0,
    missing_from=0.0,
    window="ramp",
    interpolation="band-limited",
    smoothing=0.0,
    seed=3,
)


def spot(side: int, row: float, column: float, sigma: float) -> Tensor:
    y, x = torch.arange(side)[:, None] - row, torch.arange(side)[None, :] - column
    return torch.exp(-(y**2 + x**2) / (2 * sigma**2))[None, None]


def disc(side: int, radius: float = 0.4) -> Tensor:
    """A sharp-edged disc in air with a smooth edge of one pixel, about the axis."""
    return (radius * side - distance(side)).clamp(-0.5, 0.5)[None, None] + 0.5


def distance(side: int) -> Tensor:
    offset = torch.arange(side) - (side - 1) / 2
    return torch.hypot(offset[:, None], offset[None, :])


def scanned(high: Tensor, factor: int = 1, **settings: float) -> Tensor:
    scan = replace(PERFECT, **settings)  # type: ignore[arg-type]
    return reconstruct(high, factor, scan, attenuation(high, scan))


def middle(image: Tensor) -> tuple[float, float]:
    rows, columns = torch.meshgrid(*(torch.arange(float(extent)) for extent in image.shape), indexing="ij")
    bright = torch.where(image > 0.2 * image.max(), image - 0.2 * image.max(), 0.0).double()
    return tuple(float((bright * place).sum() / bright.sum()) for place in (rows, columns))  # type: ignore[return-value]


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_shape_seed_and_record(factor: int) -> None:
    high = disc(64) + 0.2 * torch.rand(2, 1, 64, 64, generator=seeded(0))
    low, scan = sinogram(high, factor, seeded(1))
    assert low.shape == (2, 1, 64 // factor, 64 // factor)
    assert torch.isfinite(low).all()
    assert sinogram(high, factor, seeded(1))[1] == scan
    # The record alone gives the slices again.
    assert torch.equal(reconstruct(high, factor, Scan(**asdict(scan)), attenuation(high, scan)), low)
    assert not torch.equal(sinogram(high, factor, seeded(2))[0], low)


@pytest.mark.parametrize("shape", [(65, 65), (65, 80), (72, 49)])
def test_odd_and_oblong_slices(shape: tuple[int, int]) -> None:
    y, x = (torch.arange(extent) - (extent - 1) / 2 for extent in shape)
    high = torch.exp(-(((y[:, None] - 6) ** 2 + (x + 4) ** 2) / 50))[None, None]
    torch.testing.assert_close(scanned(high), high, atol=0.02, rtol=0)


def test_sides_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="crop them to multiples of 4"):
        sinogram(disc(66), 4, seeded(0))
    with pytest.raises(UserError, match="at least 32"):
        sinogram(disc(24), 4, seeded(0))


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_a_spot_stays_where_it_is(factor: int) -> None:
    # Centre of low-resolution pixel i: factor * i + (factor - 1) / 2.
    row, column, side = 20.3 * factor, 37.8 * factor, 60 * factor
    low = scanned(spot(side, row, column, 2.5 * factor), factor, psf_sigma=0.5)[0, 0]
    expected = [(place - (factor - 1) / 2) / factor for place in (row, column)]
    assert middle(low) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_without_flaws_the_slice_comes_back(factor: int) -> None:
    smooth = spot(48 * factor, 20 * factor, 26 * factor, 4 * factor)
    low = scanned(smooth, factor)
    truth = torch.nn.functional.avg_pool2d(smooth, factor)
    torch.testing.assert_close(low, truth, atol=0.02, rtol=0)


def test_middle_of_the_sample_has_the_depth() -> None:
    high = 0.2 + 0.6 * disc(96, 0.3) + 0.1 * torch.rand(1, 1, 96, 96, generator=seeded(1))
    lines, angles = measure(high, 1, PERFECT, attenuation(high, PERFECT))
    assert angles.shape == (181,)
    assert lines[0, :, 46:50].mean().item() == pytest.approx(1.25, rel=0.03)


def test_counts_are_those_of_poisson() -> None:
    high = 0.5 * disc(64)
    scan = replace(PERFECT, counts=2000.0, angles=400)
    grey = attenuation(high, scan)
    lines, _ = measure(high, 1, scan, grey)
    clean, _ = measure(high, 1, PERFECT, grey)
    counts, expected = 2000 * (-lines[0]).exp(), 2000 * (-clean[0, 0]).exp()
    # The scatter of a sample variance over 400 angles is 7 %, over 64 pixels below 1 %.
    ratio = (counts - expected).square().mean(dim=0) / expected
    assert ratio.mean().item() == pytest.approx(1, abs=0.04)
    assert (ratio - 1).abs().max() < 0.35


def test_noise_grows_as_counts_fall_and_with_the_sample() -> None:
    high = disc(64)
    flat, clean = distance(64) < 22, scanned(high)
    noise = [(scanned(high, counts=counts) - clean)[0, 0][flat].std().item() for counts in (10_000.0, 2000.0, 500.0)]
    assert noise[1] / noise[0] == pytest.approx(5**0.5, rel=0.15)
    assert noise[2] / noise[1] == pytest.approx(2, rel=0.15)
    # A slice of a sample twice as wide has half the contrast against the same counts.
    wide = (scanned(high, counts=10_000.0, sample=2.0) - scanned(high, sample=2.0))[0, 0][flat].std().item()
    assert wide / noise[0] == pytest.approx(2, rel=0.15)


def test_noise_has_the_ramps_spectrum() -> None:
    high = disc(128, 0.49)
    noise = (scanned(high, counts=1000.0) - scanned(high))[0, 0, 32:96, 32:96]
    power = torch.fft.fft2(noise).abs().square()
    frequency = torch.hypot(*torch.meshgrid(torch.fft.fftfreq(64), torch.fft.fftfreq(64), indexing="ij"))
    bands = [power[(frequency > low) & (frequency < low + 0.1)].mean() for low in (0.05, 0.15, 0.25, 0.35)]
    # In proportion to the middle of each band.
    assert [(band / bands[0]).item() for band in bands] == pytest.approx([1, 2, 3, 4], rel=0.3)


def test_smoothing_of_the_filter_smooths_the_slice() -> None:
    high = spot(64, 30.0, 33.0, 2.0)
    result = scanned(high, smoothing=1.5)
    torch.testing.assert_close(result, 4 / 6.25 * spot(64, 30.0, 33.0, 2.5), atol=0.01, rtol=0)


def test_gain_errors_are_rings_about_the_axis() -> None:
    high = disc(96, 0.45)
    error = (scanned(high, gain=0.01) - scanned(high))[0, 0]
    inside = (distance(96) > 5) & (distance(96) < 40)
    # Over half a turn each detector pixel draws half a ring: the pixels beyond the axis draw the other halves.
    ring = (distance(96) * 2).long() + 200 * (torch.arange(96) < 48)[:, None]
    profile = torch.bincount(ring[inside], error[inside]) / torch.bincount(ring[inside]).clamp(min=1)
    explained = profile[ring[inside]].var() / error[inside].var()
    assert explained > 0.7
    assert error[inside].std() > 0.005


def test_rings_persist_over_slices_and_photons_do_not() -> None:
    clean = (0.1 + 0.8 * disc(64)).expand(3, 1, 64, 64)[:, 0].numpy()
    settings = {
        "psf_sigma": (0.3, 0.3),
        "drift": (0.0, 0.0),
        "fringe": (0.0, 0.0),
        "angles": (120, 120),
        "smoothing": (0.0, 0.0),
    }
    noise = SinogramRange(counts=(1000.0, 1000.0), gain=(0.0, 0.0), **settings)  # type: ignore[arg-type]
    rings = SinogramRange(counts=(math.inf, math.inf), gain=(0.01, 0.01), **settings)  # type: ignore[arg-type]
    low, _ = sinogram_volume(clean, 1, 4, noise)
    centre = slice(20, 44)
    residual = low[:, centre, centre] - low[:, centre, centre].mean(axis=0)
    assert abs(np.corrcoef(residual[0].ravel(), residual[1].ravel())[0, 1] + 0.5) < 0.15
    low, _ = sinogram_volume(clean, 1, 4, rings)
    np.testing.assert_allclose(low[1], low[0], atol=1e-4)


def test_volume_does_not_depend_on_slabs_and_keeps_its_grey_values(monkeypatch: pytest.MonkeyPatch) -> None:
    clean = 1000 + 500 * (disc(32) * torch.linspace(0.5, 1, 5)[:, None, None, None])[:, 0].numpy()
    low, record = sinogram_volume(clean, 2, 6, air=1000.0)
    assert (low.shape, low.dtype) == ((5, 16, 16), np.float32)
    assert low[4, 6:10, 6:10].mean() == pytest.approx(1500, abs=150)
    assert (record["factor"], record["air"]) == (2, 1000.0)
    monkeypatch.setattr("napari_nanoct.training.degrade_sinogram._SLAB", 2)
    np.testing.assert_allclose(sinogram_volume(clean, 2, 6, air=1000.0)[0], low, rtol=1e-4)
    with pytest.raises(UserError, match="volume"):
        sinogram_volume(clean[0], 2, 6)


def test_drift_is_smooth_in_the_angle_and_the_same_for_all_pixels() -> None:
    high = disc(48)
    scan = replace(PERFECT, drift=0.02)
    grey = attenuation(high, scan)
    drift = (measure(high, 1, scan, grey)[0] - measure(high, 1, PERFECT, grey)[0])[0]
    assert drift.std(dim=1).max() < 1e-4
    course = drift.mean(dim=1)
    assert 0.003 < course.std() < 0.06
    assert course.diff().abs().max() < 0.1 * (course.max() - course.min())


def test_jitter_blurs_far_from_the_axis() -> None:
    high = spot(96, 47.5, 47.5, 1.5) + spot(96, 47.5, 82.0, 1.5)
    error = (scanned(high, jitter=2.0) - scanned(high))[0, 0].abs()
    assert error[44:52, 79:86].max() > 3 * error[44:52, 44:52].max()


def test_missing_angles_leave_streaks_along_the_wedge() -> None:
    high = spot(64, 31.5, 31.5, 2.0)
    lines, angles = measure(high, 1, replace(PERFECT, missing=40.0, missing_from=70.0), 0.01)
    assert lines.shape[1] == len(angles) == pytest.approx(181 * 140 / 180, abs=1)
    degrees = angles.rad2deg()
    assert not ((degrees >= 70) & (degrees < 110)).any()
    # Frequencies along y, at 90 degrees, are missing: the error's waves run that way.
    error = (scanned(high, missing=40.0, missing_from=70.0) - scanned(high))[0, 0]
    power = torch.fft.fft2(error).abs().square()
    assert power[2:8, :2].mean() > 8 * power[:2, 2:8].mean()
    low = scanned(0.5 * disc(64), missing=40.0)
    assert low[..., 24:40, 24:40].mean().item() == pytest.approx(0.5, rel=0.05)


def test_fringes_brighten_the_outside_of_an_edge() -> None:
    high = disc(96, 0.3)
    angles = torch.zeros(1, dtype=torch.float64)
    plain = transmission(high, 1, replace(PERFECT, psf_sigma=0.7), 0.02, angles)
    fringed = transmission(high, 1, replace(PERFECT, psf_sigma=0.7, fringe=1.5), 0.02, angles)
    edge = slice(66, 84)
    # 1 - l^2 I'': the beam is deflected out of the edge, and nothing of it is lost.
    assert fringed[0, 0, edge].max() > 1.01 > plain[0, 0, edge].max()
    assert fringed.mean().item() == pytest.approx(plain.mean().item(), abs=1e-4)


def test_blur_is_that_of_the_detector() -> None:
    high = spot(96, 47.5, 47.5, 4.0)
    for factor in (1, 2):
        low = scanned(high, factor, psf_sigma=3.0 / factor, depth=0.01)[0, 0]
        # The variances add, and that of a binned pixel of this width.
        width = math.sqrt(4.0**2 + 3.0**2 + (factor**2 - 1) / 12) / factor
        centre = (96 / factor - 1) / 2
        expected = spot(96 // factor, centre, centre, width)[0, 0] * (4.0 / (width * factor)) ** 2
        torch.testing.assert_close(low, expected, atol=0.01, rtol=0)


def test_draws_stay_in_their_ranges() -> None:
    ranges = SinogramRange()
    scans = [draw_scan(ranges, seeded(seed)) for seed in range(200)]
    for name in ("counts", "depth", "sample", "psf_sigma", "fringe", "gain", "drift", "jitter", "missing", "smoothing"):
        drawn, (low, high) = [getattr(scan, name) for scan in scans], getattr(ranges, name)
        assert low <= min(drawn) < low + 0.2 * (high - low)
        assert high >= max(drawn) > high - 0.2 * (high - low)
    assert 180 <= min(scan.angles for scan in scans) < 200 < 380 < max(scan.angles for scan in scans) <= 400
    assert {scan.window for scan in scans} == set(ranges.windows)
    assert 70 < sum(scan.fringe == 0 for scan in scans) < 130
    # Counts are as often below as above the geometric mean.
    assert 70 < sum(scan.counts < 4000 for scan in scans) < 130
