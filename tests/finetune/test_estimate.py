"""What a run will take, said before it starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_nanoct.finetune.estimate import estimate
from napari_nanoct.finetune.settings import PRESETS, TuneSettings


def test_time_and_memory_are_told(make_pairs: Callable[..., Any], tiny_parents: dict[int, Path]) -> None:
    plan = TuneSettings("p.json", "m.safetensors", parent=str(tiny_parents[2]), minutes=0.01, device="cpu")
    alone, pairs = estimate(plan, 2), make_pairs(4, 2, 128)
    assert 0 < alone.seconds_per_step < 60
    assert 1 <= alone.steps <= PRESETS["quick"].steps
    assert alone.seconds <= max(plan.budget, alone.seconds_per_step)
    more = estimate(plan, 2, pairs)
    assert more.memory - alone.memory == 2 * sum(p.low.nbytes + p.high.nbytes + p.usable.nbytes for p in pairs)
