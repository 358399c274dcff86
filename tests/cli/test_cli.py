"""The command ``nanoct`` as a whole: how it ends when something goes wrong."""

from __future__ import annotations

import sys

import pytest

from napari_nanoct import cli
from napari_nanoct.errors import UserError


def ended(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Run a command that ends with this error."""

    def broken(source: str) -> object:
        raise error

    monkeypatch.setattr("napari_nanoct.volumes.open_volume", broken)
    monkeypatch.setattr(sys, "argv", ["nanoct", "info", "scan.tif"])
    cli.main()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("scan.tif is empty; give another."), "scan.tif is empty; give another."),
        (
            RuntimeError("the device\n  vanished"),
            "unexpected RuntimeError: the device vanished; with NANOCT_DEBUG=1 the whole traceback is shown",
        ),
        (MemoryError(), "unexpected MemoryError; with NANOCT_DEBUG=1 the whole traceback is shown"),
    ],
)
def test_any_error_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, sentence: str
) -> None:
    monkeypatch.delenv("NANOCT_DEBUG", raising=False)
    with pytest.raises(SystemExit) as end:
        ended(monkeypatch, error)
    assert end.value.code == 1
    assert capsys.readouterr().err == f"nanoct: {sentence}\n"


def test_a_long_message_is_cut() -> None:
    assert len(cli.failure(KeyError("word " * 1000))) < 500


def test_the_traceback_is_shown_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NANOCT_DEBUG", "1")
    with pytest.raises(RuntimeError, match="vanished"):
        ended(monkeypatch, RuntimeError("vanished"))
    with pytest.raises(SystemExit):
        ended(monkeypatch, UserError("the user can mend this"))
    assert capsys.readouterr().err == "nanoct: the user can mend this\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
@pytest.mark.parametrize(("words", "again"), [(["enhance", "a.tif"], True), (["info", "a.tif"], False), ([], False)])
def test_what_computes_starts_over_with_a_better_allocator(
    monkeypatch: pytest.MonkeyPatch, words: list[str], again: bool
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(cli, "main", lambda: None)
    monkeypatch.setattr("os.execve", lambda path, arguments, environment: started.append((arguments, environment)))
    monkeypatch.setattr(sys, "argv", ["nanoct", *words])
    monkeypatch.setattr(sys, "orig_argv", ["python", "nanoct", *words])
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    cli.command()
    assert bool(started) == again
    if again:
        [(arguments, environment)] = started
        assert arguments[1:] == ["nanoct", *words]
        assert environment["MALLOC_TRIM_THRESHOLD_"] == "4294967296"
        monkeypatch.setattr("os.environ", environment)
        cli.command()
        assert len(started) == 1
