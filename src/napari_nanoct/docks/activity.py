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
        bar = self._bar
        if bar is None:
            return
        if bar.total != total or done < bar.n:  # another phase: its own speed counts, not that of the one before
            bar.reset(total)
        # napari handles waiting events while it draws: the bar may be closed when these calls come back.
        bar.update(done - bar.n)
        if bar is self._bar:
            bar.refresh()

    def close(self) -> None:
        """Take the line away; calling it again changes nothing."""
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
