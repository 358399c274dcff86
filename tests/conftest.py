"""Fixtures that every room's tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the training and validation pictures beside the project; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "ct" / "index.csv").is_file():
        pytest.skip("the training and validation pictures (../shared/data) are not on this machine")
    return folder
