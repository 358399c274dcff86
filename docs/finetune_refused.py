"""Scans that do not go together, given to `nanoct pair`, and the sentence that comes back; for docs/finetune.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from tifffile import imwrite

from napari_nanoct.phantoms import phantom
from napari_nanoct.training.data import normalised

SHAPE = (24, 192, 192)
TRIED = {
    "another place": "wide.tif elsewhere.tif",
    "no overlap": "wide.tif zoom.tif --common 0,48,48=300,96,96",
    "swapped": "zoom.tif wide.tif",
    "swapped, of one size": "long.tif short.tif",
    "too high a factor": "wide.tif zoom.tif --factor 4",
    "a constant scan": "wide.tif constant.tif",
    "NaN": "wide.tif nan.tif",
}
"""What is wrong, and the words after ``nanoct pair``."""


def scans() -> dict[str, NDArray[np.float32]]:
    """A wide scan and a zoom scan of one place, one of another, and some that are empty."""
    zoom, elsewhere = (normalised(phantom(SHAPE, seed=seed).clean) for seed in (6101, 6102))
    noise = np.random.default_rng(0).normal(0, 0.06, (12, 96, 96))
    wide = gaussian_filter(zoom, 1).reshape(12, 2, 96, 2, 96, 2).mean((1, 3, 5)) + noise
    short = zoom + np.random.default_rng(1).normal(0, 0.15, SHAPE)
    empty = {"constant": np.full(SHAPE, 3.0), "nan": np.full(SHAPE, np.nan)}
    found = {"zoom": zoom, "long": zoom, "short": short, "wide": wide, "elsewhere": elsewhere, **empty}
    return {name: data.astype(np.float32) for name, data in found.items()}


def refused() -> Iterator[str]:
    """Try each, and lay out as Markdown what was given and what was said."""
    yield "| what is wrong | command | what it says |"
    yield "| --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        for name, data in scans().items():
            imwrite(Path(folder) / f"{name}.tif", data)
        for wrong, words in TRIED.items():
            command = [sys.executable, "-m", "napari_nanoct", "pair", *words.split()]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if not done.returncode:
                raise SystemExit(f"nanoct pair {words} was not refused")
            yield f"| {wrong} | `nanoct pair {words}` | {done.stderr.splitlines()[-1].removeprefix('nanoct: ')} |"


if __name__ == "__main__":
    print("\n".join(refused()))
