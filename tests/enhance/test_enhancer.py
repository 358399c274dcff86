"""Slices through the enhancer: tiles without seams, and what must not change does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_nanoct.enhance import Enhancer
from napari_nanoct.enhance.enhancer import output_type
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import Cancelled, CancelToken
from napari_nanoct.volumes import IntensityRange

UNIT = IntensityRange(0.0, 1.0)
Make = Callable[..., Enhancer]


def picture(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Smooth random grey values, 0..1 for floats and 0..200 for integers."""
    values = np.random.default_rng(0).random(shape)
    return (values * (200 if np.dtype(dtype).kind in "iu" else 1)).astype(dtype)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("shape", [(1, 1), (1, 57), (7, 3), (8, 8), (37, 61), (64, 40)])
def test_tiled_equals_whole_to_rounding(small: Make, scale: int, shape: tuple[int, int]) -> None:
    plane = picture(*shape)
    whole = small(scale).slice(plane, UNIT)
    enhancer = small(scale, core=16, whole=0)
    tiled = enhancer.slice(plane, UNIT)
    assert whole.shape == (scale * shape[0], scale * shape[1])
    changed = np.abs(whole - plane.repeat(scale, 0).repeat(scale, 1)).max() > 0.01
    assert changed == (plane.size > 1)  # a single pixel is a constant slice
    np.testing.assert_allclose(tiled, whole, atol=2e-6)
    assert len(enhancer.tiles(shape)) == -(-shape[0] // 16) * -(-shape[1] // 16)


def test_tiled_differs_without_a_halo(small: Make) -> None:
    """The test above sees seams: without the halo they are there."""
    plane = picture(40, 40)
    enhancer = small(core=16, whole=0)
    enhancer.card = type(enhancer.card)(halo=0)  # type: ignore[call-arg]
    assert np.abs(enhancer.slice(plane, UNIT) - small().slice(plane, UNIT)).max() > 1e-3


def test_tiled_equals_whole_by_rms_in_bfloat16(small: Make) -> None:
    plane = picture(70, 50)
    whole = small(precision="bfloat16").slice(plane, UNIT)
    tiled = small(precision="bfloat16", core=16, whole=0).slice(plane, UNIT)
    assert np.sqrt(np.mean((tiled - whole) ** 2)) < 1e-3
    exact = small().slice(plane, UNIT)
    assert 0 < np.sqrt(np.mean((whole - exact) ** 2)) < 5e-3


@pytest.mark.parametrize("scale", [1, 2])
def test_a_crop_equals_that_part_of_the_whole(small: Make, scale: int) -> None:
    plane = picture(60, 70)
    crop = (13, 41, 9, 70)
    whole = small(scale).slice(plane, UNIT)
    part = small(scale, core=16, whole=0).slice(plane, UNIT, crop=crop)
    y0, y1, x0, x1 = (scale * place for place in crop)
    np.testing.assert_allclose(part, whole[y0:y1, x0:x1], atol=2e-6)


def test_a_slice_alone_equals_the_slice_in_a_volume(small: Make) -> None:
    planes = picture(5, 33, 45)
    together = small(core=16, whole=0).slices(planes, UNIT)
    for plane, answer in zip(planes, together, strict=True):
        assert np.array_equal(small(core=16, whole=0).slice(plane, UNIT), answer)


def test_batched_tiles_of_many_slices_equal_single_ones(small: Make) -> None:
    planes = picture(5, 40, 45)
    enhancer = small(core=16, whole=0)
    enhancer.batch = 32 * 32 * 20
    network = enhancer.network
    np.testing.assert_allclose(enhancer.slices(planes, UNIT), small().slices(planes, UNIT), atol=2e-6)
    assert isinstance(network.calls, list)
    assert max(call[0] for call in network.calls) > 1
    assert max(int(np.prod(call)) for call in network.calls) <= enhancer.batch


@pytest.mark.parametrize("scale", [1, 2])
def test_nan_and_infinities_come_back_and_do_not_spread(small: Make, scale: int) -> None:
    plane = picture(40, 48)
    holes = plane.copy()
    holes[10:14, 20:26] = np.nan
    holes[0, 0], holes[39, 47] = np.inf, -np.inf
    answer = small(scale).slice(holes, UNIT)
    large = holes.repeat(scale, 0).repeat(scale, 1)
    assert np.array_equal(answer[~np.isfinite(large)], large[~np.isfinite(large)], equal_nan=True)
    assert np.isfinite(answer[np.isfinite(large)]).all()
    far = np.s_[20 * scale : 36 * scale]  # beyond the reach of the network
    np.testing.assert_allclose(answer[far], small(scale).slice(plane, UNIT)[far], atol=2e-6)


def test_a_slice_of_nan_comes_back(small: Make) -> None:
    enhancer = small(2)
    assert np.isnan(enhancer.slice(np.full((9, 9), np.nan, np.float32), UNIT)).all()
    assert enhancer.network.calls == []


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("centre", [31.5, 32.0])
def test_the_outside_of_a_circle_comes_back(small: Make, dtype: str, centre: float) -> None:
    plane = picture(64, 64, dtype=dtype) + np.asarray(5, dtype)
    rows, columns = np.ogrid[:64, :64]
    outside = (rows - centre) ** 2 + (columns - centre) ** 2 > 31**2
    plane[outside] = 3
    intensity = IntensityRange(3.0, 205.0)
    answer = small(2).slice(plane, intensity)
    large = outside.repeat(2, 0).repeat(2, 1)
    assert (answer[large] == 3).all()
    assert np.mean(answer[~large] != plane.repeat(2, 0).repeat(2, 1)[~large]) > 0.9
    crop = (0, 20, 0, 20)  # the circle is that of the whole slice
    assert (small(2).slice(plane, intensity, crop=crop)[large[:40, :40]] == 3).all()


def test_one_pixel_outside_the_circle_rules_it_out(small: Make) -> None:
    plane = picture(64, 64)
    rows, columns = np.ogrid[:64, :64]
    plane[(rows - 31.5) ** 2 + (columns - 31.5) ** 2 > 31**2] = 0
    plane[1, 1] = 0.5
    assert small().slice(plane, UNIT)[0, 0] != 0


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float16", "float32"])
def test_constant_slices_return_as_they_are(small: Make, dtype: str) -> None:
    plane = np.full((9, 12), 77, dtype)
    answer = small(2).slice(plane, IntensityRange(10.0, 12.0))
    assert answer.dtype == plane.dtype
    assert answer.shape == (18, 24)
    assert (answer == 77).all()


def test_no_residual_gives_the_input_back_exactly(small: Make) -> None:
    for dtype in ("uint8", "uint16", "int16"):
        plane = np.random.default_rng(0).integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (30, 31), dtype, True)
        enhancer = small(network=Unchanged())
        assert np.array_equal(enhancer.slice(plane, IntensityRange(100.0, 5000.0)), plane)


