"""Figures on held-out slices, of which only a part may be usable."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.finetune.compare import compare
from napari_nanoct.training.pairs import SlicePair


def resolution(usable: np.ndarray) -> float:
    random = np.random.default_rng(0)
    high = gaussian_filter(random.normal(size=usable.shape), 1.5)
    high = (0.5 + 0.2 * high / high.std()).astype(np.float32)
    low = (0.7 * gaussian_filter(high, 3) + random.normal(0, 0.03, high.shape)).astype(np.float32)
    judge: Any = SimpleNamespace(views=[SlicePair(low, high, usable, 0)], factor=1, supervised=True)
    figures, _ = compare(judge, {"input": lambda image: image})
    period = figures["input"]["frc"]
    assert period is not None
    return period


def test_the_resolution_is_that_of_the_usable_part() -> None:
    whole = np.ones((256, 256), bool)
    spots = gaussian_filter(np.random.default_rng(1).normal(size=whole.shape), 8) > 0
    quarter = whole.copy()
    quarter[128:] = quarter[:, 128:] = False
    expected = resolution(whole)
    for usable in (spots, quarter):
        assert resolution(usable) == pytest.approx(expected, rel=0.15)
