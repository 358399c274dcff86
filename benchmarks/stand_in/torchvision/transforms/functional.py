"""The three names that spandrel imports, for architectures that the benchmarks do not run."""

from enum import Enum
from typing import Any, NoReturn


class InterpolationMode(Enum):
    """Named in a call of `rotate` alone."""

    BILINEAR = "bilinear"


def rotate(*_: Any, **__: Any) -> NoReturn:
    """Refuse: only LaMa calls this."""
    raise NotImplementedError("this stand-in for torchvision rotates nothing")


def normalize(*_: Any, **__: Any) -> NoReturn:
    """Refuse: only RestoreFormer calls this."""
    raise NotImplementedError("this stand-in for torchvision normalises nothing")
