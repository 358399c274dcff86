"""The cancel token and the environment of a compute process."""

from __future__ import annotations

import threading

import pytest

from napari_nanoct.jobs import Cancelled, CancelToken, process_environment


def test_check_raises_only_after_cancel() -> None:
    token = CancelToken()
    token.check()
    assert not token.cancelled
    token.cancel()
    token.cancel()
    assert token.cancelled
    with pytest.raises(Cancelled):
        token.check()


def test_cancel_from_another_thread() -> None:
    token = CancelToken()
    thread = threading.Thread(target=token.cancel)
    thread.start()
    thread.join()
    assert token.cancelled


def test_environment_keeps_what_the_user_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1")
    monkeypatch.delenv("MALLOC_MMAP_THRESHOLD_", raising=False)
    monkeypatch.setenv("NANOCT_TEST", "kept")
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    environment = process_environment()
    assert environment["MALLOC_TRIM_THRESHOLD_"] == "1"
    assert int(environment["MALLOC_MMAP_THRESHOLD_"]) == 2**32
    assert environment["NANOCT_TEST"] == "kept"
    assert environment["OMP_WAIT_POLICY"] == "active"
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert process_environment()["OMP_WAIT_POLICY"] == "passive"
