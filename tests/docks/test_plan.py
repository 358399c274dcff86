"""The copy of a layer that is not on disk."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
import pytest

from napari_nanoct.docks.plan import copy_layer
from napari_nanoct.jobs import Cancelled, CancelToken, Progress
from napari_nanoct.volumes import Geometry, Volume, open_volume

DATA = np.random.default_rng(0).integers(0, 200, (20, 300, 300)).astype(np.uint8)


def plan(folder: Path) -> Any:
    """All of a plan that the copy looks at."""
    volume = Volume(da.from_array(DATA), Geometry((2, 1, 1), unit="micrometer"), name="my/layer")
    settings = SimpleNamespace(output=str(folder / "result.ome.zarr"))
    return SimpleNamespace(request=SimpleNamespace(volume=volume), settings=settings)


def test_copy_is_the_layer(tmp_path: Path) -> None:
    told: list[Progress] = []
    copy = open_volume(copy_layer(plan(tmp_path), CancelToken(), told.append))
    assert copy.geometry == Geometry((2, 1, 1), unit="micrometer")
    np.testing.assert_array_equal(np.asarray(copy.data), DATA)
    assert [progress.done for progress in told] == [0, 16]


@pytest.mark.parametrize("last", [0, 16])
def test_a_cancelled_copy_stops_and_leaves_nothing(tmp_path: Path, last: int) -> None:
    """Also after the last slab, while the pyramid is built."""
    cancel, told = CancelToken(), []

    def report(progress: Progress) -> None:
        told.append(progress.done)
        if progress.done == last:
            cancel.cancel()

    with pytest.raises(Cancelled):
        copy_layer(plan(tmp_path), cancel, report)
    assert told[-1] == last
    assert list(tmp_path.iterdir()) == []
