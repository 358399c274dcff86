"""The one process that works on a volume while the window stays free."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

from qtpy.QtCore import QObject, QProcess, QProcessEnvironment, QTimer, Signal  # type: ignore[attr-defined]

from napari_nanoct.jobs import Done, Event, Failed, Loss, Preview, Progress, from_json, process_environment

NICE = 5
"""How far the process stands back behind the window (0 to 19)."""


class JobProcess(QObject):
    """A spawned ``nanoct`` command that prints its events as JSON lines.

    `work` names what it does, in sentences about it.

    Signals
    -------
    progressed : Progress
        At each of these on the way.
    learned : Loss or Preview
        At each of these on the way.
    done : Done
        The job ended well and its process has left.
    failed : str
        It did not: one sentence.
    cancelled
        It stopped because `cancel` asked it to.

    After `start` exactly one of the last three is emitted, once.
    """

    progressed = Signal(object)
    learned = Signal(object)
    done = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    COMMAND = (sys.executable, "-m", "napari_nanoct")
    """What is started, in front of the arguments."""

    GRACE_MS = 10_000
    """How long a cancelled process may take to stop by itself before it is terminated, and then killed."""

    def __init__(
        self, parent: QObject | None = None, *, work: str = "enhancement", grace_ms: int | None = None
    ) -> None:
        super().__init__(parent)
        self.work = work
        self._grace_ms = grace_ms
        self._process = QProcess(self)
        environment = QProcessEnvironment()
        for name, value in process_environment().items():
            environment.insert(name, value)
        environment.insert("PYTHONIOENCODING", "utf-8")
        self._process.setProcessEnvironment(environment)
        self._process.readyReadStandardOutput.connect(self._read)
        self._process.readyReadStandardError.connect(self._read_errors)
        self._process.finished.connect(self._finish)
        self._process.errorOccurred.connect(self._on_error)
        self._process.started.connect(self._step_back)
        self._grace = QTimer(self)
        self._grace.setSingleShot(True)
        self._grace.timeout.connect(self._insist)
        self._line = b""
        self._errors = b""
        self._last: Event | None = None
        self._cancelled = self._insisted = False
        self._over = True

    @property
    def running(self) -> bool:
        """Whether the process is at work, or still stopping."""
        return not self._over

    def start(self, arguments: Sequence[str]) -> None:
        """Start ``python -m napari_nanoct ARGUMENTS --json``."""
        if self.running:
            raise RuntimeError("the process is already running")
        self._line = self._errors = b""
        self._last = None
        self._cancelled = self._insisted = self._over = False
        program, *words = self.COMMAND
        self._process.start(program, [*words, *arguments, "--json"])

    def cancel(self) -> None:
        """Ask the process to stop within a tile; insist after a grace period."""
        if self.running and not self._cancelled:
            self._cancelled = True
            self._process.write(b"cancel\n")
            self._grace.start(self._grace_ms or self.GRACE_MS)

    def end(self, wait_ms: int = 2000) -> None:
        """Stop the process now and wait for it: for the moment when the window or the dock closes. Emits nothing."""
        if not self.running:
            return
        self._over = True
        self._grace.stop()
        self._process.write(b"cancel\n")
        self._process.closeWriteChannel()
        if not self._process.waitForFinished(wait_ms):
            self._process.kill()
            self._process.waitForFinished(wait_ms)

    def _step_back(self) -> None:
        """Let the window go first where both want the processor; threads that come later inherit it."""
        if hasattr(os, "setpriority"):
            with suppress(OSError):  # it may have left already
                behind = min(os.getpriority(os.PRIO_PROCESS, 0) + NICE, 19)
                os.setpriority(os.PRIO_PROCESS, self._process.processId(), behind)

    def _insist(self) -> None:
        if self._process.state() == QProcess.ProcessState.NotRunning:
            return
        if self._insisted:
            self._process.kill()
        else:
            self._insisted = True
            self._process.terminate()
            self._grace.start(2000)

    def _read(self) -> None:
        *lines, self._line = (self._line + self._process.readAllStandardOutput().data()).split(b"\n")
        for line in lines:
            try:
                event = from_json(line.decode("utf-8", "replace"))
            except ValueError:
                continue  # a library's chatter on stdout is not an event
            self._last = event
            if isinstance(event, Progress) and not self._over:
                self.progressed.emit(event)
            elif isinstance(event, Loss | Preview) and not self._over:
                self.learned.emit(event)

    def _read_errors(self) -> None:
        self._errors = (self._errors + self._process.readAllStandardError().data())[-4000:]

    def _on_error(self, error: QProcess.ProcessError) -> None:
        # A crash is also reported by `finished`; a process that never started is not.
        if error == QProcess.ProcessError.FailedToStart and not self._over:
            self._over = True
            self.failed.emit(f"The {self.work} could not start: {self._process.errorString()}.")

    def _finish(self, code: int, status: QProcess.ExitStatus) -> None:
        self._grace.stop()
        self._read()
        self._read_errors()
        if self._over:
            return
        self._over = True
        event = self._last
        if isinstance(event, Done) and code == 0:
            self.done.emit(event)
        elif self._cancelled or (isinstance(event, Failed) and event.cancelled):
            self.cancelled.emit()
        elif isinstance(event, Failed):
            self.failed.emit(event.message)
        else:
            self.failed.emit(self._crash(code, status))

    def _crash(self, code: int, status: QProcess.ExitStatus) -> str:
        """Return one sentence on a process that left without a word."""
        if status == QProcess.ExitStatus.CrashExit:
            how = f"crashed (signal {code})" if code else "crashed"
            hint = "often for lack of memory; try a smaller region or another device"
            return f"The {self.work} process {how}, {hint}. The window and the data are not affected."
        words = self._errors.decode("utf-8", "replace").strip().splitlines()
        detail = f": {words[-1].strip()}" if words else " without a message"
        return f"The {self.work} process ended with exit code {code}{detail}."
