"""How the figures on what was held out are called and written, in the shell and in the dock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

MEASURES = {
    "psnr": ("PSNR / dB", ".2f"),
    "ssim": ("SSIM", ".4f"),
    "frc": ("FRC 1/7 / pixels", ".2f"),
    "error": ("squared error to noisy pixels", ".5f"),
}
"""Heading and form of each. The FRC is the finest period that is there, small is good; the error is that of a volume
that taught itself."""


def measured(rows: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, str]]:
    """Return those of the `MEASURES` that any of the rows has."""
    names = set().union(*rows)
    return {name: look for name, look in MEASURES.items() if name in names}
