"""Compare shapes of utsr-light: each trained at factor 2 alike on one thread, then scored.

``python benchmarks/shapes.py DATA --minutes 10`` of processor time, or ``--steps 500``, ``[--only NAME ...]``; ``DATA``
holds ``ct`` and ``natural``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from equal_training import command

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


if __name__ == "__main__":
    keep_pages()
    command(__doc__, {name: partial(build, shape, 2) for name, shape in SHAPES.items()})
