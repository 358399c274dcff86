"""A small recipe."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(
        'network = "tiny"\nscale = 1\nseed = 5\n'
        "[[stage]]\nsteps = 6\nnatural = 1.0\nrate = 1e-3\npatch = 16\nbatch = 2\nwarm_up = 2\n"
        "[[stage]]\nsteps = 6\nnatural = 0.0\nrate = 1e-3\npatch = 16\nbatch = 2\nwarm_up = 2\n"
    )
    return path
