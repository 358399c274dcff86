"""``nanoct enhance``: a tomogram in, an enhanced one out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_nanoct.jobs import CancelToken, Event


def enhance(
    input: Annotated[
        str, typer.Argument(help="Tomogram: a TIFF, a folder of TIFFs, HDF5, NeXus, Zarr, OME-Zarr or .npy.")
    ],
    output: Annotated[str, typer.Argument(help="OME-Zarr to write, named ...ome.zarr.")],
    model: Annotated[str, typer.Option(help="Name (see 'nanoct models') or .safetensors file.")] = "utsr-light",
    scale: Annotated[int | None, typer.Option(help="Enlargement in y and x: 1, 2 or 4.")] = None,
    slices: Annotated[str | None, typer.Option(help="First slice and the one after the last, A:B.")] = None,
    crop: Annotated[str | None, typer.Option(help="Part of every slice, y0:y1,x0:x1, in input pixels.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto (measured), float32 or bfloat16.")] = "auto",
    dtype: Annotated[str, typer.Option(help="same (float64 becomes float32) or float32.")] = "same",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events as JSON lines; read 'cancel' on stdin.")] = False,
) -> None:
    """Enhance a tomogram slice by slice and write it as OME-Zarr."""
    from napari_nanoct.cli.driving import drive

    def job(cancel: CancelToken) -> Iterator[Event]:
        from napari_nanoct.enhance.settings import EnhanceSettings, parse_crop, parse_slices

        settings = EnhanceSettings(
            input=input,
            output=output,
            model=model,
            scale=scale,
            slices=parse_slices(slices) if slices is not None else None,
            crop=parse_crop(crop) if crop is not None else None,
            device=device,
            precision=precision,  # type: ignore[arg-type]  # checked by the settings
            dtype=dtype,  # type: ignore[arg-type]
            overwrite=overwrite,
        )
        from napari_nanoct.enhance.job import run

        yield from run(settings, cancel)

    drive(job, output, json)
