"""What a volume run would do, worked out in a thread, and the question whether to start it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QApplication

from napari_nanoct.docks.threads import Latest, Outcome
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from napari_nanoct.docks.cracks.run import SegmentPlan
    from napari_nanoct.docks.finetune.run import TunePlan
    from napari_nanoct.docks.plan import Plan
    from napari_nanoct.docks.volume_run import VolumeRun
    from napari_nanoct.docks.widgets import RunControls


class Asking:
    """The question of a dock, and the plan that it asks about: taken back by another choice, or by "Back".

    Parameters
    ----------
    ui : RunControls
        Question, its buttons and the status line.
    run : VolumeRun
        While it runs nothing is asked.
    """

    def __init__(self, ui: RunControls, run: VolumeRun) -> None:
        self.plan: Any = None
        self._ui, self._run = ui, run
        self._planning = Latest()
        ui.changed.connect(self.withdraw)
        ui.back.clicked.connect(self.withdraw)
        run.progressed.connect(ui.show_progress)

    def work_out(
        self, then: Callable[[Any], None], said: str, make_plan: Callable[..., Any], wish: Callable[[], tuple[Any, ...]]
    ) -> None:
        """Make the plan of what is wished for, in a thread, and give it to `then`; say `said` meanwhile."""
        if self._run.running:
            return
        self.withdraw()
        try:
            wished = wish()
        except UserError as error:
            self._ui.status.setText(str(error))
            return
        self._ui.status.setText(said)

        def planned(outcome: Outcome) -> None:
            self._ui.status.setText(outcome.problem or "")
            if outcome.value is not None:
                then(outcome.value)

        self._planning.start(planned, make_plan, *wished)

    def ask(self, plan: Plan | SegmentPlan | TunePlan) -> None:
        """Show what the run will do, and ask whether to start it."""
        self.plan = plan
        self._ui.question.setText(plan.question())
        self._ui.start.setText("Replace and start" if plan.replaces else "Start")
        self._ui.confirmation.show()
        self._ui.start.setFocus()

    def withdraw(self) -> None:
        """Take the question back: what was asked for has changed, or the user said no."""
        self.cancel()
        self.plan = None
        self._ui.confirmation.hide()

    def cancel(self) -> None:
        """Let planning that is going on end unheard."""
        self._planning.cancel()


def copy_command(plan: Plan | SegmentPlan) -> str:
    """Put the shell line of a run on the clipboard, and return what to say."""
    if not plan.settings.input:
        return (
            f"“{plan.request.volume.name}” is not on disk, so a shell cannot read it; save the layer "
            "(File > Save Selected Layers) and open the file."
        )
    return copy_line(plan.settings.arguments())


def copy_line(arguments: list[str]) -> str:
    """Put the shell line with these arguments on the clipboard, and return what to say."""
    words = ["nanoct", *arguments]
    line = subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)
    clipboard = QApplication.clipboard()
    assert clipboard is not None
    clipboard.setText(line)
    return f"On the clipboard: {line}"
