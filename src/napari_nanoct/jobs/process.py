"""The environment in which a process that computes runs."""

from __future__ import annotations

import os
import sys

# glibc gives every large tensor back to the system and faults its pages in again: without that most operations on a
# CPU run 1.3 to 2 times faster. It must stand in the environment before Python starts. Other platforms ignore it.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}

# Threads of an operation wait for each other. If they spin meanwhile, and another program has one of the cores, a slice
# takes ten times as long; if they sleep, an idle machine takes a twentieth longer (docs/performance.md).
THREADS = {"OMP_WAIT_POLICY": "passive"}


def process_environment() -> dict[str, str]:
    """Return the environment variables for a spawned compute process: this process' own, tuned for large tensors.

    What the user has set stays as it is.
    """
    return {**ALLOCATOR, **THREADS, **os.environ}


def keep_pages() -> None:
    """Start this very command over in `process_environment`, under Linux and unless it runs there already."""
    if sys.platform == "linux" and (environment := process_environment()) != os.environ:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
