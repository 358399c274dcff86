"""Check what Qt, OpenGL and Xvfb need from a Linux system before the tests start, with the standard library alone.

Run as ``python3 tests/system_check.py``. As root on Debian or Ubuntu it installs what is missing; otherwise it prints
the exact line that does, and fails. macOS and Windows need nothing.
"""

import ctypes
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

APT_INSTALL = ("apt-get", "install", "-y", "--no-install-recommends")


@dataclass(frozen=True)
class Need:
    """One thing that the system must have: how to see it, and the Debian package that brings it (newest name first)."""

    name: str
    present: Callable[[str], bool]
    packages: tuple[str, ...]


def loads(name: str) -> bool:
    """Say whether the dynamic loader finds this library and all that it needs in turn."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def on_path(name: str) -> bool:
    """Say whether the shell finds this program."""
    return shutil.which(name) is not None


def software_opengl(_: str) -> bool:
    """Say whether Mesa's software renderer is there: Xvfb has no graphics card."""
    patterns = ("lib*/*/dri/*swrast_dri.so", "lib*/dri/*swrast_dri.so", "lib*/*/libgallium*.so", "lib*/libgallium*.so")
    return any(any(Path("/usr").glob(pattern)) for pattern in patterns)


NEEDS = (
    Need("libEGL.so.1", loads, ("libegl1",)),
    Need("libGL.so.1", loads, ("libgl1",)),
    Need("libxkbcommon.so.0", loads, ("libxkbcommon0",)),
    Need("libdbus-1.so.3", loads, ("libdbus-1-3",)),
    Need("libfontconfig.so.1", loads, ("libfontconfig1",)),
    Need("libglib-2.0.so.0", loads, ("libglib2.0-0t64", "libglib2.0-0")),
    Need("libxkbcommon-x11.so.0", loads, ("libxkbcommon-x11-0",)),
    Need("libxcb-cursor.so.0", loads, ("libxcb-cursor0",)),
    Need("libxcb-icccm.so.4", loads, ("libxcb-icccm4",)),
    Need("libxcb-keysyms.so.1", loads, ("libxcb-keysyms1",)),
    Need("libxcb-shape.so.0", loads, ("libxcb-shape0",)),
    Need("Mesa's software OpenGL", software_opengl, ("libgl1-mesa-dri",)),
    Need("Xvfb", on_path, ("xvfb",)),
    Need("xauth", on_path, ("xauth",)),
)


def missing(needs: Sequence[Need] = NEEDS) -> list[Need]:
    """List the needs that this system does not meet."""
    return [need for need in needs if not need.present(need.name)]


def known_package(names: Sequence[str]) -> str:
    """Pick the first package name that this release of Debian or Ubuntu knows."""
    for name in names[:-1]:
        if subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0:
            return name
    return names[-1]


def install(needs: Sequence[Need]) -> None:
    """Install the packages of these needs with apt, asking nothing; what stays missing is the caller's to report."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update"], env=environment, check=False, stdin=subprocess.DEVNULL)
    packages = [known_package(need.packages) for need in needs]
    print("system check: installing", *packages, flush=True)
    subprocess.run([*APT_INSTALL, *packages], env=environment, check=False, stdin=subprocess.DEVNULL)


def main() -> int:
    """Check, install where that is possible, and return the exit status."""
    if sys.platform != "linux":
        return 0
    lacking = missing()
    has_apt = on_path("apt-get")
    if lacking and has_apt and os.geteuid() == 0:
        install(lacking)
        lacking = missing(lacking)
    if not lacking:
        return 0
    print("system check: the tests need", ", ".join(need.name for need in lacking), file=sys.stderr)
    packages = [known_package(need.packages) if has_apt else need.packages[-1] for need in lacking]
    if has_apt:
        print(f"Run: sudo apt-get update && sudo {shlex.join([*APT_INSTALL, *packages])}", file=sys.stderr)
    else:
        print("Install your distribution's counterparts of Debian's", *packages, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
