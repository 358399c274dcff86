"""Peak memory of ``nanoct segment`` by depth: a cracked phantom repeated to slices of one size, in noise, on disk.

    python benchmarks/segment_memory.py --side 512 --depths 64 256

*Memory* is the peak over that of the shallowest volume: 1 where depth costs nothing. What is known of each crack is
held in memory, and their number grows with depth.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from harness import machine, table
from volume import peak_and_seconds

from napari_nanoct.phantoms import phantom
from napari_nanoct.volumes import Geometry, OmeZarrWriter, open_volume

SLAB = 16


def write_cracked(path: Path, depth: int, side: int) -> None:
    """Write a volume (depth, side, side) as OME-Zarr, slab by slab."""
    clean = phantom((SLAB, 256, 256), seed=1).clean
    low, high = np.percentile(clean, (0.5, 99.5))
    copies = -(-side // 256)
    slab = np.tile((clean - low) / (high - low), (1, copies, copies))[:, :side, :side]
    geometry = Geometry((40.0, 40.0, 40.0), (0.0, 0.0, 0.0), "nanometer")
    writer = OmeZarrWriter(path, shape=(depth, side, side), dtype=np.uint16, geometry=geometry)
    random = np.random.default_rng(0)
    for z in range(0, depth, SLAB):
        noisy = slab[: depth - z] + random.normal(0, 0.02, slab[: depth - z].shape)
        writer.write(z, np.rint(10_000 + 30_000 * noisy).clip(0, 65_535).astype(np.uint16))
    writer.finish({})


def measure(depths: list[int], side: int) -> str:
    """Segment a volume of each depth by the proposal and return the table of what that took."""
    rows: list[list[object]] = []
    first = 0.0
    for depth in depths:
        with TemporaryDirectory() as folder:
            volume, output = Path(folder, "scan.ome.zarr"), Path(folder, "cracks.ome.zarr")
            write_cracked(volume, depth, side)
            peak, seconds = peak_and_seconds(["segment", str(volume), str(output)])
            count = open_volume(output).metadata["nanoct"]["cracks"]
        first = first or peak
        rows.append([depth, count, seconds, depth * side**2 / 1e6 / seconds, round(peak), peak / first])
    return table(["slices", "cracks", "seconds", "Mvoxel/s", "peak MB", "memory"], rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--depths", type=int, nargs="+", default=[64, 256])
    given = parser.parse_args()
    print(f"{machine()}\n\nSlices of {given.side} x {given.side}, uint16\n")
    print(measure(given.depths, given.side))


if __name__ == "__main__":
    main()
