"""The token by which a running job is asked to stop."""

from __future__ import annotations

import threading


class Cancelled(Exception):
    """Raised inside a job at its next check after its token was cancelled."""


class CancelToken:
    """A flag that any thread (or a signal handler) may set and a job checks at least once per tile."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the job to stop; calling it again changes nothing."""
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """Whether the job was asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise :class:`Cancelled` if the job was asked to stop."""
        if self._event.is_set():
            raise Cancelled("cancelled")
