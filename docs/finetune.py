"""Write docs/finetune.md: what fine-tuning gains on held-out slices, and what it forgets elsewhere.

Run from the project's folder: ``python docs/finetune.py DATA`` with the folder that holds ``ct`` and ``natural``. What
is measured is kept in docs/finetune.csv: a stopped run goes on where it was, ``--most N`` measures N cases more
and writes the page with what is there, ``--fresh`` begins anew.
"""

from __future__ import annotations

import argparse
import csv
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

import finetune_page as page
import numpy as np
import torch
from finetune_refused import refused
from numpy.typing import NDArray

from napari_nanoct.evaluation.scores import bare
from napari_nanoct.evaluation.validation import mean_gain, validation_pairs
from napari_nanoct.finetune.settings import TuneSettings
from napari_nanoct.finetune.tuning import tune
from napari_nanoct.jobs import Done
from napari_nanoct.jobs.process import keep_pages
from napari_nanoct.phantoms import phantom
from napari_nanoct.quality import psnr
from napari_nanoct.training.data import ct_samples, normalised, seeded
from napari_nanoct.training.degrade import gaussian_blur
from napari_nanoct.training.degrade_sinogram import SinogramRange, sinogram
from napari_nanoct.training.pairs import SlicePair
from napari_nanoct.utsr import find_model, load_network, read_card

DOCS = Path(__file__).parent
TABLE = DOCS / "finetune.csv"
MODEL = "utsr-light"
UNSEEN = 3
"""Slices of each volume that no run is given, by which all are judged."""
TILE = 256
PAIRS, MINUTES, USUAL, LONG = (1, 2, 4, 8, 16), (1.0, 3.0), 3.0, 10.0


@dataclass(frozen=True)
class Case:
    """One fine-tuning: of which volume, degraded how, from how many pairs, for how long, how taught, on which cores."""

    volume: str
    degradation: str
    factor: int
    pairs: int
    minutes: float
    method: str = "pairs"
    cores: int = 1


@dataclass(frozen=True)
class Row(Case):
    """What came of it, in dB: PSNR of the input (or bicubic), parent and child on the unseen slices of the volume, and
    the change by the fine-tuning on the other samples: mean of the protocols, and that of the sample that lost most."""

    before: float = 0.0
    parent: float = 0.0
    child: float = 0.0
    elsewhere: float = 0.0
    worst: float = 0.0
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    model: str = ""


def cases() -> Iterator[Case]:
    """List the cases, the most telling first."""
    for degradation in ("soft", "sparse"):
        for factor in (1, 2):
            for volume in ("tomobank_nmc532", "phantom"):
                yield Case(volume, degradation, factor, 4, USUAL)
    for volume, degradation in (("tomobank_nmc532", "sparse"), ("phantom", "sparse"), ("tomobank_nmc532", "soft")):
        yield Case(volume, degradation, 1, 4, LONG, cores=2)
    for method in ("pairs", "halves", "neighbours", "blind-spot"):
        yield Case("phantom", "noisy", 1, 8, USUAL, method)
    for minutes in MINUTES:
        for pairs in PAIRS:
            if (pairs, minutes) != (4, USUAL):
                yield Case("phantom", "soft", 2, pairs, minutes)


@cache
def phantom_slices() -> NDArray[np.float32]:
    """Clean slices of a phantom that no training saw."""
    return normalised(phantom((2 * (max(PAIRS) + UNSEEN), 384, 384), seed=6001).clean)


@cache
def truths(volume: str, data: Path) -> list[NDArray[np.float32]]:
    """Clean slices of a volume: every second of a phantom, or squares of the validation slices of a sample."""
    if volume == "phantom":
        return list(phantom_slices()[::2])  # what is learnt is not just the neighbour of what is judged
    slices = next(sample.slices for sample in ct_samples(data, "val") if sample.name == volume)
    return [
        page[y : y + TILE, x : x + TILE]
        for page in slices
        for y in range(0, page.shape[0] - TILE + 1, TILE)
        for x in range(0, page.shape[1] - TILE + 1, TILE)
    ]


def degrade(high: torch.Tensor, kind: str, factor: int, seed: int) -> torch.Tensor:
    """Degrade the slices of a volume by settings that no training of the shipped weights draws."""
    generator = seeded(seed)
    if kind == "sparse":  # fewer angles, stronger rings
        ranges = SinogramRange(angles=(90, 90), gain=(0.008, 0.008), counts=(3000.0, 3000.0), missing=(0.0, 0.0))
        return sinogram(high, factor, generator, ranges)[0]
    wide = {"soft": 2.3, "noisy": 0.8}[kind]
    low = gaussian_blur(high, torch.full((len(high), 2), wide), torch.zeros(len(high)))
    low = torch.nn.functional.avg_pool2d(low, factor)
    noise = torch.randn(low.shape, generator=generator)
    if kind == "soft":  # noise that neighbours share
        noise = gaussian_blur(noise, torch.ones(len(high), 2), torch.zeros(len(high)))
    return low + {"soft": 0.06, "noisy": 0.12}[kind] * noise / noise.std()


