"""Segment the whole volume: what the run will do, the spawned process, and its result as a layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal  # type: ignore[attr-defined]

from napari_nanoct.docks.asking import Asking, copy_command
from napari_nanoct.docks.cracks.beside import as_mask, file_in_place, is_kept, mask_file, pores_file, unused
from napari_nanoct.docks.cracks.controls import CLASSIFIER
from napari_nanoct.docks.plan import (
    Copying,
    Replaces,
    Report,
    copy_volume,
    launch,
    output_place,
    replacing,
    time_text,
)
from napari_nanoct.docks.reader import layer_data
from napari_nanoct.docks.threads import Latest, Outcome, attempt
from napari_nanoct.docks.volume_run import VolumeRun
from napari_nanoct.jobs import CancelToken, Done
from napari_nanoct.volumes import open_volume
from napari_nanoct.volumes.place import free_bytes
from napari_nanoct.volumes.units import size_text

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_nanoct.cracks.classifier import CrackClassifier
    from napari_nanoct.cracks.scribbles import ScribbleStore
    from napari_nanoct.cracks.settings import SegmentSettings
    from napari_nanoct.docks.cracks.choices import CrackChoices, Request
    from napari_nanoct.docks.cracks.teacher import Teacher
    from napari_nanoct.volumes import Volume


@dataclass(frozen=True, eq=False)
class SegmentPlan:
    """A segmentation of a volume, ready to start.

    Attributes
    ----------
    request : Request
        What the controls asked for.
    settings : SegmentSettings
        Of the process; its input is the layer's file, or "" while there is none.
    classifier : CrackClassifier or None
        To be written where the settings say; None if it is there already, and for the proposal.
    mask : Volume or None
        Labels to be written where the settings say; None if they are there already, and without a mask.
    replaces : str
        What is at the output and will be replaced.
    beside : tuple of str
        What lies beside the output and will be replaced: "table", "classifier", "mask".
    """

    request: Request
    settings: SegmentSettings
    classifier: CrackClassifier | None
    mask: Volume | None
    replaces: Replaces
    beside: tuple[str, ...]

    def question(self) -> str:
        """Return what the user should know before the start, one line each."""
        request, settings = self.request, self.settings
        free = free_bytes(Path(settings.output))
        how = f"By the proposal, sensitivity {request.sensitivity:g}"
        if settings.classifier is not None:
            how = f"By the classifier, kept as {settings.classifier}: from {request.high:g} down to {request.low:g}"
        need = 4 * int(request.volume.data.size) + (0 if settings.input else request.volume.nbytes)
        lines = [
            f"Writes {settings.output}",
            how,
            *([f"The mask is kept as {settings.mask}"] if self.mask is not None else []),
            *self._table(),
            f"{' × '.join(map(str, request.volume.shape))} voxels (z, y, x)",
            f"Disk: {size_text(need)} at most, labels take much less" + (f"; {size_text(free)} free" if free else ""),
        ]
        if not settings.input:
            lines.append(
                "The layer is not on disk with this voxel size: it is copied beside the output first, and the copy "
                "removed after."
            )
        lines += [f"⚠ The {what} that is there now will be replaced." for what in self.beside]
        return "\n".join(lines + replacing(self.replaces))

    def _table(self) -> list[str]:
        """Return what is said of the table."""
        if self.settings.measure is None:
            return []
        lines = [f"Measures the cracks: {self.settings.measure}"]
        if self.request.original is not None and self.settings.original is None:
            lines.append("The original is not on disk with its voxel size: the file cannot say which cracks it shows.")
        if self.request.pores is not None and self.settings.pores is None:
            lines.append(
                "The pores are not on disk as they are now, with their voxel size: the file cannot say which cracks "
                "touch them."
            )
        return lines

    def save_classifier(self) -> None:
        """Write the classifier that the run reads."""
        if self.classifier is not None and self.settings.classifier:
            Path(self.settings.output).parent.mkdir(parents=True, exist_ok=True)
            self.classifier.save(Path(self.settings.classifier))

    def save_mask(self, cancel: CancelToken, report: Report) -> None:
        """Write the mask that the run reads; may take a while, so call it in a thread."""
        if self.mask is not None and self.settings.mask:
            Path(self.settings.output).parent.mkdir(parents=True, exist_ok=True)
            copy_volume(as_mask(self.mask), Path(self.settings.mask), cancel, report)

    def launch(self) -> tuple[list[str], Copying | None]:
        """Return the arguments of the process; if mask or layer are not on disk, what writes them and returns these."""
        arguments, copying = launch(self)
        if self.mask is None:
            return arguments, copying

        def writing(cancel: CancelToken, report: Report) -> tuple[Path | None, list[str]]:
            self.save_mask(cancel, report)
            return copying(cancel, report) if copying is not None else (None, arguments)

        return [], writing

    def set_apart(self) -> SegmentPlan:
        """Return the plan with classifier and mask under names that are not taken."""
        settings = self.settings
        if self.classifier is not None and settings.classifier:
            settings = replace(settings, classifier=unused(settings.classifier))
        if self.mask is not None and settings.mask:
            settings = replace(settings, mask=unused(settings.mask))
        return replace(self, settings=settings)


def make_plan(
    request: Request, method: str, source: tuple[Teacher, ScribbleStore | None, CrackClassifier | None],
    cancel: CancelToken,
) -> SegmentPlan:  # fmt: skip
    """Find the files of layer and mask, and learn the classifier; may take seconds, so call it in a thread."""
    from napari_nanoct.cracks.settings import SegmentSettings

    output, replaces = output_place(request.output)
    teacher, store, loaded = source
    classifier = teacher.classifier(store, loaded, cancel) if method == CLASSIFIER else None
    stem = output.name.removesuffix(".zarr").removesuffix(".ome")
    table = output.with_name(f"{stem}.csv") if request.tabulate else None
    kept = output.with_name(f"{stem}.classifier.json") if classifier is not None else None
    new = None if classifier is None or kept is None or is_kept(classifier, kept) else classifier
    mask, unsaved = mask_file(request.mask, output.with_name(f"{stem}.mask.ome.zarr"), cancel)
    there = {
        "table": _there(table),
        "classifier": new is not None and kept is not None and kept.exists(),
        "mask": unsaved is not None and Path(str(mask)).exists(),
    }
    beside = tuple(what for what, is_there in there.items() if is_there)
    settings = SegmentSettings(
        input=file_in_place(request.volume) or "",
        output=str(output),
        classifier=None if kept is None else str(kept),
        sensitivity=request.sensitivity if classifier is None else SegmentSettings.sensitivity,
        mask=mask,
        dark=request.dark,
        high=request.high if classifier is not None else SegmentSettings.high,
        low=request.low if classifier is not None else SegmentSettings.low,
        measure=None if table is None else str(table),
        original=file_in_place(request.original) if request.tabulate and request.original else None,
        overwrite=bool(replaces) or "table" in beside,
        pores=pores_file(request.pores, cancel) if request.tabulate and request.pores else None,
    )
    cancel.check()
    return SegmentPlan(request, settings, new, unsaved, replaces or ("beside" if beside else ""), beside)


def make_command(request: Request, method: str, source: Any, cancel: CancelToken) -> SegmentPlan:
    """Make the plan of a shell line, and write what the line reads and is not on disk; that replaces nothing."""
    plan = make_plan(request, method, source, cancel)
    if not plan.settings.input:  # then there is no line
        return plan
    plan = plan.set_apart()
    plan.save_classifier()
    plan.save_mask(cancel, lambda progress: None)
    return plan


class SegmentRun(QObject):
    """Wires the buttons that segment the whole volume.

    Signals
    -------
    segmented : Image, Request, (data, options)
        A run has ended well: the layer that was segmented, what was asked for, and the labels.

    Parameters
    ----------
    ui : CrackChoices
        Buttons, question, progress and status line.
    source : callable
        Returns the volume's teacher, its scribbles and the classifier that was loaded.
    """

    segmented = Signal(object, object, object)

    def __init__(self, viewer: napari.Viewer, ui: CrackChoices, source: Callable[[], Any]) -> None:
        super().__init__()
        self.viewer, self.ui = viewer, ui
        self.process = VolumeRun(work="segmentation")
        self.asking = Asking(ui, self.process)
        self._source = source
        self._started: tuple[Request, Image] | None = None
        self._opening = Latest()
        ui.segment.clicked.connect(self.propose)
        ui.copy.clicked.connect(self.copy_command)
        ui.start.clicked.connect(self.start)
        ui.cancel.clicked.connect(self.process.cancel)
        self.process.done.connect(self._finished)
        self.process.stopped.connect(self.stopped)

    @property
    def plan(self) -> SegmentPlan | None:
        """The run that the dock asks about."""
        return self.asking.plan

    @property
    def running(self) -> bool:
        """Whether a run was started and has not ended."""
        return self.process.running

    def propose(self) -> None:
        """Work out what a run takes, and ask whether to start it."""
        self._make_plan(make_plan, self.asking.ask)

    def copy_command(self) -> None:
        """Put the shell line of the run on the clipboard, and classifier and mask where the line says."""
        self._make_plan(make_command, lambda plan: self.ui.status.setText(copy_command(plan)))

    def start(self) -> None:
        """Start the run that was proposed."""
        plan, image = self.plan, self.ui.image
        if plan is None or image is None or self.running:
            return
        self.asking.withdraw()
        written = attempt(plan.save_classifier)
        self.ui.status.setText(written.problem or "")
        if written.problem is None:
            self._started = (plan.request, image)
            self.ui.set_busy(True)
            self.process.start(*plan.launch())

    def stopped(self, sentence: str) -> None:
        """Show that no run is going on, and why."""
        self.ui.set_busy(False)
        self.ui.status.setText(sentence)

    def end(self) -> None:
        """Stop at once and clean up, for when the window or the dock goes."""
        self.asking.cancel()
        self._opening.cancel()
        self.process.end()

    def _make_plan(self, make: Callable[..., SegmentPlan], then: Callable[[SegmentPlan], None]) -> None:
        def wish() -> tuple[Any, ...]:
            return self.ui.request(), self.ui.method.currentData(), self._source()

        self.asking.work_out(then, "Working out what to do…", make, wish)

    def _finished(self, done: Done) -> None:
        self.stopped(f"Done in {time_text(done.seconds)}: {done.output}")
        assert self._started is not None
        request, image = self._started

        def opened(outcome: Outcome) -> None:
            if outcome.value is None:
                self.ui.status.setText(outcome.problem or "")
            elif image in self.viewer.layers:
                self.segmented.emit(image, request, outcome.value)

        self._opening.start(opened, _result, done.output, request, f"{image.name} cracks")


def _there(table: Path | None) -> bool:
    """Whether a run would replace a table."""
    from napari_nanoct.cracks.table import table_files

    return table is not None and any(file.exists() for file in table_files(table))


def _result(output: str, request: Request, name: str, cancel: CancelToken) -> tuple[Any, dict[str, Any]]:
    """Open a result as the data and options of a Labels layer that lies over its image."""
    volume = replace(open_volume(output), geometry=request.volume.geometry)
    cancel.check()
    data, options, _ = layer_data(volume, name=name)
    return data, options
