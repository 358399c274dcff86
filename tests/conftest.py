"""Fixtures that every room's tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.io import imsave
from tifffile import imwrite


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the training and validation pictures beside the project; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not (folder / "ct" / "index.csv").is_file():
        pytest.skip("the training and validation pictures (../shared/data) are not on this machine")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A small data folder in the layout of the real one."""
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
