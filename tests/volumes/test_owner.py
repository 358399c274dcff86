"""Who is still at work on a half-written volume."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from napari_nanoct.volumes.owner import claim, is_writing, release


class Writer:
    """Anything that can be forgotten."""


def test_a_writer_of_this_process() -> None:
    writer = Writer()
    owner = claim(writer)
    assert owner["host"] == platform.node()
    assert is_writing(owner)
    release(owner)
    assert not is_writing(owner)
    release(owner)


def test_a_forgotten_writer() -> None:
    writer = Writer()
    owner = claim(writer)
    del writer
    assert not is_writing(owner)


def test_a_writer_of_another_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = {"host": platform.node(), "process": process.pid, "writer": "unknown here"}
        assert is_writing(owner)
        assert not is_writing({**owner, "host": "another"})
        assert process.poll() is None  # asking does it no harm
        process.kill()
    assert not is_writing(owner)


@pytest.mark.skipif(os.name == "nt", reason="Windows asks in another way")
def test_a_process_of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(process: int, signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "kill", refuse)
    assert is_writing({"host": platform.node(), "process": os.getpid() + 1, "writer": ""})


@pytest.mark.parametrize("process", [None, "7", 0, -1, 2.5, 10**30])
def test_what_is_no_process(process: object) -> None:
    assert not is_writing({"host": platform.node(), "process": process})


@pytest.mark.parametrize("owner", [None, "me", 7, [], {}])
def test_what_is_no_owner(owner: object) -> None:
    assert not is_writing(owner)
