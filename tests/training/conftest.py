"""A small data folder in the layout of the real one, and a recipe for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave
from tifffile import imwrite


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    folder = tmp_path / "data"
    (folder / "natural").mkdir(parents=True)
    rows = ["file,source"]
    for number in range(1, 21):
        picture = np.kron(random.integers(0, 255, (12, 12)), np.ones((8, 8))).astype(np.uint8)
        imsave(folder / "natural" / f"{number}.png", picture, check_contrast=False)
        rows.append(f"{number}.png,made")
    (folder / "natural" / "index.csv").write_text("\n".join(rows))
    rows = ["file,sample,use,hr_downsample"]
    for sample, use, downsample in (("a", "train", 1), ("b", "train", 2), ("c", "val", 1)):
        (folder / "ct" / sample).mkdir(parents=True)
        imwrite(folder / "ct" / sample / "1.tif", random.normal(3, 1, (192, 192)).astype(np.float32))
        rows.append(f"{sample}/1.tif,{sample},{use},{downsample}")
    (folder / "ct" / "index.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(
        'network = "tiny"\nscale = 1\nseed = 5\n'
        "[[stage]]\nsteps = 6\nnatural = 1.0\nrate = 1e-3\npatch = 16\nbatch = 2\nwarm_up = 2\n"
        "[[stage]]\nsteps = 6\nnatural = 0.0\nrate = 1e-3\npatch = 16\nbatch = 2\nwarm_up = 2\n"
    )
    return path
