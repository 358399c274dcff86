"""Weights on disk: safetensors with a model card in the metadata. Nothing is unpickled."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import whole
from napari_nanoct.utsr.card import Card, read_card, tensor_hash
from napari_nanoct.utsr.network import UTSR, NetworkSettings, build


def settings_from_card(card: Card) -> NetworkSettings:
    """Return the network's settings that a card holds, with lists made tuples again."""

    def freeze(value: object) -> object:
        return tuple(freeze(item) for item in value) if isinstance(value, list) else value

    known = {entry.name for entry in fields(NetworkSettings)}
    values: dict[str, Any] = {key: freeze(value) for key, value in card.network.items() if key in known}
    return NetworkSettings(**values)


def save_checkpoint(path: Path | str, network: UTSR, card: Card) -> Card:
    """Write a network's weights (as float16) with their card.

    The file appears whole or not at all. The card's ``network``, ``scale``, ``period`` and ``sha256`` are taken from
    the network itself.

    Returns
    -------
    Card
        The card as written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, Tensor] = {
        name: value.detach().to("cpu", torch.float16, memory_format=torch.contiguous_format).clone()
        for name, value in network.state_dict().items()
    }
    # The hash covers the tensors as they lie in the file, so it is taken from the serialised form.
    plain = save(tensors)
    payload = plain[8 + int.from_bytes(plain[:8], "little") :]
    card = replace(
        card,
        network=asdict(network.settings),
        scale=network.scale,
        period=network.period,
        sha256=hashlib.sha256(payload).hexdigest(),
    )
    with whole(path) as part:
        # Not by save_file, whose files nobody else may read: models are shared.
        part.write_bytes(save(tensors, card.to_metadata()))
    return card


def load_network(path: Path | str) -> UTSR:
    """Build the network that a weights file describes and load its weights (float32, evaluation mode, on the CPU).

    Raises
    ------
    UserError
        If the file is missing, is not safetensors, lacks its card, was altered (sha256), or its tensors or the
        rest of its card do not fit the network that the card describes.
    """
    path = Path(path)
    card = read_card(path)
    if tensor_hash(path) != card.sha256:
        raise UserError(
            f"{path} does not match the sha256 in its card: it was altered or damaged; copy the file again."
        )
    try:
        tensors = load_file(path)
        with torch.device("meta"):  # no memory is asked for, whatever sizes the card names
            network = build(settings_from_card(card))
    except (SafetensorError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise UserError(f"{path} cannot be read as UTSR weights ({error}); use weights made by nanoct.") from None
    expected = {name: value.shape for name, value in network.state_dict().items()}
    found = {name: value.shape for name, value in tensors.items()}
    if wrong := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        raise UserError(
            f"{path} does not fit the network in its card ({len(wrong)} tensors missing, unknown or of another shape, "
            f"the first is '{wrong[0]}'); use weights made by nanoct."
        )
    if (card.scale, card.period) != (network.scale, network.period):
        raise UserError(
            f"{path} has a card of factor {card.scale} and period {card.period} for a network of factor "
            f"{network.scale} and period {network.period}; use weights made by nanoct."
        )
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, assign=True)
    return network.eval()