def test_integers_are_rounded_and_saturated(small: Make) -> None:
    plane = np.array([[0, 1, 128, 254, 255]] * 3, np.uint8)
    answer = small(network=Added(10.4 / 255)).slice(plane, IntensityRange(0.0, 255.0))
    assert answer.dtype == np.uint8
    assert answer[0].tolist() == [10, 11, 138, 255, 255]
    answer = small(network=Added(-10.6 / 255)).slice(plane, IntensityRange(0.0, 255.0))
    assert answer[0].tolist() == [0, 0, 117, 243, 244]


def test_the_range_does_not_clip(small: Make) -> None:
    plane = np.array([[-50.0, 0.0, 1000.0]], np.float32)
    np.testing.assert_allclose(small(network=Unchanged()).slice(plane, IntensityRange(0.0, 1.0)), plane)


def test_output_types() -> None:
    assert output_type("float64") == np.float32
    assert output_type("uint16") == np.uint16
    assert output_type("float16") == np.float16


def test_other_output_type(small: Make) -> None:
    plane = picture(9, 9, dtype="uint16")
    answer = small().slice(plane, IntensityRange(0.0, 200.0), "float32")
    assert answer.dtype == np.float32
    assert (answer != np.rint(answer)).any()


def test_values_that_are_not_finite_are_an_error(small: Make) -> None:
    with pytest.raises(UserError, match=r"not finite in float32 at rows 0:16, columns 16:32"):
        small(network=Broken(), core=16, whole=0).slice(picture(32, 32), UNIT)


def test_cancel_within_a_slice(small: Make) -> None:
    cancel = CancelToken()
    enhancer = small(core=16, whole=0)
    planes = picture(1, 64, 64)
    steps = enhancer.steps(planes, np.empty_like(planes), UNIT, cancel=cancel)
    shares = [next(steps) for _ in range(3)]
    cancel.cancel()
    with pytest.raises(Cancelled):
        next(steps)
    assert shares == [1 / 16, 2 / 16, 3 / 16]
    assert len(enhancer.network.calls) == 3


def test_shares_grow_to_one(small: Make) -> None:
    planes = picture(3, 40, 30)
    planes[1] = 0.5
    shares = list(small(core=16, whole=0).steps(planes, np.empty_like(planes), UNIT))
    assert shares == sorted(shares)
    assert len(set(shares)) == len(shares)
    assert shares[-1] == 1


def test_out_of_memory_halves_the_batch_then_the_tile(small: Make) -> None:
    planes = picture(4, 64, 64)
    expected = small().slices(planes, UNIT)
    network = Crowded(small().network, limit=40 * 40)
    enhancer = small(network=network, whole=4 * 64 * 64)
    enhancer.batch = 4 * 64 * 64
    np.testing.assert_allclose(enhancer.slices(planes, UNIT), expected, atol=2e-6)
    pixels = [call[0] * call[2] * call[3] for call in network.calls]
    assert pixels[:3] == [4 * 64 * 64, 2 * 64 * 64, 64 * 64]
    assert max(pixels[-9:]) <= 40 * 40


def test_no_memory_at_all_is_an_error(small: Make) -> None:
    with pytest.raises(UserError, match="memory of device cpu"):
        small(network=Crowded(small().network, limit=10)).slice(picture(64, 64), UNIT)


def test_another_error_of_the_device_is_not_taken_for_memory(small: Make) -> None:
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("CUDA error: out of memory, or so it says")

    with pytest.raises(RuntimeError, match="or so it says"):
        small(network=Failing()).slice(picture(9, 9), UNIT)


class Added(nn.Module):
    """The input plus a constant."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return x + self.value


class Unchanged(Added):
    """The input."""

    def __init__(self) -> None:
        super().__init__(0.0)


class Broken(nn.Module):
    """Not finite in its second answer."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + (torch.nan if self.calls == 2 else 0.0)


class Crowded(nn.Module):
    """A device with room for few pixels."""

    def __init__(self, inner: nn.Module, limit: int) -> None:
        super().__init__()
        self.inner = inner
        self.limit = limit
        self.calls: list[tuple[int, ...]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.calls.append(tuple(x.shape))
        if x.numel() > self.limit:
            raise torch.OutOfMemoryError("no room")
        return self.inner(x)
