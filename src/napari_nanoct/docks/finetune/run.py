"""Train on the pairs: what the run will do, the spawned process, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_nanoct.docks.asking import Asking, copy_line
from napari_nanoct.docks.finetune.choices import cut_off, taken
from napari_nanoct.docks.finetune.controls import PROGRESS
from napari_nanoct.docks.finetune.files import copy_missing, with_files
from napari_nanoct.docks.finetune.pairs import PairList
from napari_nanoct.docks.plan import temporary_beside, time_text
from napari_nanoct.docks.threads import attempt
from napari_nanoct.docks.volume_run import VolumeRun
from napari_nanoct.finetune.held_out import kept_out
from napari_nanoct.finetune.project import Project, save_project
from napari_nanoct.finetune.settings import TuneSettings
from napari_nanoct.jobs import CancelToken, Done
from napari_nanoct.volumes.units import size_text

if TYPE_CHECKING:
    from napari_nanoct.docks.finetune.choices import TuneChoices
    from napari_nanoct.docks.finetune.scans import Scans
    from napari_nanoct.docks.plan import Copying, Report
    from napari_nanoct.finetune.estimate import TuneEstimate

GRACE_MS = 180_000
"""How long a run that was stopped may take to write the best so far and to compare it."""

STOPPED = "Stopped before anything was learnt; no model was written."


@dataclass(frozen=True, eq=False)
class TunePlan:
    """A fine-tuning, ready to start.

    Attributes
    ----------
    scans, project : Scans, Project
        What is learnt from.
    missing : list of str
        Which volumes, "low" or "high", are not on disk.
    settings : TuneSettings
        Of the process.
    estimate : TuneEstimate
        Steps, time and memory.
    """

    scans: Scans
    project: Project
    missing: list[str]
    settings: TuneSettings
    estimate: TuneEstimate

    @property
    def replaces(self) -> bool:
        """Whether a model of this name is there, or a picture."""
        return taken(Path(self.settings.output))

    def question(self) -> str:
        """Return what the user should know before the start, one line each."""
        settings, project, estimate = self.settings, self.project, self.estimate
        count = len(project.matches)
        kept = kept_out(count)
        out = "its last third is" if count == 1 else f"{kept} of them {'is' if kept == 1 else 'are'}"
        lines = [
            f"Writes {settings.output}",
            f"{count} slice{'' if count == 1 else 's'}, ×{project.factor}, from {settings.parent}; {out} kept out to "
            "judge by",
            f"Time: at most {time_text(estimate.seconds)}, for about {estimate.steps} steps",
            f"Memory: about {size_text(estimate.memory)}",
        ]
        if settings.resume:
            lines.append("Goes on with the run that was cut off.")
        if self.missing:
            need = sum(getattr(self.scans, side).nbytes for side in self.missing)
            lines.append(
                f"Not every layer is on disk: copies of up to {size_text(need)} are made first, and removed after."
            )
        if count < 4:
            lines.append("⚠ With fewer than four slices the gain on others is uncertain; add more if you can.")
        output = Path(settings.output)
        if output.exists():
            lines.append("⚠ The model of this name will be replaced when the new one is complete.")
        elif self.replaces:
            lines.append(f"⚠ {output.with_suffix('.png').name} will be replaced when the model is complete.")
        if cut_off(output) and not settings.resume:
            lines.append("⚠ The run of this name that was cut off will be thrown away; tick “Go on” to keep it.")
        return "\n".join(lines)

    def launch(self) -> tuple[list[str], Copying | None]:
        """Write the file of pairs and return the arguments of the process; or what copies layers first."""
        output = Path(self.settings.output)
        if not self.missing:
            save_project(self.project, Path(self.settings.project))
            return self.settings.arguments(), None

        def copying(cancel: CancelToken, report: Report) -> tuple[Path, list[str]]:
            with temporary_beside(output) as folder:
                stem = folder / output.stem
                project = copy_missing(self.scans, self.project, self.missing, stem, cancel, report)
                pairs = folder / Path(self.settings.project).name
                save_project(project, pairs)
            return folder, replace(self.settings, project=str(pairs)).arguments()

        return [], copying


def make_plan(scans: Scans, project: Project, settings: TuneSettings, cancel: CancelToken) -> TunePlan:
    """Find the files of the layers and measure the speed of a step; takes seconds, so call it in a thread."""
    from napari_nanoct.finetune.estimate import estimate

    project, missing = with_files(scans, project)
    # A name of its own: a run that fails leaves the pairs of the model that is there as they are.
    digest = hashlib.sha256(repr(project).encode()).hexdigest()[:8]
    settings = replace(settings, project=f"{settings.project.removesuffix('.pairs.json')}.{digest}.pairs.json")
    cancel.check()
    found = estimate(settings, project.factor, len(project.matches), (scans.low.shape[1], scans.low.shape[2]))
    return TunePlan(scans, project, missing, settings, found)


class TuneRun(QObject):
    """Wires the buttons that train.

    Signals
    -------
    trained : Done
        A run has ended well.

    Parameters
    ----------
    ui : TuneChoices
        Buttons, question, progress and status line.
    pairs : PairList
        What is trained on.
    """

    trained = Signal(object)

    def __init__(self, ui: TuneChoices, pairs: PairList) -> None:
        super().__init__()
        self.ui, self.pairs = ui, pairs
        self.process = VolumeRun(work="fine-tuning", cancelled=STOPPED, grace_ms=GRACE_MS)
        self.asking = Asking(ui, self.process)
        pairs.changed.connect(self.asking.withdraw)
        ui.train.clicked.connect(self.propose)
        ui.copy.clicked.connect(self.copy_command)
        ui.start.clicked.connect(self.start)
        self.process.process.learned.connect(ui.learning.take)
        self.process.done.connect(self._finished)
        self.process.stopped.connect(self.stopped)

    @property
    def plan(self) -> TunePlan | None:
        """The run that the dock asks about."""
        return self.asking.plan

    @property
    def running(self) -> bool:
        """Whether a run was started and has not ended."""
        return self.process.running

    def propose(self) -> None:
        """Work out what a run takes, and ask whether to start it."""
        self._make_plan(self.asking.ask)

    def copy_command(self) -> None:
        """Put the shell line of the run on the clipboard, and the file of pairs where the line says."""
        self._make_plan(self._copy)

    def start(self) -> None:
        """Start the run that was proposed."""
        plan = self.plan
        if plan is None or self.running:
            return
        self.asking.withdraw()
        ready = attempt(plan.launch)
        self.ui.status.setText(ready.problem or "")
        if ready.value is not None:
            self.ui.learning.begin(plan.project.method)
            self.ui.tabs.setCurrentIndex(PROGRESS)
            self.ui.set_busy(True)
            self.process.start(*ready.value)

    def stopped(self, sentence: str) -> None:
        """Show that no run is going on, and why."""
        self.ui.set_busy(False)
        self.ui.status.setText(sentence)

    def end(self) -> None:
        """Stop at once and clean up, for when the window or the dock goes."""
        self.asking.cancel()
        self.process.end()

    def _make_plan(self, then: Callable[[TunePlan], None]) -> None:
        def wish() -> tuple[Any, ...]:
            return *self.pairs.project(), self.ui.settings()

        self.asking.work_out(then, "Measuring the speed…", make_plan, wish)

    def _copy(self, plan: TunePlan) -> None:
        if plan.missing:
            self.ui.status.setText(
                "Not every layer is on disk, so a shell cannot read it; “Save…” copies such layers beside the "
                "pairs, and “Load…” opens them from there."
            )
            return
        written = attempt(plan.launch)
        self.ui.status.setText(written.problem or copy_line(plan.settings.arguments()))

    def _finished(self, done: Done) -> None:
        self.stopped(f"Done in {time_text(done.seconds)}: {done.output}")
        self.trained.emit(done)
