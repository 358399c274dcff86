"""Tiles cover what is wanted exactly once, aligned, with their halo, at any size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_nanoct.enhance.tiling import Box, network_pixels, plan


@st.composite
def cases(draw: st.DrawFn) -> tuple[tuple[int, int], dict[str, int], Box | None]:
    """Any slice, any grid, and perhaps a crop."""
    shape = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    period = draw(st.sampled_from([1, 2, 8, 32, 64]))
    grid = {
        "period": period,
        "halo": period * draw(st.integers(0, 3)),
        "core": draw(st.integers(10, 200)),
        "whole": draw(st.integers(0, 100_000)),
    }
    crop = None
    if draw(st.booleans()):
        y0, x0 = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
        crop = y0, draw(st.integers(y0 + 1, shape[0])), x0, draw(st.integers(x0 + 1, shape[1]))
    return shape, grid, crop


@settings(deadline=None)
@given(cases())
def test_every_wanted_pixel_is_kept_exactly_once(case: tuple[tuple[int, int], dict[str, int], Box | None]) -> None:
    shape, grid, crop = case
    count = np.zeros(shape, int)
    for tile in plan(shape, **grid, crop=crop):
        y0, y1, x0, x1 = tile.keep
        assert y0 < y1
        assert x0 < x1
        count[y0:y1, x0:x1] += 1
    wanted = np.zeros(shape, int)
    y0, y1, x0, x1 = crop or (0, shape[0], 0, shape[1])
    wanted[y0:y1, x0:x1] = 1
    assert np.array_equal(count, wanted)


@settings(deadline=None)
@given(cases())
def test_tiles_are_aligned_and_hold_their_halo(case: tuple[tuple[int, int], dict[str, int], Box | None]) -> None:
    shape, grid, crop = case
    tiles = plan(shape, **grid, crop=crop)
    for tile in tiles:
        for axis in (0, 1):
            read0, read1 = tile.read[2 * axis : 2 * axis + 2]
            keep0, keep1 = tile.keep[2 * axis : 2 * axis + 2]
            assert read0 % grid["period"] == 0
            assert read1 % grid["period"] == 0 or read1 == shape[axis]
            assert 0 <= read0 <= max(keep0 - grid["halo"], 0)
            assert min(keep1 + grid["halo"], shape[axis]) <= read1 <= shape[axis]
            if len(tiles) > 1:
                assert keep1 - keep0 <= -(-grid["core"] // grid["period"]) * grid["period"]


def test_a_slice_that_fits_is_one_tile() -> None:
    (tile,) = plan((1000, 1200), period=64, halo=64, core=1024, whole=1_500_000)
    assert tile.read == tile.keep == (0, 1000, 0, 1200)


def test_cores_are_about_equal_and_little_is_computed_twice() -> None:
    tiles = plan((2050, 2048), period=64, halo=64, core=1024, whole=1_500_000)
    assert len(tiles) == 3 * 2
    assert {tile.keep[1] - tile.keep[0] for tile in tiles} == {704, 642}
    assert network_pixels(tiles, 64) / (2050 * 2048) < 1.25


def test_network_pixels_count_the_extension_to_full_windows() -> None:
    tiles = plan((65, 1), period=64, halo=64, core=1024, whole=1_500_000)
    assert network_pixels(tiles, 64) == 128 * 64
