"""Which datasets of an HDF5 file are volumes, and which of them the file says to show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import h5py

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.hdf5_node import COMPLAINTS, Found, attribute, axis_names, is_signal, text

ANGLES = {"theta", "angle", "angles", "rot", "rotation_angle", "image_key"}
"""What stands beside projections, one value for each (DXchange, httomo, bliss, NXtomo), or is their first axis."""

FLATS = {"white", "flat", "dark"}
"""First or last words of the names of pictures without a sample."""

RECONSTRUCTED = re.compile(r"(?<![a-z])rec(on(struct\w*|s)?)?(?![a-z])")
"""Part of a path that leads to no projections, whatever stands beside it."""

STEPS = 8
"""More groups than lead to what NeXus says to show: a file that leads in a circle."""


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
            raise UserError(f"{part} holds no grey values; name a volume of numbers")
        return [one]
    if not isinstance(node, h5py.Group):
        raise UserError(f"{part} is no dataset; name a volume of numbers")
    shown = default(root, node, part)
    found = by_identity(shown, walk(node, part))
    stacks = [names for names in found if names[0].long_axes == 3]
    kept = [names[0] for names in stacks if not any(are_projections(root, one) for one in names)]
    proper = [one for one in kept if not is_flat(one)]
    if stacks and not proper and len(kept) < len(stacks):
        name = next(names[0].name for names in stacks if names[0] not in kept)
        raise UserError(
            f"its dataset {name} holds projections, not a reconstruction; open what was reconstructed from them "
            f"(or these, by the path of the file and then {name})"
        )
    kept = proper or kept or [names[0] for names in found if names[0].long_axes == 2]
    if not kept:
        more = next(
            (f"; its dataset {one.name} has shape {one.data.shape}" for (one, *_) in found if one.long_axes), ""
        )
        raise UserError(f"it holds no volume (z, y, x) of grey values{more}; check that it is a reconstruction")
    if shown in kept:
        return [shown]
    signals = [one for one in kept if is_signal(one)]
    return signals if len(signals) == 1 else kept


def member(group: h5py.Group, name: str, path: str) -> Any:
    """What a group holds by a name, which leads to `path`; a sentence where it cannot be had."""
    try:
        return group[name]
    except COMPLAINTS as error:
        try:
            link = group.get(name, getlink=True)
        except COMPLAINTS:
            link = None
        if isinstance(link, h5py.ExternalLink):
            raise UserError(
                f"{path} lies in {link.filename}, which is not there or cannot be read; copy that, too"
            ) from error
        raise UserError(f"there is nothing at {path}; name a dataset that there is") from error


def default(root: h5py.File, group: h5py.Group, path: str) -> Found | None:
    """The dataset that NeXus says to show: by ``default`` from group to group, then by ``signal``."""
    for _ in range(STEPS):
        step = text(attribute(group, "default")) or text(attribute(group, "signal"))
        if not step:
            return None
        path = step if step.startswith("/") else f"{path}/{step}"
        node = member(group, step, path)
        if not isinstance(node, h5py.Group):
            # from a file that is linked to, an absolute path is that file's own
            same = isinstance(node, h5py.Dataset) and root.get(path) == node
            return Found(path, root[path.rpartition("/")[0] or "/"], node) if same else None
        group = node
    return None


def walk(group: h5py.Group, path: str) -> Iterator[Found]:
    """The datasets of a group and of the groups in it, also in files that it links to; each group once.

    What cannot be opened is left aside: a broken link is no volume.
    """
    seen = {_identity(group)}
    stack = [(group, name, f"{path}/{name}") for name in reversed(list(group))]
    while stack:
        group, name, path = stack.pop()
        try:
            node = group[name]
        except COMPLAINTS:
            continue
        if isinstance(node, h5py.Dataset):
            yield Found(path, group, node)
        elif isinstance(node, h5py.Group) and (known := _identity(node)) not in seen:
            seen.add(known)
            stack += [(node, name, f"{path}/{name}") for name in reversed(list(node))]


def by_identity(shown: Found | None, found: Iterable[Found]) -> list[list[Found]]:
    """Datasets of grey values, each with all its names: first what is to be shown, else that of which more is said."""
    groups: dict[tuple[int, int], list[Found]] = {}
    for one in found if shown is None else (shown, *found):
        if one.is_grey:
            groups.setdefault(_identity(one.data), []).append(one)
    return [
        sorted(names, key=lambda one: (one is not shown, not is_signal(one), not axis_names(one)))
        if len(names) > 1
        else names
        for names in groups.values()
    ]


def _identity(node: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    """The same for the same object by another name."""
    info = h5py.h5o.get_info(node.id)
    return info.fileno, info.addr


def is_flat(one: Found) -> bool:
    """Whether the name is that of pictures without a sample."""
    words = [word.removesuffix("s") for word in re.findall("[a-z]+", one.own_name.lower())] or [""]
    return bool(FLATS & {words[0], words[-1]})


def are_projections(root: h5py.File, one: Found) -> bool:
    """Whether a stack is not reconstructed: an axis is of angles, or these stand beside it, or it is raw by NeXus."""
    if RECONSTRUCTED.search(one.name.lower()):
        return False
    beside = (one.group.get(name) for name in one.group if name.lower() in ANGLES)
    if any(getattr(values, "size", None) == one.data.shape[0] for values in beside) or ANGLES & set(axis_names(one)):
        return True
    above = one.name.split("/")
    for n in range(len(above) - 1, 0, -1):
        entry = root.get("/".join([*above[:n], "definition"]))
        if isinstance(entry, h5py.Dataset) and entry.shape is not None:
            try:
                return text(entry[()]) == "NXtomo"
            except COMPLAINTS:
                return False
    return False