def made(case: Case, data: Path) -> tuple[list[SlicePair], list[SlicePair]]:
    """Pairs to learn from, and pairs of low-resolution slice and truth to judge by."""
    order = np.random.default_rng(0).permutation(len(truths(case.volume, data)))
    high = torch.from_numpy(np.stack([truths(case.volume, data)[i] for i in order]))[:, None]
    beside = torch.from_numpy(phantom_slices()[1::2][order])[:, None] if case.method == "neighbours" else high
    low, other = (
        degrade(part, case.degradation, case.factor, seed)[:, 0].numpy() for seed, part in ((1, high), (2, beside))
    )
    bottom, top = np.percentile(low, (0.5, 99.5))  # the range of the volume, as in use
    low, other, truth = ((part - bottom) / (top - bottom) for part in (low, other, high[:, 0].numpy()))
    targets = {"pairs": truth, "halves": other, "neighbours": other, "blind-spot": low}[case.method]
    usable = np.ones(low.shape[1:], bool)
    if case.degradation == "sparse":
        y, x = (np.arange(n) - (n - 1) / 2 for n in usable.shape)
        usable = np.hypot(y[:, None], x) < min(usable.shape) / 2 - 2
    learnt = [
        SlicePair(*(p.astype(np.float32) for p in pair), usable, n)
        for n, pair in enumerate(zip(low, targets, strict=True))
    ]
    unseen = [
        SlicePair(*(p.astype(np.float32) for p in pair), usable, n)
        for n, pair in enumerate(zip(low, truth, strict=True))
    ]
    return learnt[UNSEEN : UNSEEN + case.pairs], unseen[:UNSEEN]


def measure(case: Case, data: Path) -> Row:
    """Fine-tune, and compare child and parent on what neither the run nor its choice of the best has seen."""
    learnt, unseen = made(case, data)
    path = find_model(MODEL, case.factor)
    with tempfile.TemporaryDirectory() as folder:
        settings = TuneSettings(
            "case",
            f"{folder}/child.safetensors",
            minutes=case.minutes,
            preset="thorough",
            device="cpu",
            threads=case.cores,
        )
        started = time.process_time()
        for event in tune(settings, learnt, case.method):
            if isinstance(event, Done):
                done = event
        used = time.process_time() - started
        child, parent = load_network(done.output), load_network(path)

    def score(network: torch.nn.Module | None) -> float:
        scores = []
        for pair in unseen:
            fine = pair.usable.repeat(case.factor, 0).repeat(case.factor, 1)
            low = torch.from_numpy(pair.low)[None, None]
            plain = torch.nn.functional.interpolate(low, scale_factor=case.factor, mode="bicubic")[0, 0].numpy()
            scores.append(psnr(pair.high, bare(network)(pair.low) if network else plain, 1, fine))
        return float(np.mean(scores))

    pairs = validation_pairs(data, case.factor)
    changes = {}
    for sample in dict.fromkeys(pair.sample for pair in pairs if pair.sample != case.volume):
        own = [pair for pair in pairs if pair.sample == sample]
        new, old = (mean_gain(network, own, case.factor) for network in (child, parent))
        changes[sample] = float(np.mean([new[protocol] - old[protocol] for protocol in new]))
    return Row(
        **asdict(case),
        before=score(None),
        parent=score(parent),
        child=score(child),
        elsewhere=float(np.mean(list(changes.values()))),
        worst=min(changes.values()),
        steps=done.record["steps"],
        seconds=done.seconds,
        cpu_seconds=used,
        model=read_card(path).sha256[:16],
    )


def load() -> list[Row]:
    """Read what was measured for the weights that ship now."""
    if not TABLE.exists():
        return []
    kinds = {field.name: {"int": int, "float": float}.get(str(field.type), str) for field in fields(Row)}
    with TABLE.open(newline="", encoding="utf-8") as file:
        rows = [Row(**{name: kinds[name](value) for name, value in row.items()}) for row in csv.DictReader(file)]
    return [row for row in rows if row.model == read_card(find_model(MODEL, row.factor)).sha256[:16]]


def save(rows: Sequence[Row]) -> None:
    """Write the table."""
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Row)])
        writer.writeheader()
        for row in rows:
            values = asdict(row)
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in values.items()})


def main() -> None:
    """Measure what is missing and write the page."""
    keep_pages()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds ct and natural")
    parser.add_argument("--most", type=int, default=10**6, help="measure at most so many cases more")
    parser.add_argument("--fresh", action="store_true", help="forget what was measured")
    options = parser.parse_args()
    rows = [] if options.fresh else load()
    known = {tuple(asdict(row).values())[: len(fields(Case))] for row in rows}
    missing = [case for case in cases() if tuple(asdict(case).values()) not in known]
    for case in missing[: options.most]:
        print(case, flush=True)
        rows.append(measure(case, options.data))
        save(rows)
        print(f"  {rows[-1].child - rows[-1].parent:+.2f} dB, elsewhere {rows[-1].elsewhere:+.2f} dB", flush=True)
    page.draw(rows, DOCS / page.PICTURE)
    left = f" {len(missing[options.most :])} cases are missing." if missing[options.most :] else ""
    foot = f"Measured on a CPU ({platform.machine()}).{left}"
    (DOCS / "finetune.md").write_text(page.write(rows, list(refused()), foot), encoding="utf-8")


if __name__ == "__main__":
    main()
