"""The weights at hand: what ships in the package and what the user trained."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from napari_nanoct.errors import UserError
from napari_nanoct.utsr.card import Card, read_card

SHIPPED = Path(__file__).parent / "weights"
SUFFIX = ".safetensors"


def user_folder() -> Path:
    """Return the folder of the user's own weights: ``$NANOCT_MODELS``, or ``nanoct/models`` in the home directory."""
    return Path(os.environ.get("NANOCT_MODELS") or "~/nanoct/models").expanduser()


def list_models(left_out: Callable[[UserError], object] = lambda problem: None) -> list[tuple[Path, Card]]:
    """List the shipped weights, then the user's own, each with its card.

    Parameters
    ----------
    left_out : callable
        Told about each file that is left out, for it has no readable card.
    """
    found = []
    for folder in (SHIPPED, user_folder()):
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            try:
                found.append((path, read_card(path)))
            except UserError as problem:
                left_out(problem)
    return found


def find_model(model: str, scale: int | None = None) -> Path:
    """Find weights by name and factor, or check a file.

    Parameters
    ----------
    model : str
        A name in the catalogue (``utsr-light``) or the path of a ``.safetensors`` file.
    scale : int, optional
        Factor between input and output grid. By default that of the file, or 1 for a name.

    Raises
    ------
    UserError
        If there are no such weights, or the file has another factor.
    """
    if model.endswith(SUFFIX) or os.sep in model or Path(model).is_file():
        path = Path(model).expanduser()
        card = read_card(path)
        if scale is not None and card.scale != scale:
            raise UserError(
                f"{path} enlarges by {card.scale}, not by {scale}; leave out the factor or choose other weights."
            )
        return path
    # Later entries win: weights of the user's own take precedence over shipped ones of the same name.
    by_name = {(card.name, card.scale): path for path, card in list_models()}
    if (model, scale or 1) in by_name:
        return by_name[model, scale or 1]
    known = ", ".join(f"{name} x{factor}" for name, factor in sorted(by_name)) or "none"
    raise UserError(
        f"There are no weights '{model}' for factor {scale or 1}; there are: {known} (see 'nanoct models')."
    )
