"""``nanoct evaluate``: score weights against a known truth, by sample, beside the baseline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from napari_nanoct.evaluation.cracks import CrackScore
    from napari_nanoct.evaluation.pairs import Pair
    from napari_nanoct.evaluation.scores import Method, Score


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
    cracks: Annotated[
        bool, typer.Option("--cracks", help="Score the cracks that a plain threshold finds, in place of grey values.")
    ] = False,
    grid: Annotated[
        bool, typer.Option("--grid", help="Also tell how far each result depends on where the first slice begins.")
    ] = False,
    low: Annotated[str | None, typer.Option(help="A measured low-resolution tomogram, not degraded.")] = None,
    high: Annotated[str | None, typer.Option(help="The registered high-resolution tomogram of the same place.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder for the scores and pictures.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the scores of an earlier run.")] = False,
) -> None:
    """Degrade slices whose truth is known, enhance them and score the result: by sample, then over samples."""
    from pathlib import PurePath

    from napari_nanoct.errors import UserError
    from napari_nanoct.evaluation import scores
    from napari_nanoct.evaluation.baselines import missing, untrained
    from napari_nanoct.jobs.files import writing

    if bool(truth) == bool(low or high) or bool(low) != bool(high):
        raise UserError("Give either slices to degrade (HIGH...), or both --low and --high.")
    if scale not in (1, 2, 4):
        raise UserError(f"There is no factor {scale}; choose 1, 2 or 4.")
    if output and output.exists() and not output.is_dir():
        raise UserError(f"{output} is a file; give a folder for the scores and pictures.")
    table = output / ("cracks.csv" if cracks else "scores.csv") if output else None
    if table and table.exists() and not overwrite:
        raise UserError(f"{table} holds the scores of an earlier run; give another folder or --overwrite.")
    if cracks and not truth:
        raise UserError("--cracks needs slices whose cracks are known: phantom:SEED or a ct folder with crack labels.")
    methods = {scores.baseline_name(scale): scores.baseline(scale)}
    if baselines:
        methods |= untrained(scale)
        for name in missing():
            typer.echo(f"Without {name}, which is not installed: pip install {name}", err=True)
    for name in model or ["utsr-light"]:
        short = PurePath(name).stem if name.endswith(".safetensors") else name
        # Two trainings by one recipe have files of one name.
        methods[name if short in methods else short] = scores.model(name, scale, device)
    if output:
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
    found: Sequence[Score | CrackScore]
    pair = (low, high) if low and high else None
    if cracks:
        found = crack_scores = _score_cracks(truth or [], degrade, scale, methods)
        _print_cracks(crack_scores, f"Cracks by one threshold for all; {degrade}, x{scale}")
    else:
        found = slice_scores = _score_slices(truth or [], pair, degrade, scale, methods, output)
        _print_scores(slice_scores, list(methods))
    if table:
        scores.write_csv(table, found)
        typer.echo(f"Scores: {table}")
    if grid and not cracks:
        _print_grid(truth or [], pair, degrade, scale, methods)


def _score_slices(
    truth: Sequence[str],
    pair: tuple[str, str] | None,
    degrade: str,
    scale: int,
    methods: Mapping[str, Method],
    output: Path | None,
) -> list[Score]:
    """Scores by slice; the first slice of each sample and level is kept as a picture."""
    from napari_nanoct.evaluation import picture, scores

    found: list[Score] = []
    pictured = set()
    for slice_scores, shown in scores.evaluate(_pairs(truth, pair, degrade, scale), scale, methods):
        found += slice_scores
        key = (shown.sample, shown.level)
        if output and key not in pictured:
            pictured.add(key)
            sample = re.sub(r'[\\/:*?"<>|]', "-", shown.sample)  # a name of the user's own may be no file name
            name = f"{sample}-{shown.protocol}-{shown.level + 1}-x{scale}.png"
            picture.save_picture(output / name, shown)
    return found


def _pairs(truth: Sequence[str], pair: tuple[str, str] | None, degrade: str, scale: int) -> Iterator[Pair]:
    from napari_nanoct.evaluation.pairs import degraded, measured
    from napari_nanoct.evaluation.truth import true_slices

    return measured(*pair, scale) if pair else degraded(true_slices(truth), degrade, scale)


def _print_grid(
    truth: Sequence[str], pair: tuple[str, str] | None, degrade: str, scale: int, methods: Mapping[str, Method]
) -> None:
    from napari_nanoct.quality import grid_dependence

    low = next(_pairs(truth, pair, degrade, scale)).low
    rows = []
    for name, method in list(methods.items())[1:]:
        shares = grid_dependence(method, low, margin=min(64, min(low.shape) // 4))
        rows.append([name, *(f"{100 * share:.1f} %" for share in shares.values())])
    _print_table(
        "Change when the input is moved, in shares of the correction", ["method", "1 px", "2 px", "8 px"], rows
    )


def _print_scores(found: Sequence[Score], methods: Sequence[str]) -> None:
    from napari_nanoct.evaluation.scores import by_sample, over_samples

    samples = by_sample(found)
    rows: dict[tuple[str, int], list[Score]] = {}
    for score in [*samples, *over_samples(samples)]:
        rows.setdefault((score.sample, score.level), []).append(score)
    cells = [
        [
            sample,
            str(level + 1),
            *(f"{score.psnr:.2f}  {score.ssim:.3f}" for score in row),
            f"{row[-1].psnr - row[0].psnr:+.2f}",
        ]
        for (sample, level), row in rows.items()
    ]
    title = f"{found[0].protocol}, x{found[0].factor}: PSNR (dB) and SSIM by sample, then over samples"
    _print_table(title, ["sample", "level", *methods, "gain (dB)"], cells)


def _score_cracks(truth: Sequence[str], degrade: str, scale: int, methods: Mapping[str, Method]) -> list[CrackScore]:
    from napari_nanoct.evaluation.cracks import crack_slices, score_cracks
    from napari_nanoct.evaluation.protocols import PROTOCOLS

    slices = list(crack_slices(truth))
    levels = range(PROTOCOLS.get(degrade, 1))
    return [score for level in levels for score in score_cracks(slices, degrade, level, scale, methods)]


def _print_cracks(found: Sequence[CrackScore], title: str) -> None:
    from dataclasses import astuple

    from napari_nanoct.evaluation.cracks import over_phantoms

    headings = [
        "sample",
        "level",
        "method",
        "precision",
        "recall",
        "F1",
        "best F1",
        "F1 at 1 px",
        "mid-surface",
        "clDice",
        "false",
    ]
    cells = []
    for score in [*found, *over_phantoms(found)]:
        sample, level, method, *figures = astuple(score)
        # NaN: the figure does not apply to this sample.
        cells.append([sample, str(level + 1), method, *("" if f != f else f"{100 * f:.2f}" for f in figures)])
    _print_table(f"{title}: all in per cent", headings, cells)


def _print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("sample", "method") else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=140).print(table)
