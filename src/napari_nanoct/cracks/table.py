"""A measurement as CSV: one file with a row a crack, one for the whole with settings and sources."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from napari_nanoct.cracks.measurement import Crack, Measurement, Whole
from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import whole

Cell = str | int | float


def columns(measurement: Measurement) -> tuple[tuple[str, ...], list[tuple[Cell, ...]]]:
    """Column names with units and rows, as the files and the dock show them.

    Returns
    -------
    names, rows
        Answers are "yes", "no" or, where nothing is known, empty; numbers that are not known are empty too.
    """
    unit = _unit(measurement)
    names = (
        "id",
        "voxels",
        f"volume_{unit}3",
        f"area_{unit}2",
        f"aperture_mean_{unit}",
        f"aperture_p95_{unit}",
        f"aperture_max_{unit}",
        f"length_{unit}",
        "normal_z",
        "normal_y",
        "normal_x",
        "planarity",
        f"centre_z_{unit}",
        f"centre_y_{unit}",
        f"centre_x_{unit}",
        "touches_border",
        "touches_pores",
        "cnr_original",
        "evidence_original",
        "only_enhanced",
    )
    return names, [_row(crack) for crack in measurement.cracks]


def table_files(path: Path) -> tuple[Path, Path]:
    """Return the files of a table: of the cracks, and of the whole beside it."""
    return path, path.with_name(f"{path.stem}_whole{path.suffix or '.csv'}")


def check_table(path: Path, overwrite: bool) -> None:
    """Refuse a table that cannot be written, or that would replace something that must stay.

    Raises
    ------
    UserError
        If the name does not end in ``.csv``, the folder is not there, or a file of the table is and `overwrite` is
        false.
    """
    if path.suffix.lower() != ".csv":
        raise UserError(f"the table {path} is written as CSV; give it a name that ends in .csv")
    if not path.absolute().parent.is_dir():
        raise UserError(f"the folder of {path} does not exist; make it, or name another file to measure")
    for file in table_files(path):
        if file.is_dir():
            raise UserError(f"{file} is a folder; name another file to measure")
        if file.exists() and not overwrite:
            raise UserError(
                f"{file} is there already; name another file to measure, or replace it with --overwrite "
                "(overwrite=True)"
            )


def write_csv(path: Path, measurement: Measurement, sources: Mapping[str, str] | None = None) -> tuple[Path, Path]:
    """Write a measurement as two CSV files: the cracks, and beside them the whole.

    Parameters
    ----------
    path
        ``cracks.csv`` gets a row a crack; ``cracks_whole.csv`` gets the whole as rows of quantity, value and unit:
        figures, histograms, voxel size, settings, sources. Both are written anew.
    measurement
        From `napari_nanoct.cracks.measure.measure_cracks`.
    sources
        What was measured, for the record: names and paths.

    Returns
    -------
    tuple of Path
        The two files.

    Raises
    ------
    UserError
        If a file cannot be written.
    """
    names, rows = columns(measurement)
    path, second = table_files(path)
    write_rows(path, names, rows)
    write_rows(second, ("quantity", "value", "unit"), _whole_rows(measurement, sources or {}))
    return path, second


def write_rows(path: Path, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table as CSV, with a byte order mark, by which spreadsheets read it as UTF-8.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    try:
        with whole(path) as part, part.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows(rows)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}; choose another place.") from error


def _unit(measurement: Measurement) -> str:
    """Short ASCII name of the unit: column names are typed by hand."""
    short = {"angstrom": "A", "nanometer": "nm", "micrometer": "um", "millimeter": "mm", "centimeter": "cm"}
    short |= {"inch": "in", "meter": "m", "pixel": "voxel"}
    return short[measurement.geometry.unit]


def _row(crack: Crack) -> tuple[Cell, ...]:
    figures = (
        crack.volume,
        crack.area,
        crack.aperture_mean,
        crack.aperture_p95,
        crack.aperture_max,
        crack.length,
        *crack.normal,
        crack.planarity,
        *crack.centre,
    )
    return (
        crack.id,
        crack.voxels,
        *(_number(value) for value in figures),
        _answer(crack.touches_border),
        _answer(crack.touches_pores),
        _number(crack.cnr_original),
        _number(crack.evidence),
        _answer(crack.only_enhanced),
    )


def _number(value: float) -> str:
    """Six digits; empty for what is not known."""
    return "" if value != value else f"{value:.6g}"


def _answer(value: bool | None) -> str:
    return "" if value is None else ("yes" if value else "no")


def _whole_rows(measurement: Measurement, sources: Mapping[str, str]) -> Iterator[tuple[Cell, ...]]:
    whole, unit = measurement.whole, _unit(measurement)
    yield "cracks", whole.count, ""
    yield "volume of the sample", _number(whole.volume), f"{unit}3"
    yield "volume fraction", _number(whole.volume_fraction), "1"
    yield "open fraction", _number(whole.opening_fraction), "1"
    yield "mid-surface area", _number(whole.area), f"{unit}2"
    yield "density", _number(whole.density), f"{unit}2/{unit}3"
    yield "mean aperture", _number(whole.aperture_mean), unit
    yield "Euler number", whole.euler, ""
    for axis, through in zip("zyx", whole.percolates, strict=True):
        yield f"percolates along {axis}", _answer(through), ""
    if whole.only_enhanced is not None:
        yield "cracks that the original does not prove", whole.only_enhanced, ""
    yield from _histograms(whole, unit)
    for axis, size in zip("zyx", measurement.geometry.voxel_size, strict=True):
        yield f"voxel size {axis}", _number(size), unit
    for name, value in measurement.settings.items():
        yield f"setting: {name}", _number(value) if isinstance(value, float) else value, ""
    for name, source in sources.items():
        yield f"source: {name}", source, ""


def _histograms(whole: Whole, unit: str) -> Iterator[tuple[Cell, ...]]:
    for (low, high), area in zip(pairwise(whole.aperture_edges), whole.aperture_area, strict=True):
        yield f"area of aperture {low:.4g} to {high:.4g} {unit}", _number(float(area)), f"{unit}2"
    tilts, azimuths = whole.inclination_edges, whole.azimuth_edges
    for row, (low, high) in enumerate(pairwise(tilts)):
        for column, (start, stop) in enumerate(pairwise(azimuths)):
            name = f"area of inclination {low:.1f} to {high:.1f}, azimuth {start:.0f} to {stop:.0f} degrees"
            yield name, _number(float(whole.orientation_area[row, column])), f"{unit}2"
