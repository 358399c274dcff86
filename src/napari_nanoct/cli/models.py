"""``nanoct models``: the weights at hand, with their cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from napari_nanoct.utsr import Card

TUNED = ("date", "method", "steps", "seconds", "seed")
"""What is shown of a fine-tuning; the whole, with its curve, by --json."""


def models(
    json: Annotated[bool, typer.Option("--json", help="Print the whole cards as JSON.")] = False,
) -> None:
    """List the weights that ship and your own, with their cards."""
    from napari_nanoct.utsr import list_models
    from napari_nanoct.utsr.catalogue import user_folder

    found = list_models(lambda problem: typer.echo(f"Left out: {problem}", err=True))
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps([{"path": str(path), **asdict(card)} for path, card in found], indent=2))
        return
    for path, card in found:
        _show(path, card)
    if not found:
        typer.echo("There are no weights.")
    typer.echo(f"Weights of your own: put .safetensors files in {user_folder()}")


def _show(path: Path, card: Card) -> None:
    typer.secho(f"{card.name} x{card.scale}", bold=True)
    rows = {
        "file": str(path),
        "sha256": card.sha256,
        "grid": f"windows repeat every {card.period} pixels, tiles overlap by {card.halo}",
        "input": card.input_range,
        "parent": _parent(card),
        "gain": _gain(card),
        "notes": card.training.get("notes", ""),
        "training": _sentence({key: card.training.get(key) for key in TUNED} if _parent(card) else card.training),
        "quality": _sentence(card.quality.get("held_out", card.quality)),
        "licence": card.licence,
    }
    for name, text in rows.items():
        if text:
            typer.echo(f"  {name:<9} {text}")


def _parent(card: Card) -> str:
    """Return name and sha256 of the weights that fine-tuned ones started from; nothing for others."""
    parent = card.training.get("parent")
    if not isinstance(parent, dict):
        return ""
    return f"{parent.get('name')} x{parent.get('scale')}, sha256 {str(parent.get('sha256'))[:16]}..."


def _gain(card: Card) -> str:
    gain = card.quality.get("gain_db")
    if not isinstance(gain, (int, float)):
        return ""
    verdict = "better" if card.quality.get("better_than_parent") else "NOT better"
    return f"{gain:+.2f} dB on held-out slices: {verdict} than its parent"


def _sentence(values: Mapping[str, Any]) -> str:
    """Return nested values on one line: ``psnr 31.2, data (ct 12, natural 400)``; empty ones are left out."""
    return ", ".join(f"{name} {_words(value)}" for name, value in values.items() if value not in ("", [], {}, None))


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return f"({_sentence(value)})"
    if isinstance(value, list):
        return " ".join(map(_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
