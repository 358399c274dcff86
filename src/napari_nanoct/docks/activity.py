"""A run's line in napari's activity dock."""

from __future__ import annotations

from typing import Any


class Activity:
    """A progress bar with a Cancel button in napari's activity dock, from its making to `close`."""

    def __init__(self, text: str) -> None:
        from napari.utils.progress import cancelable_progress

        self._bar: Any = cancelable_progress(total=0, desc=text)

    @property
    def cancelled(self) -> bool:
        """Whether Cancel was pressed there."""
        return self._bar is not None and bool(self._bar.is_canceled)

    def show(self, done: int, total: int) -> None:
        """Show `done` of `total`."""
        if self._bar is None:
            return
        if self._bar.total != total:
            self._bar.total = total
        # napari draws at once and handles waiting events while it does: nothing may be relied on after this call.
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the line away; calling it again changes nothing."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
