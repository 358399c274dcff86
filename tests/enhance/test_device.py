"""Devices and precision: what exists, and what a measurement says."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from napari_nanoct.enhance.device import choose_device, describe, devices, measure
from napari_nanoct.errors import UserError

CPU = torch.device("cpu")


class Timed(nn.Module):
    """Slower in one precision, and perhaps wrong in bfloat16."""

    def __init__(self, float32: float, bfloat16: float, error: float = 0.0) -> None:
        super().__init__()
        self.seconds = {False: float32, True: bfloat16}
        self.error, self.calls = error, 0

    def forward(self, x: Tensor) -> Tensor:
        half = torch.is_autocast_enabled("cpu")
        self.calls += 1
        time.sleep(self.seconds[half])
        return x + (self.error if half else 0.0)


def test_the_cpu_is_always_there_and_last() -> None:
    assert devices()[-1] == "cpu"
    assert str(choose_device("auto")) == devices()[0]
    assert "cpu (" in describe(choose_device("cpu"))


def test_an_unknown_device_gets_a_sentence_with_those_that_exist() -> None:
    with pytest.raises(UserError, match=r"device 'cuda:99' does not exist here; choose auto or .*cpu"):
        choose_device("cuda:99")


@pytest.mark.parametrize(
    ("network", "chosen"),
    [
        (Timed(0.08, 0.02), "bfloat16"),
        (Timed(0.02, 0.08), "float32"),
        (Timed(0.04, 0.038), "float32"),
        (Timed(0.08, 0.02, error=0.1), "float32"),
    ],
)
def test_the_faster_precision_is_chosen_where_it_pays_and_agrees(network: Timed, chosen: str) -> None:
    timing = measure(network, f"key {network.seconds} {network.error}", CPU)
    assert timing.precision == chosen
    assert timing.seconds_per_pixel * 256**2 == pytest.approx(network.seconds[chosen == "bfloat16"], rel=0.9)


def test_a_measurement_is_made_once() -> None:
    network = Timed(0.0, 0.0)
    first = measure(network, "once", CPU, "float32")
    calls = network.calls
    assert measure(network, "once", CPU, "float32") is first
    assert network.calls == calls > 0


def test_a_device_without_bfloat16_takes_float32() -> None:
    class Old(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("bfloat16 is not supported")
            return x

    assert measure(Old(), "old", CPU).precision == "float32"
    with pytest.raises(RuntimeError, match="not supported"):
        measure(Old(), "old", CPU, "bfloat16")


class Large(nn.Module):
    """Needs more memory than there is for a picture of more than so many pixels a side, or in float32 alone."""

    def __init__(self, most: int, also_half: bool = True) -> None:
        super().__init__()
        self.most, self.also_half = most, also_half

    def forward(self, x: Tensor) -> Tensor:
        half = torch.is_autocast_enabled("cpu")
        if x.shape[-1] > self.most and (self.also_half or not half):
            raise torch.OutOfMemoryError("out of memory")
        time.sleep(0.005 if half else 0.02)
        return x


@pytest.mark.parametrize("also_half", [True, False])
def test_where_memory_is_short_a_smaller_picture_is_timed(also_half: bool) -> None:
    timing = measure(Large(128, also_half), f"large {also_half}", CPU)
    assert timing.precision == "bfloat16"
    assert timing.seconds_per_pixel * 128**2 == pytest.approx(0.005, rel=0.9)


def test_where_no_picture_fits_float32_is_taken_and_measured_again_later() -> None:
    network = Large(0)
    timing = measure(network, "full", CPU)
    assert timing.precision == "float32"
    assert np.isnan(timing.seconds_per_pixel)
    assert measure(network, "full", CPU, "bfloat16").precision == "bfloat16"
    network.most = 256
    assert measure(network, "full", CPU).precision == "bfloat16"
