"""Events survive the way between two processes."""

from __future__ import annotations

import pytest

from napari_nanoct.jobs import Done, Event, Failed, Loss, Preview, Progress, from_json, to_json


@pytest.mark.parametrize(
    "event",
    [
        Progress(3, 48, rate=1.5, seconds_left=30.0, message="µm – slices"),
        Progress(0, 1),
        Loss(40, 0.0125),
        Loss(100, 0.01, score=31.5, parent=30.75),
        Preview("model.preview.npz", 100),
        Done("out.ome.zarr", 2.5, {"model": {"name": "utsr-light"}, "tiles": [1, 2]}),
        Failed('no "space"\nleft', cancelled=True),
    ],
)
def test_round_trip_on_one_ascii_line(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert line.isascii()
    assert from_json(line + "\n") == event


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(Progress(0, 1, rate=float("nan")))


@pytest.mark.parametrize("line", ["", "Warning: hello", "[]", "3", '{"event": "other"}', '{"event": "done", "x": 1}'])
def test_chatter_is_not_an_event(line: str) -> None:
    with pytest.raises(ValueError, match="not an event"):
        from_json(line)
