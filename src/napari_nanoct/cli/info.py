"""``nanoct info``: what a tomogram is, from its headers and a few slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from napari_nanoct.volumes import Volume


def info(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="TIFF file or folder of slices, HDF5 or NeXus file, Zarr or OME-Zarr folder, .npy."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Show shape, type, voxel size, position, size, pyramid, intensity range and, if enhanced, how."""
    from napari_nanoct.volumes import intensity_range, open_volume

    volume = open_volume(file)
    found = intensity_range(volume)
    facts = describe(volume) | {"intensity_range": [found.low, found.high]}
    if as_json:
        import json

        typer.echo(json.dumps(facts, ensure_ascii=False))
    else:
        _print_table(facts)


def describe(volume: Volume) -> dict[str, Any]:
    """What `volume` says of itself, as JSON values; None for what is not known."""
    geometry = volume.geometry
    known = geometry.unit != "pixel" or geometry.voxel_size != (1.0, 1.0, 1.0)
    return {
        "name": volume.name,
        "source": volume.source,
        "shape": list(volume.shape),
        "dtype": str(volume.dtype),
        "voxel_size": list(geometry.voxel_size) if known else None,
        "unit": geometry.unit if geometry.unit != "pixel" else None,
        "origin": list(geometry.origin),
        "gigabytes": volume.nbytes / 1e9,
        "levels": [list(level.shape) for level in volume.levels],
        "contrast": list(volume.metadata["contrast"]) if "contrast" in volume.metadata else None,
        "assumed": list(volume.metadata.get("assumed", ())),
        "run": dict(volume.metadata["nanoct"]) if "nanoct" in volume.metadata else None,
    }


def _print_table(facts: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from napari_nanoct.volumes.units import SYMBOLS, size_text

    unit = SYMBOLS[facts["unit"]] if facts["unit"] else "pixel"
    size, origin, (low, high) = facts["voxel_size"], facts["origin"], facts["intensity_range"]
    if size is None:
        voxel = "not stated in the file"
    else:
        voxel = f"{_numbers(size)} {unit if facts['unit'] else '(unit not stated)'} (z, y, x)"
    rows = [
        ("source", facts["source"]),
        ("shape", f"{' x '.join(str(n) for n in facts['shape'])} (z, y, x)"),
        ("type", facts["dtype"]),
        ("voxel size", voxel),
        ("origin", f"{_numbers(origin, ', ')} {unit} (z, y, x)"),
        ("size", size_text(1e9 * facts["gigabytes"])),
        ("pyramid", ", ".join(" x ".join(str(n) for n in shape) for shape in facts["levels"][1:]) or "none"),
        ("intensity", f"{low:.6g} to {high:.6g} (0.5 % and 99.5 % of a sample)"),
    ]
    if facts["contrast"]:
        rows.append(("shown from", f"{facts['contrast'][0]:.6g} to {facts['contrast'][1]:.6g}"))
    rows += [("note", note) for note in facts["assumed"]]
    rows += [(f"run: {key}", value) for key, value in _flat(facts["run"] or {})]

    table = Table(title=facts["name"], show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value)
    Console(highlight=False, markup=False).print(table)


def _numbers(values: list[float], between: str = " x ") -> str:
    return between.join(f"{value:.6g}" for value in values)


def _flat(record: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    """The leaves of a nested record, with dotted names."""
    rows: list[tuple[str, str]] = []
    for key, value in record.items():
        name = f"{above}{key}"
        rows += _flat(value, f"{name}.") if isinstance(value, dict) else [(name, str(value))]
    return rows
