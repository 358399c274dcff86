"""Settings: refused where they make no sense, and turned into the shell line that does the same."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest

from napari_nanoct.enhance import EnhanceSettings
from napari_nanoct.enhance.settings import parse_crop, parse_slices
from napari_nanoct.errors import UserError


def test_defaults_give_the_short_line() -> None:
    assert EnhanceSettings("in.tif", "out.zarr").arguments() == ["enhance", "in.tif", "out.zarr"]


def test_numbers_of_numpy_go_into_a_record() -> None:
    corner = np.array([0, 9, 3, 12])
    settings = EnhanceSettings("in.tif", "o.zarr", scale=np.int64(2), slices=tuple(corner[:2]), crop=corner)  # type: ignore[arg-type]
    assert settings == EnhanceSettings("in.tif", "o.zarr", scale=2, slices=(0, 9), crop=(0, 9, 3, 12))
    assert json.loads(json.dumps(asdict(settings)))["crop"] == [0, 9, 3, 12]


def test_every_setting_stands_in_the_line() -> None:
    settings = EnhanceSettings(
        "-in.tif", "o.zarr", "m.safetensors", 2, (1, 5), (0, 9, 3, 12), "cpu", "float32", "float32", True
    )
    assert " ".join(settings.arguments()) == (
        "enhance ./-in.tif o.zarr --model m.safetensors --scale 2 --slices 1:5 --crop 0:9,3:12 --device cpu "
        "--precision float32 --dtype float32 --overwrite"
    )


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"scale": 3}, "scale 3"),
        ({"slices": (5, 5)}, "slices 5:5"),
        ({"slices": (-1, 5)}, "slices -1:5"),
        ({"crop": (0, 0, 0, 4)}, "crop 0:0,0:4"),
        ({"crop": (0, 4, 5, 4)}, "crop 0:4,5:4"),
        ({"slices": (0, 9, 2)}, "2 whole numbers"),
        ({"slices": 5}, "2 whole numbers"),
        ({"crop": (0.0, 4.0, 0.0, 4.0)}, "4 whole numbers"),
        ({"precision": "float16"}, "precision 'float16'"),
        ({"dtype": "uint8"}, "dtype 'uint8'"),
    ],
)
def test_wrong_settings_get_a_sentence(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        EnhanceSettings("a", "b", **wrong)  # type: ignore[arg-type]


def test_ranges_are_read() -> None:
    assert parse_slices("3:17") == (3, 17)
    assert parse_crop("0:512, 100:612") == (0, 512, 100, 612)


@pytest.mark.parametrize("text", ["", "3", ":3", "3:", "a:b", "-1:3", "1:2:3", "1.5:3"])
def test_wrong_slices_get_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="first:end"):
        parse_slices(text)


@pytest.mark.parametrize("text", ["", "0:4", "0:4,1", "0:4;0:4", "a:b,c:d", "0:4,0:4,0:4"])
def test_wrong_crops_get_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="y0:y1,x0:x1"):
        parse_crop(text)
