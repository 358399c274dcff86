"""The model card: what a weights file says about itself, readable without torch."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from napari_nanoct.errors import UserError

DESIGN = 2
"""Raised when the code of the network changes so that weights of before still fit, but compute something else."""


@dataclass(frozen=True)
class Card:
    """What a weights file says about its network.

    Attributes
    ----------
    name : str
        Name in the catalogue, for instance ``utsr-light``.
    scale : int
        Factor between the input and the output grid: 1, 2 or 4.
    period : int
        Window period in input pixels: tiles, strides and origins are multiples of it.
    halo : int
        Input pixels around a tile that its result depends on, to 1e-3 of the range; measured, a multiple of ``period``.
    network : dict
        The fields of ``NetworkSettings``.
    training : dict
        Data, recipe and length of the training, as it was run.
    quality : dict
        Figures measured on the validation slices, by protocol.
    input_range : str
        What the network takes as 0 and 1.
    licence : str
    sha256 : str
        Of the file's tensors; filled in when the file is written.
    design : int
        `DESIGN` of the code that the weights were made with.
    """

    name: str
    scale: int
    period: int
    halo: int
    network: dict[str, Any]
    training: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    input_range: str = "0 and 1 are the volume's 0.5 and 99.5 percentiles; values are not clipped"
    licence: str = "BSD-3-Clause"
    sha256: str = ""
    design: int = DESIGN

    def to_metadata(self) -> dict[str, str]:
        """Return the card as safetensors metadata, one JSON text under ``card``."""
        return {"format": "pt", "card": json.dumps(asdict(self))}


def read_header(file: BinaryIO, path: Path) -> dict[str, Any]:
    """Read the JSON header of an open safetensors file and leave the position at its first tensor.

    Raises
    ------
    UserError
        If the file is not safetensors, for instance a pickle under another name.
    """
    size = file.read(8)
    length = int.from_bytes(size, "little")
    text = file.read(length) if 2 <= length <= 100_000_000 else b""
    if text[:1] != b"{" or len(text) < length:
        pickled = size[:2] == b"PK" or size[:1] == b"\x80"
        found = "a pickled PyTorch file, which could run code when opened" if pickled else "not a safetensors file"
        raise UserError(
            f"{path} is {found}; give weights saved as .safetensors with a model card (see 'nanoct models')."
        )
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise UserError(f"{path} has a damaged safetensors header; copy the file again.") from None


def read_card(path: Path | str) -> Card:
    """Read the model card of a weights file, without its tensors and without torch.

    Raises
    ------
    UserError
        If the file is missing, is not safetensors, or carries no complete card.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; 'nanoct models' lists the weights that do.")
    try:
        with path.open("rb") as file:
            metadata = read_header(file, path).get("__metadata__")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check that it is yours to read.") from error
    if not isinstance(metadata, dict) or "card" not in metadata:
        raise UserError(
            f"{path} carries no model card, so it is not known which network it fits; use weights made by nanoct."
        )
    try:
        values = json.loads(metadata["card"])
        known = {entry.name for entry in fields(Card)}
        card = Card(**{"design": 1} | {key: value for key, value in values.items() if key in known})
        if not _is_sound(card):
            raise ValueError
    except (ValueError, TypeError, AttributeError):
        raise UserError(f"{path} has an incomplete or damaged model card; use weights made by nanoct.") from None
    if card.design != DESIGN:
        raise UserError(
            f"{path} was made for design {card.design} of the network and this version has design {DESIGN}; train it "
            "anew, or use it with the version that made it."
        )
    return card


def _is_sound(card: Card) -> bool:
    """Whether the entries have their types, and those that tiles are laid by their values."""
    return (
        all(isinstance(value, str) for value in (card.name, card.input_range, card.licence, card.sha256))
        and all(isinstance(value, dict) for value in (card.network, card.training, card.quality))
        and all(isinstance(value, int) for value in (card.scale, card.period, card.halo, card.design))
        and card.scale in (1, 2, 4)
        and card.period > 0
        and card.halo >= 0
        and card.halo % card.period == 0
    )


def tensor_hash(path: Path) -> str:
    """Return the sha256 of everything behind the header of a safetensors file: its tensors."""
    with path.open("rb") as file:
        read_header(file, path)
        return hashlib.file_digest(file, "sha256").hexdigest()
