"""``nanoct info`` tells what a file says, and what it does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from napari_nanoct.cli.info import info
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, OmeZarrWriter

RUNNER = CliRunner(env={"COLUMNS": "160"})


def run(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(info)
    result = RUNNER.invoke(app, list(arguments))
    if result.exception is not None:
        raise result.exception
    return result.stdout


@pytest.fixture
def enhanced(tmp_path: Path) -> Path:
    data = np.linspace(0, 1000, 16 * 300 * 300).reshape(16, 300, 300).astype(np.uint16)
    geometry = Geometry((0.1, 0.05, 0.05), (0.0, -0.0125, -0.0125), "micrometer")
    writer = OmeZarrWriter(tmp_path / "cell.ome.zarr", shape=data.shape, dtype=data.dtype, geometry=geometry)
    writer.write(0, data)
    return writer.finish({"model": {"name": "utsr-light", "sha256": "0f" * 32}, "scale": 2}, contrast=(5, 995))


def test_table_of_an_enhanced_volume(enhanced: Path) -> None:
    table = run(str(enhanced))
    for part in (
        "cell",
        "16 x 300 x 300 (z, y, x)",
        "uint16",
        "0.1 x 0.05 x 0.05 µm (z, y, x)",
        "0, -0.0125, -0.0125 µm",
        "2.9 MB",
        "16 x 150 x 150",
        "5 to 995",
        "run: model.name",
        "utsr-light",
        "0f" * 32,
        "run: scale",
    ):
        assert part in table


def test_json_of_an_enhanced_volume(enhanced: Path) -> None:
    facts = json.loads(run(str(enhanced), "--json"))
    low, high = facts.pop("intensity_range")
    assert low == pytest.approx(5, abs=2)
    assert high == pytest.approx(995, abs=2)
    assert facts == {
        "name": "cell",
        "source": str(enhanced),
        "shape": [16, 300, 300],
        "dtype": "uint16",
        "voxel_size": [0.1, 0.05, 0.05],
        "unit": "micrometer",
        "origin": [0.0, -0.0125, -0.0125],
        "gigabytes": 0.00288,
        "levels": [[16, 300, 300], [16, 150, 150]],
        "contrast": [5.0, 995.0],
        "assumed": [],
        "run": {"model": {"name": "utsr-light", "sha256": "0f" * 32}, "scale": 2, "status": "complete"},
    }


def test_what_is_not_known_is_said_so(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.zeros((3, 4, 5), np.float32))
    table = run(str(tmp_path / "v.npy"))
    assert "not stated in the file" in table
    assert "run" not in table
    facts = json.loads(run(str(tmp_path / "v.npy"), "--json"))
    assert (facts["voxel_size"], facts["unit"], facts["run"], facts["contrast"]) == (None, None, None, None)


def test_what_was_assumed_is_said_so(tmp_path: Path) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "v.tif", np.zeros((4, 5), np.uint8), resolution=(2e5, 2e5), resolutionunit="CENTIMETER")
    assert "taken to be that of y, 0.05 µm" in run(str(tmp_path / "v.tif"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        run(str(tmp_path / "none.tif"))
