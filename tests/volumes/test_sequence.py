"""Order of slice files, and what is missing between them."""

from __future__ import annotations

import random

import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.sequence import check_sequence, natural_key


def test_numbers_sort_as_numbers() -> None:
    names = [f"slice_{n}" for n in range(120)]
    shuffled = names.copy()
    random.Random(0).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == names
    assert sorted(["10", "9", "a2", "A1", "x²"], key=natural_key) == ["9", "10", "A1", "a2", "x²"]


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b", "c"],
        ["s_0", "s_1", "s_2"],
        ["s_0000", "s_0010", "s_0020"],
        ["scan3_0007", "scan3_0008"],
        ["20200101_1203_001", "20200101_1205_002", "20200102_0010_003"],
        ["only_0004"],
        ["Slice_1", "slice_2"],
    ],
)
def test_unbroken_sequences_pass(names: list[str]) -> None:
    check_sequence(names)


@pytest.mark.parametrize(
    ("names", "part"),
    [
        (["s_0", "s_1", "s_3"], "slice 2 is missing between s_0 and s_3"),
        (["s_0", "s_1", "s_4", "s_6"], "slices 2, 3, 5 are missing"),
        (["s_000", "s_001", "s_900"], "slices 2, 3, 4, 5, 6 and 893 more are missing"),
        (["s_1", "s_2", "s_3000000000"], "and 2999999992 more"),
        (["s_0", "s_10", "s_20", "s_40"], "slice 30 is missing"),
        (["s_103", "s_918", "s_969"], "slices 104, 105, 106, 107, 108 and 859 more are missing"),
        (["s_01", "s_1"], "slice number 1 is there twice"),
        (["s_1", "s_01", "s_2"], "slice number 1 is there twice"),
        (["s_1", "s_2", "preview"], r"one series \(s_1 and preview\)"),
        (["a_1", "a_2", "b_1"], r"one series \(a_1 and b_1\)"),
    ],
)
def test_broken_sequences_are_named(names: list[str], part: str) -> None:
    with pytest.raises(UserError, match=part):
        check_sequence(sorted(names, key=natural_key))
