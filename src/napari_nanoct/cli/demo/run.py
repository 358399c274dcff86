"""The body of ``nanoct demo``: phantom, instrument, enhancement, figures."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress as Bar
from rich.table import Table

from napari_nanoct.cli.demo.files import DemoFiles, open_folder
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from napari_nanoct.jobs import Event
    from napari_nanoct.phantoms import Acquisition, Phantom
    from napari_nanoct.volumes import Geometry

SMALLEST = (1, 32, 32)


@dataclass(frozen=True)
class Row:
    """Figures of one image: PSNR in decibel, SSIM, seconds, Mvoxel of input per second (None: nothing was computed)."""

    name: str
    psnr: float
    ssim: float
    seconds: float | None = None
    rate: float | None = None


def demo(folder: Path, *, scale: int | None, model: str, seed: int, shape: tuple[int, int, int]) -> DemoFiles:
    """Run the demo and print what it does.

    Parameters
    ----------
    folder
        Where the files go; see `open_folder`.
    scale
        1, 2 or 4, where there are such weights; None: the file's own, 1 for a name.
    model
        Name or ``.safetensors`` file.
    seed
        Names the phantom and the draws of the instrument.
    shape
        Voxels (z, y, x) of the phantom.

    Returns
    -------
    DemoFiles
        Where everything is.

    Raises
    ------
    UserError
        If the model does not exist, the shape is too small, or the folder cannot be used.
    """
    from napari_nanoct.cli.demo.picture import save_picture
    from napari_nanoct.phantoms import acquire, phantom
    from napari_nanoct.utsr import find_model, read_card

    if any(n < least for n, least in zip(shape, SMALLEST, strict=True)):
        raise UserError(f"A phantom of {shape} voxels is too small to show; give --shape at least 1,32,32.")
    card = read_card(find_model(model, scale))
    scale = card.scale
    files = open_folder(folder)
    # Whole input pixels only, so that input and truth cover the same volume.
    shape = (shape[0], shape[1] // scale * scale, shape[2] // scale * scale)
    console, start = Console(), time.perf_counter()
    made, seconds = _timed(phantom, shape, seed=seed)
    console.print(f"Phantom of {_by(shape)} voxels of {made.geometry.voxel_size[0]:g} nm: {seconds:.1f} s")
    acquired, seconds = _timed(acquire, made.clean, factor=scale, seed=seed)
    console.print(f"Blur, noise, rings, shading; {_by(acquired.data.shape)} voxels: {seconds:.1f} s")
    truth = acquired.to_grey(made.clean)
    _write_inputs(files, made, acquired, truth, scale)

    enhanced, seconds = _timed(_enhanced, files, model, scale, console)
    low = acquired.data
    plain, plain_seconds = (low, None) if scale == 1 else _timed(_bicubic, low, scale)
    rows = [_row("input" if scale == 1 else "input, pixels repeated", truth, low.repeat(scale, 1).repeat(scale, 2))]
    if scale > 1:
        rows.append(_row("bicubic", truth, plain, plain_seconds, low.size))
    rows.append(_row(f"UTSR ({card.name} x{scale})", truth, enhanced, seconds, low.size))
    _print_table(console, rows)
    save_picture(files.picture, made, acquired, before=plain, after=enhanced, scale=scale)
    record = {"status": "complete", "seed": seed, "shape": shape, "model": card.name, "sha256": card.sha256}
    record |= {"instrument": acquired.record, "figures": [asdict(row) for row in rows]}
    files.record.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    _print_places(console, files, time.perf_counter() - start)
    return files


def _timed(function: Any, *arguments: Any, **keywords: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function(*arguments, **keywords)
    return result, time.perf_counter() - start


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _write_inputs(
    files: DemoFiles, made: Phantom, acquired: Acquisition, truth: NDArray[np.uint16], scale: int
) -> None:
    record = {"phantom": {"seed": made.scene.seed, "voxel_nm": made.scene.voxel}, "instrument": dict(acquired.record)}
    low, high = (float(value) for value in np.percentile(truth, [0.5, 99.5]))
    _write(files.low, acquired.data, made.geometry.coarsened((1, scale, scale)), record, (low, high))
    _write(files.truth, truth, made.geometry, record, (low, high))
    _write(files.cracks, made.cracks.astype(np.uint8), made.geometry, record, (0, 1))


def _write(
    path: Path, data: NDArray[Any], geometry: Geometry, record: dict[str, Any], contrast: tuple[float, float]
) -> None:
    from napari_nanoct.volumes import OmeZarrWriter
    from napari_nanoct.volumes.omezarr_write import SLAB

    shape = (data.shape[0], data.shape[1], data.shape[2])
    writer = OmeZarrWriter(path, shape=shape, dtype=data.dtype, geometry=geometry, overwrite=True)
    for first in range(0, shape[0], SLAB):
        writer.write(first, data[first : first + SLAB])
    writer.finish(record, contrast)


def _enhanced(files: DemoFiles, model: str, scale: int, console: Console) -> NDArray[np.uint16]:
    """Enhance the input on disk into the output on disk, as ``nanoct enhance`` does, and read the result."""
    from napari_nanoct.enhance import enhance_volume
    from napari_nanoct.jobs import Progress

    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("Enhancing", total=None)

        def show(event: Event) -> None:
            if not isinstance(event, Progress):
                return
            speed = f" {event.rate:.2f} Mvoxel/s" if event.rate else ""
            bar.update(task, total=event.total, completed=event.done, description=f"Enhancing{speed}")

        volume = enhance_volume(files.low, files.enhanced, model=model, scale=scale, overwrite=True, progress=show)
    return np.asarray(volume.data)


def _bicubic(low: NDArray[np.uint16], scale: int) -> NDArray[np.uint16]:
    """Each slice enlarged bicubically; rounded, saturated."""
    import torch

    from napari_nanoct.utsr.resampling import enlarge_bicubic

    slices = [enlarge_bicubic(torch.from_numpy(plane.astype(np.float32))[None, None], scale)[0, 0] for plane in low]
    return np.clip(np.rint(torch.stack(slices).numpy()), 0, 65535).astype(np.uint16)


def _row(name: str, truth: NDArray[Any], image: NDArray[Any], seconds: float | None = None, voxels: int = 0) -> Row:
    from napari_nanoct.quality import grey_range, psnr, ssim

    peak = grey_range(truth)
    rate = voxels / seconds / 1e6 if seconds else None
    return Row(name, psnr(truth, image, peak), ssim(truth, image, peak), seconds, rate)


def _print_table(console: Console, rows: list[Row]) -> None:
    table = Table(title="Against the truth")
    table.add_column("image")
    for head in ("PSNR / dB", "SSIM", "seconds", "Mvoxel/s"):
        table.add_column(head, justify="right")
    for row in rows:
        seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
        rate = "" if row.rate is None else f"{row.rate:.2f}"
        table.add_row(row.name, f"{row.psnr:.2f}", f"{row.ssim:.3f}", seconds, rate)
    console.print(table)


def _print_places(console: Console, files: DemoFiles, seconds: float) -> None:
    places = {
        "input": files.low,
        "enhanced": files.enhanced,
        "truth": files.truth,
        "crack mask": files.cracks,
        "picture": files.picture,
        "record": files.record,
    }
    for what, path in places.items():
        console.print(f"{what:>10}  {path}", soft_wrap=True, highlight=False)
    console.print(f"Done in {seconds:.0f} s.")
