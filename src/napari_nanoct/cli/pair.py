"""``nanoct pair``: two scans of one place in, a file of paired slices out, to fine-tune on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from napari_nanoct.finetune.pairing import Paired

    Point = tuple[float, float, float]

COLUMNS = {
    "pairs": ("slice", "partner", "middle at y, x", "rotation", "scale", "agreement"),
    "halves": ("slice", "partner", "agreement"),
    "neighbours": ("slice", "partner", "agreement"),
    "blind-spot": ("slice",),
}
"""What is told of each slice, by method."""


def pair(
    low: Annotated[str, typer.Argument(metavar="LOW", help="Tomogram of the kind to be enhanced.")],
    high: Annotated[
        str | None, typer.Argument(metavar="[HIGH]", help="Tomogram that shows the place better; else LOW alone.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="File of pairs to write.")] = "pairs.json",
    factor: Annotated[int | None, typer.Option(help="Enlargement: 1, 2 or 4; else by the voxel sizes.")] = None,
    slices: Annotated[
        str | None, typer.Option(help="Slices of LOW, A:B, A:B:STEP or a list 3,8,20; else some spread evenly.")
    ] = None,
    common: Annotated[
        str | None, typer.Option(metavar="Z,Y,X=Z,Y,X", help="One place in voxels of LOW and of HIGH.")
    ] = None,
    halves: Annotated[
        bool, typer.Option("--halves", help="LOW and HIGH come from half of the projections each.")
    ] = False,
    blind_spot: Annotated[
        bool,
        typer.Option("--blind-spot", help="Without HIGH: learn pixels from those around, not from the next slice."),
    ] = False,
    overlay: Annotated[
        str | None, typer.Option(help="Folder for a picture of every pair, also of refused ones.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
) -> None:
    """Pair slices of two tomograms of one place, or of one with itself, to fine-tune on."""
    from napari_nanoct.finetune.project import check_folder, check_name

    target = Path(output)
    if target.exists() and not overwrite:
        raise UserError(f"{output} exists; give another name or --overwrite.")
    check_name(target)
    if overlay:
        check_folder(Path(overlay))
    if halves and (blind_spot or high is None):
        raise UserError("--halves takes two tomograms, from half of the projections each, and not --blind-spot.")
    method = "halves" if halves else "blind-spot" if blind_spot else None

    from napari_nanoct.finetune.pairing import ASSUMES, NothingPaired, pair_slices
    from napari_nanoct.volumes import open_volume

    one, other = open_volume(low), open_volume(high) if high else None
    numbers = parse_slices(slices, one.shape[0]) if slices else None
    point = parse_common(common) if common else None
    try:
        result = pair_slices(
            one, other, factor=factor, slices=numbers, common=point, method=method, output=target, overwrite=overwrite,
            progress=lambda event: typer.echo(f"{event.done}/{event.total} {event.unit}  {event.message}", err=True),
        )  # fmt: skip
    except NothingPaired as refused:
        if overlay:
            save_overlays(refused.result, Path(overlay))
        raise
    if overlay:
        save_overlays(result, Path(overlay))
    print_table(result)
    count, found = len(result.project.matches), result.project
    typer.echo(f"{count} {'pair' if count == 1 else 'pairs'} at factor {found.factor}, method {found.method}.")
    typer.echo(ASSUMES[found.method])
    typer.echo(f"{output} written")


def parse_slices(text: str, depth: int) -> list[int]:
    """Read ``A:B``, ``A:B:STEP`` (end excluded, either may be left out) or ``3,8,20``."""
    try:
        if ":" not in text:
            return [int(part) for part in text.split(",")]
        parts = [int(part) if part.strip() else None for part in text.split(":")]
        if len(parts) > 3:
            raise ValueError
        chosen = list(range(depth)[slice(*parts)])
    except ValueError:
        raise UserError(f"Slices {text!r} are not understood; write A:B, A:B:STEP or a list such as 3,8,20.") from None
    if not chosen:
        raise UserError(f"Slices {text!r} hold none of the {depth} slices 0 to {depth - 1}; give others.")
    return chosen


def parse_common(text: str) -> tuple[Point, Point]:
    """Read ``z,y,x=z,y,x``."""
    try:
        (z, y, x), (w, v, u) = ([float(value) for value in part.split(",")] for part in text.split("="))
    except ValueError:
        raise UserError(f"The common place {text!r} is not understood; write z,y,x=z,y,x, in voxels.") from None
    return (z, y, x), (w, v, u)


def print_table(result: Paired) -> None:
    """Print the pairs, and the refused slices with their reasons."""
    from rich.console import Console
    from rich.table import Table

    method, table = result.project.method, Table()
    for name in (*COLUMNS[method], "usable"):
        table.add_column(name, justify="right")
    for match in result.project.matches:
        y, x = match.similarity.centre_high
        cells = {
            "slice": str(match.low_slice),
            "partner": f"{match.high_slice:.2f}" if method == "pairs" else f"{match.high_slice:.0f}",
            "middle at y, x": f"{y:.1f}, {x:.1f}",
            "rotation": f"{match.similarity.rotation:.2f}\u00b0",
            "scale": f"{match.similarity.scale:.4f}",
            "agreement": f"{match.quality:.2f}",
        }
        table.add_row(*(cells[name] for name in COLUMNS[method]), f"{100 * match.usable:.0f} %")
    Console(highlight=False, markup=False).print(table)
    for refusal in result.refusals:
        typer.echo(f"left out: {refusal.reason}")


def save_overlays(result: Paired, folder: Path) -> None:
    """Write one PNG a pair: LOW in magenta, HIGH in green, dark where it is not learnt from."""
    from PIL import Image

    from napari_nanoct.finetune.pairing import open_scans, overlay, slice_pair

    folder.mkdir(parents=True, exist_ok=True)
    scans = open_scans(result.project)
    refused = tuple(refusal.match for refusal in result.refusals if refusal.match)
    for matches, word in ((result.project.matches, ""), (refused, "-left-out")):
        for match in matches:
            picture = overlay(slice_pair(result.project, match, *scans))
            Image.fromarray(picture).save(folder / f"slice-{match.low_slice:05}{word}.png")
