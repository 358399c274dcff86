"""Who writes a half-written volume, so that nobody takes it away while that goes on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

_writers: WeakValueDictionary[str, object] = WeakValueDictionary()
"""Open writers of this process; one that was forgotten counts as closed."""


def claim(writer: object) -> dict[str, Any]:
    """Note that `writer` is open, and return who that is, as JSON values."""
    mark = uuid4().hex
    _writers[mark] = writer
    return {"host": platform.node(), "process": os.getpid(), "writer": mark}


def release(owner: Mapping[str, Any]) -> None:
    """Note that the writer of `owner` is closed."""
    _writers.pop(owner["writer"], None)


def is_writing(owner: object) -> bool:
    """Whether the writer that is described by `owner` is still at work, as far as can be known.

    That is: its process runs on this host, and if it is this process, the writer is open. Of another host nothing is
    known, and the answer is no.
    """
    if not isinstance(owner, Mapping) or owner.get("host") != platform.node():
        return False
    process = owner.get("process")
    if process == os.getpid():
        return owner.get("writer") in _writers
    return isinstance(process, int) and 0 < process < 2**31 and _runs(process)


if sys.platform == "win32":

    def _runs(process: int) -> bool:
        """Whether there is a process of this number; os.kill would end it here."""
        import ctypes

        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.OpenProcess.restype = ctypes.c_void_p
        may_ask, access_denied, still_active = 0x1000, 5, 259
        handle = ctypes.c_void_p(kernel.OpenProcess(may_ask, False, process))
        if not handle:
            return ctypes.get_last_error() == access_denied
        try:
            code = ctypes.c_ulong()
            return bool(kernel.GetExitCodeProcess(handle, ctypes.byref(code))) and code.value == still_active
        finally:
            kernel.CloseHandle(handle)

else:

    def _runs(process: int) -> bool:
        """Whether there is a process of this number; signal 0 only asks."""
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return False
        except OSError:  # it is there, and somebody else's
            return True
        return True
