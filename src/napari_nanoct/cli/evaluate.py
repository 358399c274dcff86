"""``nanoct evaluate``: score weights against a known truth, by sample, beside the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    truth: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HIGH...",
            help="Slices taken as truth: a ct or natural folder of training data (its validation part), phantom:SEED, "
            "or any tomogram.",
        ),
    ] = None,
    degrade: Annotated[str, typer.Option(help="bicubic, blind or sinogram.")] = "blind",
    scale: Annotated[int, typer.Option(help="Factor between input and output grid: 1, 2 or 4.")] = 1,
    model: Annotated[list[str] | None, typer.Option(help="Name or .safetensors file; may be repeated.")] = None,
    baselines: Annotated[bool, typer.Option("--baselines", help="Score the methods without training too.")] = False,
    low: Annotated[str | None, typer.Option(help="A measured low-resolution tomogram, not degraded.")] = None,
    high: Annotated[str | None, typer.Option(help="The registered high-resolution tomogram of the same place.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for scores.csv and pictures.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Degrade slices whose truth is known, enhance them and score the result: by sample, then over samples."""
    from pathlib import PurePath

    from rich.console import Console
    from rich.table import Table

    from napari_nanoct.errors import UserError
    from napari_nanoct.evaluation import picture, scores
    from napari_nanoct.evaluation.baselines import untrained
    from napari_nanoct.evaluation.pairs import MEASURED, degraded, measured
    from napari_nanoct.evaluation.truth import true_slices

    if bool(truth) == bool(low or high) or bool(low) != bool(high):
        raise UserError("Give either slices to degrade (HIGH...), or both --low and --high.")
    pairs = measured(low, high, scale) if low and high else degraded(true_slices(truth or []), degrade, scale)
    protocol = MEASURED if low else degrade
    methods = {scores.baseline_name(scale): scores.baseline(scale)}
    if baselines:
        methods |= untrained(scale)
    for name in model or ["utsr-light"]:
        methods[PurePath(name).stem if name.endswith(".safetensors") else name] = scores.model(name, scale, device)
    found, pictured = [], set()
    if output:
        output.mkdir(parents=True, exist_ok=True)
    for slice_scores, shown in scores.evaluate(pairs, scale, methods):
        found += slice_scores
        key = (shown.sample, shown.level)
        if output and key not in pictured:
            pictured.add(key)
            name = f"{shown.sample.replace(':', '-')}-{protocol}-{shown.level + 1}-x{scale}.png"
            picture.save_picture(output / name, shown)
    samples = scores.by_sample(found)
    table = Table(title=f"{protocol}, x{scale}: PSNR (dB) and SSIM by sample, then over samples")
    for heading in ("sample", "level", *methods, "gain (dB)"):
        table.add_column(heading, justify="left" if heading == "sample" else "right")
    rows: dict[tuple[str, int], list[scores.Score]] = {}
    for score in [*samples, *scores.over_samples(samples)]:
        rows.setdefault((score.sample, score.level), []).append(score)
    for (sample, level), row in rows.items():
        cells = [f"{score.psnr:.2f}  {score.ssim:.3f}" for score in row]
        table.add_row(sample, str(level + 1), *cells, f"{row[-1].psnr - row[0].psnr:+.2f}")
    Console(width=120).print(table)
    if output:
        scores.write_csv(output / "scores.csv", found)
        typer.echo(f"Scores by slice and pictures: {output}")
