"""The two CSV files."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_nanoct.cracks.measure import measure_cracks
from napari_nanoct.cracks.table import columns, write_csv
from napari_nanoct.errors import UserError
from napari_nanoct.volumes import Geometry, Volume


@pytest.fixture
def measurement(disc):
    grey = gaussian_filter(1 - disc(48, 3.0, (0.3, 0.5, 0.81), 16.0), 1.0).astype(np.float32)
    return measure_cracks((grey < 0.5).astype(int), Volume(grey, Geometry((40.0,) * 3, unit="nanometer")), void=0.0)


def read(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_a_row_a_crack_and_units_in_the_names(measurement, tmp_path):
    path, second = write_csv(tmp_path / "cracks.csv", measurement, {"labels": "a.zarr", "image": "b.tif"})
    names, row = read(path)
    crack = dict(zip(names, row, strict=True))
    assert {"volume_nm3", "area_nm2", "aperture_mean_nm", "length_nm", "normal_z", "only_enhanced"} <= set(crack)
    assert float(crack["aperture_mean_nm"]) == pytest.approx(measurement.cracks[0].aperture_mean, rel=1e-5)
    assert (crack["touches_border"], crack["touches_pores"], crack["only_enhanced"]) == ("no", "", "")
    whole = {name: (value, unit) for name, value, unit in read(second)[1:]}
    assert second.name == "cracks_whole.csv"
    assert whole["cracks"] == ("1", "")
    assert float(whole["density"][0]) == pytest.approx(measurement.whole.density, rel=1e-5)
    assert whole["density"][1] == "nm2/nm3"
    assert whole["voxel size z"] == ("40", "nm")
    assert whole["source: labels"][0] == "a.zarr"
    assert whole["setting: void from"][0] == "given"
    areas = [float(value) for name, (value, _) in whole.items() if name.startswith("area of aperture")]
    assert sum(areas) == pytest.approx(measurement.cracks[0].area, rel=1e-4)


def test_the_count_of_flagged_cracks_claims_no_more_than_the_flag(measurement, tmp_path):
    judged = replace(measurement, whole=replace(measurement.whole, only_enhanced=1))
    rows = read(write_csv(tmp_path / "cracks.csv", judged)[1])
    assert ["cracks that the original does not prove", "1", ""] in rows


def test_without_a_unit_lengths_are_in_voxels(measurement):
    names, rows = columns(replace(measurement, geometry=Geometry()))
    assert "length_voxel" in names
    assert len(names) == len(rows[0])


def test_a_place_that_cannot_be_written_is_named(measurement, tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        write_csv(tmp_path / "missing" / "cracks.csv", measurement)
