"""The check of system libraries that the README's second command starts with."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def system_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("system_check", Path(__file__).with_name("system_check.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["system_check"] = module
    spec.loader.exec_module(module)
    return module


def absent(module: ModuleType, package: str) -> object:
    """Build a need that no system meets."""
    return module.Need("libnowhere.so.9", module.loads, (package,))


def test_a_missing_library_is_named_with_the_exact_line(system_check, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    monkeypatch.setattr(system_check, "on_path", lambda name: True)
    monkeypatch.setattr(system_check, "missing", lambda: [absent(system_check, "libnowhere9")])
    assert system_check.main() == 1
    told = capsys.readouterr().err
    assert "libnowhere.so.9" in told
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends libnowhere9" in told


def test_root_on_debian_installs_and_checks_again(system_check, monkeypatch):
    rounds = [[absent(system_check, "libnowhere9")], []]
    installed = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    monkeypatch.setattr(system_check, "on_path", lambda name: True)
    monkeypatch.setattr(system_check, "missing", lambda needs=(): rounds.pop(0))
    monkeypatch.setattr(system_check, "install", installed.extend)
    assert system_check.main() == 0
    assert [need.packages for need in installed] == [("libnowhere9",)]


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_pass_silently(system_check, monkeypatch, capsys, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(system_check, "missing", lambda: pytest.fail("nothing to look for here"))
    assert system_check.main() == 0
    assert capsys.readouterr() == ("", "")


def test_a_library_that_does_not_exist_is_seen_as_missing(system_check):
    assert not system_check.loads("libnowhere.so.9")
    assert not system_check.on_path("no-such-program")
