"""``nanoct segment``: a tomogram in, its cracks as a label image out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from napari_nanoct.cracks.settings import HIGH, LOW

if TYPE_CHECKING:
    from napari_nanoct.jobs import CancelToken, Event


def segment(
    input: Annotated[
        str, typer.Argument(help="Tomogram, best an enhanced one: OME-Zarr, Zarr, HDF5, TIFF, folder or .npy.")
    ],
    output: Annotated[str, typer.Argument(help="OME-Zarr label image to write, named ...ome.zarr.")],
    classifier: Annotated[str | None, typer.Option(help="Classifier made from scribbles; else without labels.")] = None,
    sensitivity: Annotated[float, typer.Option(help="0 to 1: how faint a crack is taken, without a classifier.")] = 0.5,
    mask: Annotated[
        str | None, typer.Option(help="Volume, not 0 where cracks may be; or everywhere. Else inside bright bodies.")
    ] = None,
    bright: Annotated[bool, typer.Option("--bright", help="Cracks are brighter than what they run through.")] = False,
    high: Annotated[float, typer.Option(help="Probability that a crack must reach, with a classifier.")] = HIGH,
    low: Annotated[float, typer.Option(help="Probability down to which a crack goes on, with a classifier.")] = LOW,
    measure: Annotated[str | None, typer.Option(help="CSV file to write with the measured cracks.")] = None,
    original: Annotated[
        str | None, typer.Option(help="Tomogram before its enhancement: which cracks it shows, for --measure.")
    ] = None,
    pores: Annotated[
        str | None, typer.Option(help="Volume, not 0 in pores: which cracks touch one, for --measure.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output, and its table.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines; read 'cancel' on stdin.")] = False,
) -> None:
    """Segment the cracks of a tomogram and write them as an OME-Zarr label image."""
    from napari_nanoct.cli.driving import drive

    def job(cancel: CancelToken) -> Iterator[Event]:
        from napari_nanoct.cracks.segment import segment_volume
        from napari_nanoct.cracks.settings import SegmentSettings
        from napari_nanoct.jobs import Done

        settings = SegmentSettings(
            input, output, classifier, sensitivity, mask, not bright, high, low, measure, original, overwrite, pores
        )
        for event in segment_volume(settings, cancel):
            yield event
            if isinstance(event, Done) and not json:
                typer.echo(event.record["message"])
                for note in event.record["notes"]:
                    typer.echo(f"nanoct: {note}", err=True)

    drive(job, output, json)
