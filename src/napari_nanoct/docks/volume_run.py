"""From a plan to a result on disk: copy the layer if need be, drive the process, tell how it goes."""

from __future__ import annotations

import shutil
from pathlib import Path

from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_nanoct.docks.activity import Activity
from napari_nanoct.docks.plan import Copying, time_text
from napari_nanoct.docks.process import JobProcess
from napari_nanoct.docks.threads import Outcome, in_thread
from napari_nanoct.jobs import CancelToken, Done, Progress


class VolumeRun(QObject):
    """One volume run, or training, at a time.

    `work` names what it does and `cancelled` what is left after a cancel, in sentences; `grace_ms` is how long the
    process may then take to stop by itself.

    Signals
    -------
    progressed : int, int, str
        Done, total (0: not known) and a line of text; at most five times a second.
    done : Done
        The result is complete.
    stopped : str
        There is no result: one sentence on why.

    After `start` exactly one of the last two is emitted, once, unless `end` comes first.
    """

    progressed = Signal(int, int, str)
    done = Signal(object)
    stopped = Signal(str)
    _copying = Signal(object)

    def __init__(
        self,
        parent: QObject | None = None,
        *,
        work: str = "enhancement",
        cancelled: str = "Cancelled; what was written so far is marked as incomplete.",
        grace_ms: int | None = None,
    ) -> None:
        super().__init__(parent)
        self.process = JobProcess(self, work=work, grace_ms=grace_ms)
        self._cancelled_text = cancelled
        self.process.progressed.connect(self._keep)
        self.process.done.connect(self._on_done)
        self.process.failed.connect(self._stop)
        self.process.cancelled.connect(self._on_cancelled)
        self._copying.connect(self._keep)
        self._ticker = QTimer(self)
        self._ticker.setInterval(200)
        self._ticker.timeout.connect(self._draw)
        self._running = False
        self._token = CancelToken()
        self._activity: Activity | None = None
        self._latest: Progress | None = None
        self._copy: Path | None = None

    @property
    def running(self) -> bool:
        """Whether a run was started and has not ended."""
        return self._running

    def start(self, arguments: list[str], copying: Copying | None = None) -> None:
        """Start the process with these arguments, or with those that `copying` comes to in a thread."""
        self._token, self._latest = CancelToken(), None
        self._activity = Activity(self.process.work)
        self._running = True
        self._ticker.start()
        self.progressed.emit(0, 0, "Starting…")
        if copying is None:
            self.process.start(arguments)
            return
        token, report = self._token, self._copying.emit

        def then(outcome: Outcome) -> None:
            if token is self._token:
                self._copied(outcome)
            elif outcome.value is not None and outcome.value[0] is not None:
                shutil.rmtree(outcome.value[0], ignore_errors=True)

        in_thread(then, copying, token, report)

    def cancel(self) -> None:
        """Ask the run to stop; `stopped` follows when it has."""
        if self.running and not self._token.cancelled:
            self._token.cancel()
            self.process.cancel()
            self._latest = None
            self.progressed.emit(0, 0, "Stopping…")

    def end(self) -> None:
        """Stop at once and clean up, for when the window or the dock goes; emits nothing."""
        if not self._running:  # and so nothing of Qt's is touched when Python leaves and Qt has gone already
            return
        self._token.cancel()
        self._token = CancelToken()  # what a copying thread still brings is thrown away
        self.process.end()
        self._clean()

    def _copied(self, outcome: Outcome) -> None:
        self._copy, arguments = outcome.value or (None, [])
        if self._token.cancelled:
            self._on_cancelled()
        elif outcome.problem is not None:
            self._stop(outcome.problem)
        else:
            self.process.start(arguments)

    def _keep(self, progress: Progress) -> None:
        if not self._token.cancelled:
            self._latest = progress

    def _draw(self) -> None:
        if self._activity is not None and self._activity.cancelled:
            self.cancel()
        latest, self._latest = self._latest, None
        if latest is None:
            return
        self.progressed.emit(latest.done, latest.total, progress_text(latest))
        if self._activity is not None:
            self._activity.show(latest.done, latest.total)

    def _on_done(self, done: Done) -> None:
        self._clean()
        self.done.emit(done)

    def _on_cancelled(self) -> None:
        self._stop(self._cancelled_text)

    def _stop(self, sentence: str) -> None:
        self._clean()
        self.stopped.emit(sentence)

    def _clean(self) -> None:
        self._running = False
        self._ticker.stop()
        activity, self._activity = self._activity, None
        copy, self._copy = self._copy, None
        if copy is not None:
            shutil.rmtree(copy, ignore_errors=True)
        if activity is not None:
            activity.close()


def progress_text(progress: Progress) -> str:
    """Return a line for people: ``"12 of 48 slices · 0.41 Mvoxel/s · about 2 min left"``."""
    words = [progress.message] if progress.message else []
    words.append(f"{progress.done} of {progress.total} {progress.unit}")
    if progress.rate:
        words.append(f"{progress.rate:.3g} Mvoxel/s")
    if progress.seconds_left is not None:
        words.append(f"about {time_text(progress.seconds_left)} left")
    return " · ".join(words)
