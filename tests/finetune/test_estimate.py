"""What a run will take, said before it starts."""

from __future__ import annotations

from pathlib import Path

from napari_nanoct.finetune.estimate import estimate
from napari_nanoct.finetune.settings import TuneSettings


def plan(tiny_parents: dict[int, Path], minutes: float) -> TuneSettings:
    return TuneSettings("p.json", "m.safetensors", parent=str(tiny_parents[2]), minutes=minutes, device="cpu")


def test_time_and_memory_are_told(tiny_parents: dict[int, Path]) -> None:
    plans = plan(tiny_parents, 0.01), plan(tiny_parents, 5)
    short, long = (estimate(each, 2, 4, (128, side)) for each, side in zip(plans, (64, 128), strict=True))
    assert 0 < short.seconds_per_step < 60
    assert 1 <= short.steps < long.steps <= plans[1].steps
    assert long.seconds <= 300
    # A slice in float32 with its mask, and a target four times as large, each twice.
    assert long.memory - short.memory == 2 * 4 * 128 * (128 - 64) * (5 + 16)


def test_time_that_is_too_short_for_the_comparison_is_not_promised(tiny_parents: dict[int, Path]) -> None:
    found = estimate(plan(tiny_parents, 1e-6), 2, 4, (64, 64))
    assert found.steps == 1
    assert found.seconds > 60 * 1e-6
