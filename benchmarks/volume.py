"""The volume job as a user starts it: speed, the share outside the network, network pixels per pixel, peak memory.

Each depth is one `nanoct enhance` of uint16 noise, the worst case for the compressor, in a process of its own whose
largest resident memory the system reports (Linux, macOS).

    python benchmarks/volume.py --depths 32 64 256 --side 256
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from harness import machine, table

BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss


def write_noise(path: Path, depth: int, side: int) -> None:
    """Write a TIFF stack of noise slice by slice."""
    import tifffile

    random = np.random.default_rng(0)
    with tifffile.TiffWriter(path, bigtiff=True) as stack:
        for _ in range(depth):
            stack.write(random.integers(1000, 60000, (side, side), np.uint16), contiguous=True)


def peak_and_seconds(arguments: list[str]) -> tuple[float, float]:
    """Run ``nanoct`` with these arguments; return its peak memory in MB and its seconds from start to end."""
    from napari_nanoct.jobs.process import process_environment

    start = time.perf_counter()
    command = [sys.executable, "-m", "napari_nanoct", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=process_environment())
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"nanoct {' '.join(arguments)} failed")
    return usage.ru_maxrss * BYTES / 1e6, time.perf_counter() - start


def measure(depths: list[int], side: int, model: str, scale: int) -> str:
    """Enhance a volume of each depth and return the table of what that took."""
    from napari_nanoct import open_volume

    rows = []
    for depth in depths:
        with TemporaryDirectory() as folder:
            noise, output = Path(folder, "noise.tif"), Path(folder, "out.ome.zarr")
            write_noise(noise, depth, side)
            choice = ["--model", model, "--scale", str(scale), "--device", "cpu"]
            peak, seconds = peak_and_seconds(["enhance", str(noise), str(output), *choice])
            record = open_volume(output).metadata["nanoct"]
        outside = 1 - record["network_seconds"] / record["seconds"]
        pixels = record["tiles"]["network_pixels_per_pixel"]
        row = [depth, seconds, depth * side**2 / 1e6 / seconds, f"{100 * outside:.1f} %", pixels, round(peak)]
        rows.append([*row, record["precision"]])
    header = [
        "slices",
        "seconds",
        "Mvoxel/s",
        "outside the network",
        "network pixels per pixel",
        "peak MB",
        "precision",
    ]
    return table(header, rows)


def tiling(model: str, scale: int, sides: list[int]) -> str:
    """Return how many pixels the network computes per pixel of the slice, by the size of the slice."""
    from napari_nanoct.enhance import Enhancer
    from napari_nanoct.enhance.tiling import network_pixels

    enhancer = Enhancer.load(model, scale, "cpu", "float32")
    rows = []
    for side in sides:
        tiles = enhancer.tiles((side, side))
        rows.append([f"{side} x {side}", len(tiles), network_pixels(tiles, enhancer.card.period) / side**2])
    return table(["slice", "tiles", "network pixels per pixel"], rows)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, nargs="+", default=[32, 64, 256])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--model", default="utsr-light")
    parser.add_argument("--scale", type=int, default=1)
    given = parser.parse_args()
    print(f"{machine()}\n\n{given.model} x{given.scale}, slices of {given.side} x {given.side}, uint16\n")
    print(measure(given.depths, given.side, given.model, given.scale))
    print(f"\n{given.model} x{given.scale}, tiles on a CPU\n")
    print(tiling(given.model, given.scale, [384, 512, 1000, 1200, 2048, 2560]))


if __name__ == "__main__":
    main()
