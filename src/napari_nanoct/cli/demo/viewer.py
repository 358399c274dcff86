"""Show volumes in napari, which runs as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from napari_nanoct.errors import UserError


def check() -> None:
    """See to it that napari can open a window.

    Raises
    ------
    UserError
        If there is no Qt, or no screen on Linux.
    """
    if not any(find_spec(name) for name in ("PyQt6", "PySide6", "PyQt5")):
        raise UserError('--view needs a Qt for napari: pip install "napari-nanoct[all]", or leave --view out.')
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform == "linux" and not screen:
        raise UserError("--view needs a screen and this shell has none; leave --view out and open the files elsewhere.")


def show(paths: tuple[Path, ...]) -> None:
    """Open each path as a layer of one napari window, the last on top, and wait until it is closed.

    Raises
    ------
    UserError
        If napari ends with an error.
    """
    command = [sys.executable, "-m", "napari", *(str(path.resolve()) for path in paths), "--plugin", "napari-nanoct"]
    if subprocess.run(command, check=False).returncode:
        raise UserError(f"napari could not show the volumes; its message is above, the files are in {paths[0].parent}.")
