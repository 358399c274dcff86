"""``nanoct demo``: the whole way from a tomogram to an enhanced one, on a phantom whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_nanoct.errors import UserError


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files of the demo.")] = Path(
        "nanoct-demo"
    ),
    scale: Annotated[
        int | None, typer.Option(help="Enlargement: 1 restores on the same grid, 2 and 4 make its pixels finer.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name of a model, or a .safetensors file.")] = "utsr-light",
    seed: Annotated[int, typer.Option(help="Another number makes another phantom.")] = 0,
    shape: Annotated[str, typer.Option(help="Voxels of the phantom: z,y,x.")] = "48,384,384",
    view: Annotated[bool, typer.Option("--view", help="Open the result in napari.")] = False,
) -> None:
    """Make a phantom tomogram, enhance it, and compare it with the truth.

    The phantom is a battery cathode with pores and thin cracks, blurred and noisy. Input, truth, crack mask and
    enhanced volume go to the output folder as OME-Zarr, with a picture. Run it again and it replaces these files, and
    no others.
    """
    from napari_nanoct.cli.demo import run, viewer

    if view:
        viewer.check()
    files = run.demo(output, scale=scale, model=model, seed=seed, shape=_triple(shape))
    if view:
        viewer.show(files.volumes)


def _triple(text: str) -> tuple[int, int, int]:
    try:
        z, y, x = (int(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--shape {text!r} is not understood; give z,y,x, as in 48,384,384.") from None
    return z, y, x
