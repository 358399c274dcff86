"""What a volume run will do, worked out before it starts; and the copy of a layer that is not on disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import numpy as np

from napari_nanoct.docks.layers import layer_file
from napari_nanoct.enhance.settings import EnhanceSettings
from napari_nanoct.errors import UserError
from napari_nanoct.jobs import CancelToken, Progress
from napari_nanoct.volumes import OmeZarrWriter
from napari_nanoct.volumes.place import partial_path
from napari_nanoct.volumes.units import size_text

if TYPE_CHECKING:
    from napari_nanoct.docks.cracks.run import SegmentPlan
    from napari_nanoct.docks.preview import Request
    from napari_nanoct.enhance import Estimate
    from napari_nanoct.enhance.settings import Precision
    from napari_nanoct.volumes import Volume

Report = Callable[[Progress], None]
Copying = Callable[[CancelToken, Report], tuple[Path | None, list[str]]]
"""Copies what is not on disk; returns the folder of copies that the caller removes, if any, and the arguments."""

Replaces = Literal["", "whole", "part", "beside"]
"""What is at an output and will be replaced: a volume, a half-written one, files beside it alone, or nothing."""


@dataclass(frozen=True)
class Plan:
    """A volume run, ready to start.

    Attributes
    ----------
    request : Request
        What the controls asked for.
    settings : EnhanceSettings
        Of the process; its input is the layer's file, or "" while there is none.
    estimate : Estimate
        Shape, disk space and time.
    replaces : str
        What is at the output and will be replaced.
    """

    request: Request
    settings: EnhanceSettings
    estimate: Estimate
    replaces: Replaces

    @property
    def copy_bytes(self) -> int:
        """Disk space that the temporary copy of the layer takes, at most; 0 for a layer that is on disk."""
        return 0 if self.settings.input else self.request.volume.nbytes

    def question(self) -> str:
        """Return what the user should know before the start, one line each."""
        estimate = self.estimate
        need, free = estimate.output_bytes + self.copy_bytes, estimate.free_bytes
        lines = [
            f"Writes {self.settings.output}",
            f"{' × '.join(map(str, estimate.shape))} voxels (z, y, x)",
            f"Time: about {time_text(estimate.seconds)} on {estimate.device}",
            f"Disk: {size_text(need)} at most" + (f", {size_text(free)} free" if free else ""),
        ]
        if self.copy_bytes:
            lines.append("The layer is not on disk: it is copied beside the output first, and the copy removed after.")
        lines += replacing(self.replaces)
        if 0 < free < need:
            lines.append("⚠ There may not be enough space; choose another output or a smaller region.")
        return "\n".join(lines)


def make_plan(request: Request, cancel: CancelToken) -> Plan:
    """Find the layer's file, and estimate the run; reads a few slices, so call it in a thread."""
    from napari_nanoct.enhance import estimate

    output, replaces = output_place(request.output)
    file = layer_file(request.volume)
    cancel.check()
    settings = EnhanceSettings(
        input=file or "",
        output=str(output),
        model=request.model,
        scale=request.scale,
        slices=request.slices,
        crop=request.crop,
        device=request.device,
        overwrite=bool(replaces),
    )
    found = estimate(settings, request.volume)
    # The precision was measured in this process, as for the previews: given to the run, both agree in a near tie too.
    return Plan(request, replace(settings, precision=cast("Precision", found.precision)), found, replaces)


def output_place(text: str) -> tuple[Path, Replaces]:
    """Return the path that an output field names, and what is there already.

    Raises
    ------
    UserError
        If the field is empty.
    """
    if not text.strip():
        raise UserError("There is no output; name the folder to write, ending in .ome.zarr.")
    output = Path(text).expanduser().absolute()
    if output.suffix != ".zarr":
        output = output.with_name(output.name + ".ome.zarr")
    return output, "whole" if output.exists() else "part" if partial_path(output).exists() else ""


def replacing(replaces: Replaces) -> list[str]:
    """Return the line that warns of what will be replaced, if anything is."""
    if replaces == "whole":
        return ["⚠ What is at the output now will be replaced."]
    if replaces == "part":
        return ["⚠ A half-written result, of a run that stopped or is still going on, will be replaced."]
    return []


def launch(plan: Plan | SegmentPlan) -> tuple[list[str], Copying | None]:
    """Return the arguments of the process; for a layer that is not on disk, what copies it and then returns them."""
    if plan.settings.input:
        return plan.settings.arguments(), None

    def copying(cancel: CancelToken, report: Report) -> tuple[Path, list[str]]:
        file = copy_layer(plan, cancel, report)
        return file.parent, replace(plan.settings, input=str(file)).arguments()

    return [], copying


def copy_layer(plan: Plan | SegmentPlan, cancel: CancelToken, report: Report) -> Path:
    """Copy the layer to a temporary folder beside the output, and return the path of the copy.

    The caller removes its parent folder; after an error or a cancel it is removed here.
    """
    volume = plan.request.volume
    name = "".join(c if c.isalnum() or c in "-_. " else "_" for c in volume.name).strip(" .") or "layer"
    with temporary_beside(Path(plan.settings.output)) as folder:
        path = folder / f"{name}.ome.zarr"
        copy_volume(volume, path, cancel, report)
    return path


@contextmanager
def temporary_beside(output: Path) -> Iterator[Path]:
    """Make a folder beside the output that stays, but for an error or a cancel."""
    output.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".nanoct-", dir=output.parent))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def copy_volume(volume: Volume, path: Path, cancel: CancelToken, report: Report) -> None:
    """Stream a volume to an OME-Zarr, slab by slab; what is there is replaced when the new one is complete."""
    depth = volume.shape[0]
    writer = OmeZarrWriter(
        path, shape=volume.shape, dtype=volume.dtype, geometry=volume.geometry, name=volume.name, overwrite=True
    )
    for z in range(0, depth, 16):
        cancel.check()
        report(Progress(z, depth, "slices", message=f"Copying “{volume.name}” to disk"))
        writer.write(z, np.asarray(volume.data[z : z + 16]))
    writer.finish({"copy of layer": volume.name}, check=cancel.check)


def time_text(seconds: float) -> str:
    """Return a length of time for people: ``"3 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
