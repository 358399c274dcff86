"""Original against enhanced, without a viewer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_nanoct.cracks.blocks import whole_box
from napari_nanoct.cracks.scribbles import ScribbleStore
from napari_nanoct.docks.cracks.choices import Request
from napari_nanoct.docks.cracks.compare import Compared, compare
from napari_nanoct.jobs import CancelToken
from napari_nanoct.volumes import Volume, open_volume

SHAPE = (12, 48, 56)
SPECK = np.s_[5:8, 39:42, 50:51]


@pytest.fixture
def cracked(plate: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Return grey values with a dark plate and a dark speck, and the plate."""
    grey, crack = plate
    grey[SPECK] -= 400
    return grey, crack


def _compared(cracked: tuple, store: ScribbleStore, mask: Volume | str) -> Compared:
    grey, _ = cracked
    volume = open_volume(grey)
    request = Request(volume, open_volume(grey + 1), mask, True, 0.5, 0.6, 0.3, "")
    return compare(request, store, None, whole_box(SHAPE), 6, lambda line: None, CancelToken())


def test_compares_where_cracks_may_be_and_what_a_run_would_keep(
    cracked: tuple, painted: ScribbleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = np.zeros(SHAPE, np.uint8)
    inside[:, :24] = 1
    everywhere, masked = (_compared(cracked, painted, mask).shown for mask in ("everywhere", open_volume(inside)))
    monkeypatch.setattr("napari_nanoct.cracks.probability.SMALLEST", 1)
    specks = _compared(cracked, painted, "everywhere").shown
    for name in everywhere:
        found, within = everywhere[name][1], masked[name][1]
        assert found[24:].any()
        assert not found[SPECK[1:]].any()  # too small for a crack
        assert specks[name][1][SPECK[1:]].any()
        assert within[:24].any()
        assert not within[24:].any()


def test_a_part_is_judged_by_the_range_of_the_whole(cracked: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = []
    monkeypatch.setattr("napari_nanoct.volumes.intensity_range", lambda volume: ranges.append(volume) or 1 / 0)
    grey, crack = cracked
    store = ScribbleStore(Path("nowhere.zarr"), SHAPE)
    store[3] = np.where(crack[3], 1, 3)
    volume = open_volume(grey)
    request = Request(volume, volume, "everywhere", True, 0.5, 0.6, 0.3, "")
    with pytest.raises(ZeroDivisionError):
        compare(request, store, None, np.s_[2:8, 4:40, 4:50], 3, lambda line: None, CancelToken())
    assert ranges == [volume]
