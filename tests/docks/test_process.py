"""The process runner, driven with small scripts in place of the real command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from napari_nanoct.docks.activity import Activity
from napari_nanoct.docks.process import JobProcess
from napari_nanoct.jobs import Done, Failed, Progress, to_json

PRINT = "import sys, time, os, signal\ndef say(line): print(line, flush=True)\n"


@pytest.fixture
def run_script(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Return a function that starts a script as the process and collects what it emits."""
    processes = []

    def start(script: str, *arguments: str) -> tuple[JobProcess, list]:
        monkeypatch.setattr(JobProcess, "COMMAND", (sys.executable, "-c", PRINT + script))
        process, heard = JobProcess(), []
        processes.append(process)
        for name in ("progressed", "done", "failed"):
            getattr(process, name).connect(lambda value, name=name: heard.append((name, value)))
        process.cancelled.connect(lambda: heard.append(("cancelled", None)))
        process.start(arguments)
        return process, heard

    yield start
    for process in processes:
        process.end()


def _wait_for(qtbot: QtBot, process: JobProcess) -> None:
    qtbot.waitUntil(lambda: not process.running, timeout=20_000)


def test_events_arrive_in_order_amid_chatter(run_script: Callable, qtbot: QtBot) -> None:
    lines = [
        to_json(Progress(0, 2)),
        "chatter",
        '{"event": "song"}',
        to_json(Progress(1, 2)),
        to_json(Done("µ.zarr", 1.0)),
    ]
    process, heard = run_script("".join(f"say({line!r})\n" for line in lines))
    _wait_for(qtbot, process)
    assert heard == [("progressed", Progress(0, 2)), ("progressed", Progress(1, 2)), ("done", Done("µ.zarr", 1.0))]


def test_arguments_reach_the_process(run_script: Callable, qtbot: QtBot) -> None:
    process, heard = run_script(
        f"say({to_json(Failed('@'))!r}.replace('@', '+'.join(sys.argv[1:])))\nsys.exit(1)", "a b", "c"
    )
    _wait_for(qtbot, process)
    assert heard == [("failed", "a b+c+--json")]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "crashed"),
        ("raise SystemExit(3)", "exit code 3 without a message"),
        ("raise RuntimeError('no such thing')", "exit code 1: RuntimeError: no such thing"),
        (f"say({to_json(Done('a.zarr', 1.0))!r})\nraise SystemExit(4)", "exit code 4"),
        ("pass", "exit code 0"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_every_way_to_die_is_one_sentence(run_script: Callable, qtbot: QtBot, script: str, words: str) -> None:
    process, heard = run_script(script)
    _wait_for(qtbot, process)
    ((kind, sentence),) = heard
    assert kind == "failed"
    assert words in sentence
    assert "\n" not in sentence


def test_a_program_that_is_not_there(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobProcess, "COMMAND", ("/no/such/program",))
    process = JobProcess()
    with qtbot.waitSignal(process.failed) as failed:
        process.start([])
    assert "could not start" in failed.args[0]
    assert not process.running


def test_cancel_by_a_word(run_script: Callable, qtbot: QtBot) -> None:
    script = f"say({to_json(Progress(0, 2))!r})\nassert sys.stdin.readline() == 'cancel\\n'\n"
    process, heard = run_script(script + f"say({to_json(Failed('cancelled', True))!r})\nsys.exit(1)")
    qtbot.waitUntil(lambda: len(heard) == 1, timeout=20_000)
    process.cancel()
    process.cancel()
    _wait_for(qtbot, process)
    assert heard[1:] == [("cancelled", None)]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_cancel_insists(run_script: Callable, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobProcess, "GRACE_MS", 100)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + f"say({to_json(Progress(0, 2))!r})\ntime.sleep(60)"
    process, heard = run_script(deaf)
    qtbot.waitUntil(lambda: len(heard) == 1, timeout=20_000)
    process.cancel()
    _wait_for(qtbot, process)
    assert heard[1:] == [("cancelled", None)]


def test_end_stops_at_once_and_says_nothing(run_script: Callable, qtbot: QtBot) -> None:
    process, heard = run_script(f"say({to_json(Progress(0, 2))!r})\ntime.sleep(60)")
    qtbot.waitUntil(lambda: len(heard) == 1, timeout=20_000)
    process.end(wait_ms=100)
    assert not process.running
    qtbot.wait(50)
    assert len(heard) == 1


def test_a_second_run_starts_afresh(run_script: Callable, qtbot: QtBot) -> None:
    process, heard = run_script("raise SystemExit(3)")
    _wait_for(qtbot, process)
    process.start([])
    with pytest.raises(RuntimeError, match="already running"):
        process.start([])
    _wait_for(qtbot, process)
    assert [kind for kind, _ in heard] == ["failed", "failed"]


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="no priorities")
def test_the_process_stands_back_behind_the_window(run_script: Callable, qtbot: QtBot) -> None:
    line = to_json(Progress(0, 1, message="@"))
    wait = "for _ in range(100):\n    time.sleep(0.05)\n    if os.getpriority(0, 0): break\n"
    process, heard = run_script(wait + f"say({line!r}.replace('@', str(os.getpriority(0, 0))))")
    _wait_for(qtbot, process)
    assert int(heard[0][1].message) >= os.getpriority(os.PRIO_PROCESS, 0) + 5


def test_activity_starts_anew_with_each_phase() -> None:
    activity = Activity("enhance")
    activity._bar.gui = True  # as napari does when it shows the bar
    told, values = [], []
    activity._bar.events.eta.connect(lambda event: told.append(event.value))
    activity._bar.events.value.connect(lambda event: values.append(event.value))
    for done, total in ((0, 48), (32, 48), (0, 8), (3, 8)):
        activity.show(done, total)
    assert values == [0, 32, 0, 3]
    assert told[-1].strip().startswith("3/8")
    assert not activity.cancelled
    activity._bar.cancel()
    assert activity.cancelled
    activity.close()
    activity.close()
    activity.show(4, 8)
    assert values == [0, 32, 0, 3]
