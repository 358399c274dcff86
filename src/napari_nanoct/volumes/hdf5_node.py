"""A dataset of an HDF5 file, and what NeXus and its kin say of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

COMPLAINTS = (KeyError, OSError, RuntimeError, TypeError, ValueError)
"""What h5py raises for names, types and links that it cannot make out."""


@dataclass(frozen=True, eq=False)
class Found:
    """A dataset, its path from ``/``, and the group by which that leads to it: the dataset may lie in another file."""

    name: str
    group: h5py.Group
    data: h5py.Dataset

    @property
    def own_name(self) -> str:
        """The last part of the path."""
        return self.name.rpartition("/")[2]

    @property
    def is_grey(self) -> bool:
        """Whether it holds numbers; without a shape it is a place for nothing."""
        try:
            return self.data.shape is not None and self.data.dtype.kind in "iufb"
        except TypeError:  # a type that NumPy has not
            return False

    @property
    def long_axes(self) -> int:
        """How many axes are longer than 1, if it holds grey values; else 0."""
        return sum(n > 1 for n in self.data.shape) if self.is_grey else 0


def text(value: Any) -> str:
    """An attribute as text, in any of the ways that programs write one; "" if it is none."""
    value = value.flat[0] if isinstance(value, np.ndarray) and value.size else value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    return value if isinstance(value, str) else ""


def attribute(node: h5py.Group | h5py.Dataset, name: str) -> Any:
    """An attribute; "" where there is none that can be read."""
    try:
        return node.attrs.get(name, "")
    except COMPLAINTS:
        return ""


def is_signal(one: Found) -> bool:
    """Whether NeXus names the dataset as what its group is about, in today's way or in the first one."""
    first = np.ravel(attribute(one.data, "signal"))[:1]
    return text(attribute(one.group, "signal")) == one.own_name or any(value in (1, "1", b"1") for value in first)


def axis_names(one: Found) -> list[str]:
    """Names of a dataset's axes, in lower case: by NeXus, or ilastik's tags; none where they are not told for each."""
    tags = text(attribute(one.data, "axistags"))
    if tags:
        try:
            names = [str(axis["key"]) for axis in json.loads(tags)["axes"]]
        except (ValueError, LookupError, TypeError):
            names = []
    else:
        told = attribute(one.group, "axes") if _is_meant(one) else ""
        told = told if len(told) else attribute(one.data, "axes")
        if isinstance(told, np.ndarray) and told.size > 1:
            names = [text(name) for name in told]
        else:  # as NeXus wrote them at first
            names = text(told).strip("[] ").replace(",", ":").split(":")
    names = [name.strip().lower() for name in names]
    named = [name for name in names if name != "."]
    return names if len(names) == one.data.ndim and len(set(named)) == len(named) else []


def _is_meant(one: Found) -> bool:
    """Whether the axes of a group are those of the dataset: they are of its signal and what goes with that."""
    others = np.ravel(attribute(one.group, "auxiliary_signals"))
    return text(attribute(one.group, "signal")) in ("", one.own_name) or one.own_name in map(text, others)
