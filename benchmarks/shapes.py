"""Compare shapes of utsr-light: each trained at factor 2 for the same processor time on one thread, then scored.

``python benchmarks/shapes.py DATA --minutes 10 [--only NAME ...]`` with the folder that holds ``ct`` and ``natural``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path

from equal_training import compare

from napari_nanoct.jobs.process import keep_pages
from napari_nanoct.utsr import PRESETS, build

LIGHT = PRESETS["utsr-light"]
SHAPES = {
    "utsr-light: 12 convolutions of 64 beside a small U": LIGHT,
    "U alone": replace(LIGHT, channels=(48, 72, 96, 144), blocks=(4, 2, 2, 4), extra_blocks=4, detail_channels=0),
    "16 convolutions of 64 beside a smaller U": replace(
        LIGHT, channels=(24, 48, 72, 96), blocks=(1, 1, 1, 2), extra_blocks=1, detail_layers=16
    ),
}


def main() -> None:
    """Train and score every shape and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0, help="processor time for each shape")
    parser.add_argument("--only", nargs="*", choices=list(SHAPES), default=list(SHAPES))
    options = parser.parse_args()
    compare({name: partial(build, SHAPES[name], 2) for name in options.only}, options.data, options.minutes)


if __name__ == "__main__":
    keep_pages()
    main()
