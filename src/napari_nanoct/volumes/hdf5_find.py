"""Which datasets of an HDF5 file are volumes, and which of them the file says to show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from napari_nanoct.errors import UserError

ANGLES = {"theta", "angles", "rotation_angle", "image_key"}
"""What stands beside projections, one value for each (DXchange, httomo, NXtomo)."""

FLATS = {"white", "flat", "dark"}
"""Last words of the names of pictures without a sample."""

STEPS = 8
"""More groups than lead to what NeXus says to show: a file that leads in a circle."""


@dataclass(frozen=True, eq=False)
class Found:
    """A dataset, its path from ``/``, and the group by which that leads to it: the dataset may lie in another file."""

    name: str
    group: h5py.Group
    data: h5py.Dataset

    @property
    def is_grey(self) -> bool:
        """Whether it holds numbers; without a shape it is a place for nothing."""
        return self.data.shape is not None and self.data.dtype.kind in "iufb"

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


def volumes(root: h5py.File, part: str) -> list[Found]:
    """What a user may mean by a path into a file, or by the file alone.

    Parameters
    ----------
    root : h5py.File
    part : str
        Path of a dataset or group, from ``/``; "" for the file.

    Returns
    -------
    list of Found
        The dataset; or what NeXus says to show of the group; or its volumes, of several only that which is its group's
        signal, if just one is. Pictures where there is no volume. Projections count by their name alone.

    Raises
    ------
    UserError
        If there is none.
    """
    node = member(root, part, part) if part else root
    if isinstance(node, h5py.Dataset):
        one = Found(part, root[part.rpartition("/")[0] or "/"], node)
        if not one.is_grey:
            raise UserError(f"{part} holds no grey values ({node.dtype}); name a volume of numbers")
        return [one]
    if not isinstance(node, h5py.Group):
        raise UserError(f"{part} is no dataset; name a volume of numbers")
    shown = default(node, part)
    if shown and shown.long_axes == 3 and not are_projections(root, shown):
        return [shown]
    found = list(walk(node, part))
    stacks = [one for one in found if one.long_axes == 3]
    kept = [one for one in stacks if not are_projections(root, one)]
    if stacks and not kept:
        name = stacks[0].name
        raise UserError(
            f"its dataset {name} holds projections, not a reconstruction; open what was reconstructed from them "
            f"(or these, by the path of the file and then {name})"
        )
    kept = kept or ([shown] if shown else [one for one in found if one.long_axes == 2])
    if not kept:
        more = next((f"; its dataset {one.name} has shape {one.data.shape}" for one in found if one.long_axes), "")
        raise UserError(f"it holds no volume (z, y, x) of grey values{more}; check that it is a reconstruction")
    signals = [one for one in kept if is_signal(one)]
    return signals if len(signals) == 1 else kept


def member(group: h5py.Group, name: str, path: str) -> Any:
    """What a group holds by a name, which leads to `path`; a sentence where it cannot be had."""
    try:
        return group[name]
    except (KeyError, OSError, RuntimeError) as error:
        try:
            link = group.get(name, getlink=True)
        except (KeyError, OSError, RuntimeError):
            link = None
        if isinstance(link, h5py.ExternalLink):
            raise UserError(
                f"{path} lies in {link.filename}, which is not there or cannot be read; copy that, too"
            ) from error
        raise UserError(f"there is nothing at {path}; name a dataset that there is") from error


def default(group: h5py.Group, path: str) -> Found | None:
    """The dataset that NeXus says to show: by ``default`` from group to group, then by ``signal``."""
    for _ in range(STEPS):
        step = text(group.attrs.get("default", "")) or text(group.attrs.get("signal", ""))
        if not step:
            return None
        path = step if step.startswith("/") else f"{path}/{step}"
        node = member(group, step, path)
        if isinstance(node, h5py.Dataset):
            one = Found(path, group.file[step.rpartition("/")[0]] if step.startswith("/") else group, node)
            return one if one.long_axes in (2, 3) else None
        group = node
    return None


def walk(group: h5py.Group, path: str) -> Iterator[Found]:
    """The datasets of a group and of the groups in it, each once, also in files that it links to.

    What cannot be opened is left aside: a broken link is no volume.
    """
    seen = {_identity(group)}
    stack = [(group, name, f"{path}/{name}") for name in reversed(list(group))]
    while stack:
        group, name, path = stack.pop()
        try:
            node = group[name]
            if not isinstance(node, h5py.Dataset | h5py.Group) or (known := _identity(node)) in seen:
                continue
            seen.add(known)
            if isinstance(node, h5py.Group):
                stack += [(node, name, f"{path}/{name}") for name in reversed(list(node))]
                continue
            one = Found(path, group, node)
            one.long_axes  # noqa: B018, a type that NumPy has not is left aside, too
        except (KeyError, OSError, RuntimeError, TypeError, ValueError):
            continue
        yield one


def _identity(node: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    """The same for the same object by another name."""
    info = h5py.h5o.get_info(node.id)
    return info.fileno, info.addr


def is_signal(one: Found) -> bool:
    """Whether NeXus names the dataset as what its group is about, in today's way or in the first one."""
    named = text(one.group.attrs.get("signal", ""))
    return named == one.name.rpartition("/")[2] or text(str(one.data.attrs.get("signal", ""))) == "1"


def are_projections(root: h5py.File, one: Found) -> bool:
    """Whether a stack is not reconstructed: beside its angles, in a raw file by NeXus, or pictures without a sample."""
    name = one.name.rpartition("/")[2].lower()
    if "rec" in name:
        return False
    if name.removesuffix("s").rpartition("_")[2] in FLATS:
        return True
    for beside in (key for key in one.group if key.lower() in ANGLES):
        if getattr(one.group.get(beside), "size", None) == one.data.shape[0]:
            return True
    above = one.name.split("/")
    entries = (root.get("/".join(above[:n]) + "/definition") for n in range(1, len(above)))
    return any(text(entry[()]) == "NXtomo" for entry in entries if isinstance(entry, h5py.Dataset))
