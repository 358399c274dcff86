"""Units as files and people spell them."""

from __future__ import annotations

import pytest

from napari_nanoct.volumes.units import METRES, SYMBOLS, convert, size_text, unit_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("um", "micrometer"),
        ("µm", "micrometer"),  # the micro sign
        ("μm", "micrometer"),  # the Greek letter
        ("\\u00B5m", "micrometer"),
        ("micron", "micrometer"),
        ("microns", "micrometer"),
        ("Micrometres", "micrometer"),
        ("nm", "nanometer"),
        ("nanometer", "nanometer"),
        ("Å", "angstrom"),
        ("mm", "millimeter"),
        ("cm", "centimeter"),
        ("m", "meter"),
        ("inch", "inch"),
        ("pixel", "pixel"),
        ("furlong", "pixel"),
        ("", "pixel"),
        (None, "pixel"),
    ],
)
def test_unit_name(text: str | None, name: str) -> None:
    assert unit_name(text) == name


def test_every_unit_has_a_symbol_that_leads_back() -> None:
    assert set(SYMBOLS) == {*METRES, "pixel"}
    assert all(unit_name(symbol) == name for name, symbol in SYMBOLS.items())


def test_convert() -> None:
    assert convert(0.1, "micrometer", "nanometer") == 100.0
    assert convert(2.0, "nanometer", "nanometer") == 2.0
    assert convert(3.0, "pixel", "nanometer") == 3.0


def test_size_in_words() -> None:
    assert [size_text(n) for n in (12, 1500, 25e6, 1.2e9, 3e13)] == ["12 bytes", "1.5 kB", "25 MB", "1.2 GB", "30.0 TB"]
