"""What one enhancement is asked to do: shared by the shell, the dock and Python."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import index
from typing import Any, Literal, get_args

from napari_nanoct.errors import UserError

Precision = Literal["auto", "float32", "bfloat16"]
OutputType = Literal["same", "float32"]


@dataclass(frozen=True)
class EnhanceSettings:
    """Settings of one volume run.

    Attributes
    ----------
    input : str
        The tomogram, anything that ``open_volume`` reads.
    output : str
        The OME-Zarr to write; its name ends in ``.zarr``.
    model : str
        Name of a shipped or trained model, or a ``.safetensors`` file.
    scale : int or None
        Enlargement in y and x: 1, 2 or 4. None: the file's own for a file, 1 for a name.
    slices : (int, int) or None
        First slice and the one after the last; None: all.
    crop : (int, int, int, int) or None
        ``(y0, y1, x0, x1)`` in input pixels, ends excluded; None: the whole slice.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.
    precision : str
        ``"auto"`` (measured), ``"float32"`` or ``"bfloat16"``.
    dtype : str
        ``"same"`` as the input (float64 becomes float32) or ``"float32"``.
    overwrite : bool
        Replace an existing output; it stays until the new one is complete.

    Raises
    ------
    UserError
        If a choice does not exist or a range is empty.
    """

    input: str
    output: str
    model: str = "utsr-light"
    scale: int | None = None
    slices: tuple[int, int] | None = None
    crop: tuple[int, int, int, int] | None = None
    device: str = "auto"
    precision: Precision = "auto"
    dtype: OutputType = "same"
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, count, example in (("slices", 2, "(10, 20)"), ("crop", 4, "(0, 512, 100, 612)")):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, _whole(name, given, count, example))
        if self.scale not in (None, 1, 2, 4):
            raise UserError(f"scale {self.scale} does not exist; choose 1, 2 or 4")
        if self.scale is not None:
            object.__setattr__(self, "scale", int(self.scale))
        for name, value, choices in (
            ("precision", self.precision, get_args(Precision)),
            ("dtype", self.dtype, get_args(OutputType)),
        ):
            if value not in choices:
                raise UserError(f"{name} {value!r} does not exist; choose {', '.join(choices)}")
        if self.slices is not None and not 0 <= self.slices[0] < self.slices[1]:
            raise UserError(f"slices {_join(self.slices)} are empty; give first:end, as in 10:20")
        if self.crop is not None:
            y0, y1, x0, x1 = self.crop
            if not (0 <= y0 < y1 and 0 <= x0 < x1):
                raise UserError(f"crop {y0}:{y1},{x0}:{x1} is empty; give y0:y1,x0:x1, as in 0:512,100:612")

    def arguments(self) -> list[str]:
        """Return the exact arguments after ``nanoct`` that start this run; what is at its default is left out."""
        words = ["enhance", _path(self.input), _path(self.output)]
        for entry in fields(self)[2:]:
            value = getattr(self, entry.name)
            if value == entry.default:
                continue
            words.append(f"--{entry.name}")
            if entry.name == "slices":
                words.append(_join(value))
            elif entry.name == "crop":
                words.append(f"{_join(value[:2])},{_join(value[2:])}")
            elif entry.name != "overwrite":
                words.append(str(value))
        return words


def parse_slices(text: str) -> tuple[int, int]:
    """Return ``(A, B)`` of ``"A:B"``; raise :class:`UserError` for anything else."""
    match = re.fullmatch(r"\s*(\d+):(\d+)\s*", text)
    if not match:
        raise UserError(f"--slices {text!r} is not understood; give first:end, as in 10:20")
    return int(match[1]), int(match[2])


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """Return ``(y0, y1, x0, x1)`` of ``"y0:y1,x0:x1"``; raise :class:`UserError` for anything else."""
    match = re.fullmatch(r"\s*(\d+):(\d+)\s*,\s*(\d+):(\d+)\s*", text)
    if not match:
        raise UserError(f"--crop {text!r} is not understood; give y0:y1,x0:x1, as in 0:512,100:612")
    return int(match[1]), int(match[2]), int(match[3]), int(match[4])


def _whole(name: str, given: Iterable[Any], count: int, example: str) -> tuple[int, ...]:
    """Return the numbers of a range as Python's own: NumPy's do not go into the record, which is JSON."""
    try:
        numbers = tuple(index(number) for number in given)
    except TypeError:
        numbers = ()
    if len(numbers) != count:
        raise UserError(f"{name} {given} are not {count} whole numbers; give them as in {example}")
    return numbers


def _join(pair: tuple[int, ...]) -> str:
    return f"{pair[0]}:{pair[1]}"


def _path(text: str) -> str:
    # A name that begins with a dash would be taken for an option.
    return f"./{text}" if text.startswith("-") else text
