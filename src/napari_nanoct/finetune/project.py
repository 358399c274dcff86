"""What a network is fine-tuned on, as a small readable file: two volumes, the paired slices, where they may be used."""

from __future__ import annotations

import json
import os
from codecs import BOM_UTF8
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import whole
from napari_nanoct.training.register import Similarity

KIND, VERSION = "nanoct pairs", 1
METHODS = ("pairs", "halves", "neighbours", "blind-spot")
Point = tuple[float, float]


@dataclass(frozen=True)
class Source:
    """A volume: place, voxel size (z, y, x) in ``unit``, the grey values that become 0 and 1, and its digest."""

    path: str
    voxel_size: tuple[float, float, float]
    unit: str
    range: tuple[float, float]
    fingerprint: str


@dataclass(frozen=True)
class Match:
    """A slice of the low-resolution volume and its place in the other one.

    Attributes
    ----------
    low_slice : int
    high_slice : float
        Position in slices of the other volume; it may lie between two.
    similarity : Similarity
        From pixels of the low-resolution slice to those of the other.
    gain, offset : float
        High-resolution grey values in their own range, times ``gain`` plus ``offset``, are in that of the other volume.
    quality : float
        Normalised correlation of the two, both smoothed, where they overlap; -1 to 1.
    usable : float
        Share of the low-resolution slice that can be learnt from.
    """

    low_slice: int
    high_slice: float
    similarity: Similarity = field(default_factory=Similarity)
    gain: float = 1.0
    offset: float = 0.0
    quality: float = 1.0
    usable: float = 1.0


@dataclass(frozen=True)
class Region:
    """A polygon, (y, x) in pixels of the low-resolution slice: used or left out, in one slice or (None) in all."""

    polygon: tuple[Point, ...]
    use: bool = True
    low_slice: int | None = None


@dataclass(frozen=True)
class Project:
    """What a network is fine-tuned on.

    Attributes
    ----------
    method : str
        ``pairs``: low against high resolution. Without a high-resolution volume, at factor 1: ``halves``, two
        reconstructions from half of the projections each (``high`` is the other half); ``neighbours``, each slice
        against the next; ``blind-spot``, each pixel from those around it.
    factor : int
        1, 2 or 4.
    low : Source
    high : Source or None
        None where the volume teaches itself.
    matches : tuple of Match
    regions : tuple of Region
    """

    method: str
    factor: int
    low: Source
    high: Source | None
    matches: tuple[Match, ...]
    regions: tuple[Region, ...] = ()


def check_name(path: Path) -> None:
    """Raise a UserError unless a file of pairs may have this name: a slip is not to replace a volume."""
    if path.suffix.lower() != ".json" or path.is_dir():
        raise UserError(f"{path} is to be a file of pairs; give it a name that ends in .json.")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Raise a UserError unless the folder is there to write to or can be made: before the work, not after it."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UserError(f"{there} is no folder that can be written to; give another one.")


def save_project(project: Project, path: Path) -> None:
    """Write the project as JSON; volumes beside the file by a relative path. It appears whole or not at all.

    Raises
    ------
    UserError
        If the name does not end in ``.json``.
    """
    check_name(path)
    content = {"kind": KIND, "version": VERSION, **asdict(project)}
    for name in ("low", "high"):
        if content[name]:
            content[name]["path"] = _relative(Path(content[name]["path"]), path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as part:
        part.write_text(_text(content), encoding="utf-8")


def _text(content: dict[str, Any]) -> str:
    """JSON for people: a volume, a slice or a region on a line."""

    def entry(value: Any) -> str:
        if not isinstance(value, (list, tuple)) or not value:
            return json.dumps(value)
        return "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n ]"

    return "{\n" + ",\n".join(f" {json.dumps(name)}: {entry(value)}" for name, value in content.items()) + "\n}\n"


def load_project(path: Path) -> Project:
    """Read a project.

    Raises
    ------
    UserError
        If there is no such file, or it is not a project of this version.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; make one with 'nanoct pair LOW HIGH -o {path.name}'")
    content = _content(path)
    version = content.pop("version", None)
    if content.pop("kind", None) != KIND:
        raise _another(path, "JSON text about something else")
    if version != VERSION:
        raise UserError(f"{path} is not a file of pairs of version {VERSION} but of {version!r}; pair the slices anew")
    try:
        return _project(content, path.parent)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"{path} is not a file of pairs that can be used: it was changed or damaged ({what}); pair the slices anew"
        ) from None


def _content(path: Path) -> dict[str, Any]:
    """Read the JSON object of a file; a tomogram, which may be huge, by its first bytes alone."""
    if path.is_dir():
        raise _another(path, "a folder")
    with path.open("rb") as file:
        if file.read(64).removeprefix(BOM_UTF8).lstrip()[:1] != b"{":
            raise _another(path, "another kind of file, no JSON text")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=int)
    except ValueError:  # also of NaN and Infinity, which are no JSON
        raise _another(path, "JSON text that is cut off or damaged") from None
    return content


def _another(path: Path, kind: str) -> UserError:
    return UserError(
        f"{path} is not a file of pairs but {kind}; give the .json file that 'nanoct pair' or the fine-tune dock wrote"
    )


def _project(content: dict[str, Any], folder: Path) -> Project:
    if content["method"] not in METHODS or content["factor"] not in (1, 2, 4) or not content["matches"]:
        raise ValueError("method, factor or matches are wrong")
    matches = tuple(_match(match) for match in content["matches"])
    if content["method"] == "pairs" and any(1.15 * match.similarity.scale < content["factor"] for match in matches):
        raise ValueError(f"factor {content['factor']} is more than the second volume is finer")
    if bool(content["high"]) != (content["method"] in ("pairs", "halves")):
        raise ValueError(f"method {content['method']} takes {'one volume' if content['high'] else 'two volumes'}")
    apart = 1 if content["method"] == "neighbours" else 0
    if content["method"] != "pairs" and any(abs(match.high_slice - match.low_slice) != apart for match in matches):
        raise ValueError(f"a slice does not go with the other one by method {content['method']}")
    return Project(
        content["method"],
        content["factor"],
        _source(content["low"], folder),
        _source(content["high"], folder) if content["high"] else None,
        matches,
        tuple(
            Region(tuple((float(y), float(x)) for y, x in region["polygon"]), region["use"], region["low_slice"])
            for region in content["regions"]
        ),
    )


def _source(content: dict[str, Any], folder: Path) -> Source:
    z, y, x = (float(value) for value in content["voxel_size"])
    low, high = (float(value) for value in content["range"])
    if not low < high:
        raise ValueError(f"range {low:g} to {high:g}")
    path = str(folder / content["path"])
    return Source(path, (z, y, x), content["unit"], (low, high), content["fingerprint"])


def _match(content: dict[str, Any]) -> Match:
    values: dict[str, Any] = content["similarity"]
    low, high = ((float(y), float(x)) for y, x in (values["centre_low"], values["centre_high"]))
    return Match(
        int(content["low_slice"]),
        float(content["high_slice"]),
        Similarity(float(values["scale"]), float(values["rotation"]), low, high),
        *(float(content[name]) for name in ("gain", "offset", "quality", "usable")),
    )


def _relative(path: Path, folder: Path) -> str:
    """Relative where the volume lies below the folder of the project: the two may be moved together."""
    path, folder = path.resolve(), folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
