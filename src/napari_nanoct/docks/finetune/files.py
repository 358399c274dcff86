"""The pairs of the dock as a file that another process can read, and back; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_nanoct.docks.finetune.matching import Entry, entry_of
from napari_nanoct.docks.layers import layer_file
from napari_nanoct.docks.plan import copy_volume
from napari_nanoct.docks.reader import LayerData, read
from napari_nanoct.finetune.pairing import load_pairs, overlay
from napari_nanoct.finetune.project import Project, Source, load_project, save_project
from napari_nanoct.jobs import CancelToken

if TYPE_CHECKING:
    from napari_nanoct.docks.finetune.scans import Scans
    from napari_nanoct.docks.plan import Report


@dataclass(frozen=True, eq=False)
class Loaded:
    """A project that was read, the layers that show its volumes, and the lines of the list."""

    project: Project
    low: LayerData
    high: LayerData | None
    entries: tuple[Entry, ...]


def with_files(scans: Scans, project: Project) -> tuple[Project, list[str]]:
    """Return the project with the files that hold its volumes, and which of them ("low", "high") have none.

    Reads a few slices, so call it in a thread.
    """
    missing = []
    for side in ("low", "high"):
        source, volume = getattr(project, side), getattr(scans, side)
        if source is None:
            continue
        file = layer_file(volume)
        if file is None:
            missing.append(side)
        project = replace(project, **{side: replace(source, path=file or "")})
    return project, missing


def copy_missing(
    scans: Scans, project: Project, missing: list[str], stem: Path, cancel: CancelToken, report: Report
) -> Project:
    """Copy the volumes without a file to ``STEM-low.ome.zarr`` and ``STEM-high.ome.zarr``, and return the project."""
    for side in missing:
        path = stem.with_name(f"{stem.name}-{side}.ome.zarr")
        copy_volume(getattr(scans, side), path, cancel, report)
        project = replace(project, **{side: replace(getattr(project, side), path=str(path))})
    return project


def keep(scans: Scans, project: Project, path: Path, report: Report, cancel: CancelToken) -> None:
    """Write the project; volumes without a file are copied beside it."""
    project, missing = with_files(scans, project)
    save_project(copy_missing(scans, project, missing, path.with_suffix(""), cancel, report), path)


def load(path: Path, cancel: CancelToken) -> Loaded:
    """Read a project, its volumes and the pictures of its pairs."""
    project = load_project(path)
    pairs = load_pairs(project, cancel)
    entries = tuple(
        entry_of(match, project.method, overlay(pair)) for match, pair in zip(project.matches, pairs, strict=True)
    )
    high = None if project.high is None else _layer(project.high)
    return Loaded(project, _layer(project.low), high, entries)


def _layer(source: Source) -> LayerData:
    """Return the layer of a volume, in the voxel size that it was paired with: it may have been set by hand."""
    ((data, options, kind),) = read(source.path)
    if source.unit != "pixel":
        sizes = zip(options["translate"], options["scale"], source.voxel_size, strict=True)
        moved = tuple(place * size / stated for place, stated, size in sizes)
        options = {**options, "scale": source.voxel_size, "translate": moved, "units": (source.unit,) * 3}
    return data, options, kind
