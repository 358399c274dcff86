"""Files that appear whole or not at all, and whatever a damaged file or a full disk raises as one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.cancel import Cancelled


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Name the file that could not be read."""
    try:
        yield
    except (UserError, Cancelled):
        raise
    except Exception as error:
        raise UserError(f"{source} could not be read ({_reason(error)}); copy the file again") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name the output that could not be written."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({_reason(error)}); make room or choose another output"
        ) from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a file beside `path` to write, which takes its place at the end: it appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    yield part
    os.replace(part, path)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip(": ").splitlines()[0]
