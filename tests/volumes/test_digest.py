"""A fingerprint tells volumes apart by their voxels, not by their files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from napari_nanoct.volumes import fingerprint, open_volume


def test_the_same_voxels_have_the_same_fingerprint_in_any_file(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 99, (7, 8, 9)).astype(np.uint16)
    np.save(tmp_path / "a.npy", data)
    tifffile.imwrite(tmp_path / "a.tif", data, byteorder=">", compression="zlib")
    prints = {fingerprint(open_volume(source)) for source in (data, tmp_path / "a.npy", tmp_path / "a.tif")}
    assert len(prints) == 1
    assert len(prints.pop()) == 64


def test_other_voxels_shapes_and_types_have_others() -> None:
    data = np.zeros((6, 8, 8), np.uint8)
    changed = data.copy()
    changed[0, 3, 3] = 1
    others = [data, changed, data[:5], data.astype(np.int8), data.reshape(6, 4, 16)]
    assert len({fingerprint(open_volume(other)) for other in others}) == len(others)
