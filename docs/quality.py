"""Write docs/quality.md: what the shipped weights reach on slices kept out of training, beside the baselines.

Run from the project's folder: ``python docs/quality.py DATA`` with the folder that holds ``ct`` and ``natural``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np
import torch

from napari_nanoct.enhance import Enhancer
from napari_nanoct.evaluation.baselines import untrained
from napari_nanoct.evaluation.cracks import OFFSET, SMALLEST, WINDOW, crack_slices, over_phantoms, score_cracks
from napari_nanoct.evaluation.pairs import degraded
from napari_nanoct.evaluation.picture import save_picture
from napari_nanoct.evaluation.protocols import degrade
from napari_nanoct.evaluation.scores import (
    Method,
    Score,
    baseline,
    baseline_name,
    by_sample,
    evaluate,
    model,
    over_samples,
)
from napari_nanoct.evaluation.truth import TrueSlice, true_slices
from napari_nanoct.phantoms import acquire, phantom
from napari_nanoct.quality import flicker, grid_dependence
from napari_nanoct.utsr import find_model, read_card
from napari_nanoct.volumes import intensity_range, open_volume

DOCS = Path(__file__).parent
PHANTOMS = [f"phantom:{seed}" for seed in range(1, 6)]
RUNS = (("blind", 1), ("sinogram", 1), ("bicubic", 2), ("blind", 2), ("sinogram", 2))

HEAD = """# What the weights reach

Written by `python docs/quality.py DATA`; the same for slices of your own: `nanoct evaluate HIGH... --baselines`.

Slices kept out of training are taken as truth, degraded, restored and compared with the truth. A figure is
**PSNR in decibel / SSIM**, over the inscribed circle (natural pictures: the whole), with the 0.5 to 99.5 percentile
range of the truth as peak; mean of the slices of a sample, then of the samples. The network is given the range of the
degraded slice, as in use. **gain** is the network's PSNR less that of the first column.

- Samples: the `val` part of the CT slices, split by sample; five phantoms that no training saw (a slice each);
  the natural pictures that are every tenth of their index.
- Degradations: see [degradations.md](degradations.md); levels 1 to 3 are mild to strong.
- Methods without training smooth by a multiple of the noise that they find; the multiple is the best on `val`, for all
  slices alike. At factor 2 they smooth first and are then enlarged bicubically.
"""

CRACKS = f"""## Cracks by a plain threshold

Darker by {OFFSET} of the range than the Gaussian mean of {WINDOW} pixels, pieces of at least {SMALLEST} pixels, inside
the particles and off their pores; the same for every image (after Peng et al., 2026, whose detector is a local adaptive
threshold too). Five phantoms, two slices each; `blind`, level 2. *Sound* is the same phantom without its cracks: what
is found there is invented. The labels of the real slices are coarse: good for ranking alone.
"""

GRID = """## Grid dependence

Change of the result when the input is moved against the network's windows, as a share of the network's whole correction
(rms; a slice of tomobank_nmc532, `blind`, level 2).
"""


FLICKER = """## Flicker

Slices are enhanced one by one; do neighbours still agree? Root mean square of the second difference along z, as a share
of the range ([what it is](quality-measures.md#of-an-enhancement)), on a phantom of 12 slices with independent noise.
Structure that changes along z counts too, as the truth shows.
"""


def slices(data: Path, protocol: str) -> Iterable[TrueSlice]:
    """CT samples and phantoms; natural pictures for the clean reduction."""
    if protocol == "bicubic":
        yield from true_slices([str(data / "natural")])
    yield from true_slices([str(data / "ct")])
    seen: dict[str, int] = {}
    for truth in true_slices(PHANTOMS):
        seen[truth.sample] = seen.get(truth.sample, 0) + 1
        if seen[truth.sample] == 1:
            yield truth


def table(scores: list[Score], methods: list[str]) -> str:
    """Lay scores out as Markdown: a row a sample and level, a column a method."""
    cells = {(s.sample, s.level, s.method): s for s in scores}
    lines = [f"| sample | level | {' | '.join(methods)} | gain |", "| --- " * (len(methods) + 3) + "|"]
    for sample, level in dict.fromkeys((s.sample, s.level) for s in scores):
        row = [cells[sample, level, method] for method in methods]
        best = max(score.psnr for score in row)
        shown = [f"**{s.psnr:.2f}** / {s.ssim:.3f}" if s.psnr == best else f"{s.psnr:.2f} / {s.ssim:.3f}" for s in row]
        gain = row[-1].psnr - row[0].psnr
        lines.append(f"| {sample} | {level + 1} | {' | '.join(shown)} | {gain:+.2f} |")
    return "\n".join(lines)


def restorers(factor: int, quick: bool) -> dict[str, Method]:
    """Every method, the network last; quickly without BM3D, which takes most of the time."""
    smooth = {name: method for name, method in untrained(factor).items() if not (quick and name == "bm3d")}
    return {baseline_name(factor): baseline(factor), **smooth, "utsr-light": model("utsr-light", factor)}


def section(data: Path, protocol: str, factor: int, quick: bool) -> str:
    """Evaluate one protocol at one factor and describe it; pictures are kept of phantoms alone."""
    torch.set_num_threads(1)
    methods = restorers(factor, quick)
    scores, picture = [], ""
    for found, shown in evaluate(degraded(slices(data, protocol), protocol, factor), factor, methods):
        scores += found
        if not picture and shown.sample == PHANTOMS[0] and (shown.level == 1 or protocol == "bicubic"):
            picture = f"images/quality-{protocol}-x{factor}.png"
            save_picture(DOCS / picture, shown)
    samples = by_sample(scores)
    text = table([*samples, *over_samples(samples)], list(methods))
    return f"## {protocol}, ×{factor}\n\n{text}\n\n![{protocol}, x{factor}: a phantom]({picture})\n"


def cracks(data: Path, quick: bool) -> str:
    """The crack experiment at the middle level of ``blind``: means of the phantoms and the real slices."""
    torch.set_num_threads(1)
    slices = list(crack_slices([*PHANTOMS, str(data / "ct")]))
    lines = [
        "| factor | sample | method | precision | recall | F1 | F1 at 1 px | mid-surface | clDice | false share |",
        "| --- " * 10 + "|",
    ]
    for factor in (1, 2):
        scores = score_cracks(slices, "blind", 1, factor, restorers(factor, quick))
        for score in [*over_phantoms(scores), *(s for s in scores if not s.sample.startswith("phantom"))]:
            sample, _, method, *figures = astuple(score)
            shown = " | ".join("" if value != value else f"{value:.4f}" for value in figures)  # NaN: does not apply
            lines.append(f"| ×{factor} | {sample} | {method} | {shown} |")
    return "\n".join([CRACKS, *lines, ""])


def grid(data: Path) -> str:
    """How far the result depends on where the slice starts."""
    torch.set_num_threads(1)
    lines = ["| | moved by 1 pixel | by 2 | by 8 |", "| --- " * 4 + "|"]
    truth = next(t for t in true_slices([str(data / "ct")]) if t.sample == "tomobank_nmc532").image[:384, :384]
    for factor in (1, 2):
        low = degrade(truth, "blind", 1, factor, seed=1)
        shares = grid_dependence(model("utsr-light", factor), low, margin=64)
        lines.append(f"| ×{factor} | " + " | ".join(f"{100 * share:.1f} %" for share in shares.values()) + " |")
    return "\n".join([GRID, *lines, ""])


def flickering() -> str:
    """How much neighbouring slices of a phantom disagree before and after."""
    torch.set_num_threads(1)
    truth = phantom((12, 256, 256), seed=1)
    acquisition = acquire(truth.clean, seed=1)
    low = acquisition.data
    intensity = intensity_range(open_volume(low))
    after = Enhancer.load("utsr-light", 1, "cpu", "float32").slices(low, intensity, np.float32)
    lines = ["| | of voxels | of slices' means |", "| --- | --- | --- |"]
    peak = intensity.high - intensity.low
    for name, volume in (("input", low), ("utsr-light ×1", after), ("truth", acquisition.to_grey(truth.clean))):
        found = flicker(volume, peak)
        lines.append(f"| {name} | {found.texture:.4f} | {found.level:.5f} |")
    return "\n".join([FLICKER, *lines, ""])


def main() -> None:
    """Evaluate all protocols and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds ct and natural")
    parser.add_argument("--quick", action="store_true", help="leave out BM3D, which takes most of the time")
    options = parser.parse_args()
    data = options.data
    started = time.monotonic()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        pending = [pool.submit(section, data, protocol, factor, options.quick) for protocol, factor in RUNS]
        pending += [pool.submit(cracks, data, options.quick), pool.submit(grid, data), pool.submit(flickering)]
        sections = [job.result() for job in pending]
    cards = [read_card(find_model("utsr-light", factor)) for factor in (1, 2)]
    weights = "\n".join(f"- {card.name} ×{card.scale}, sha256 `{card.sha256[:16]}…`" for card in cards)
    minutes = (time.monotonic() - started) / 60
    where = f"on two cores ({platform.machine()}), in float32"
    foot = f"Measured in {minutes:.0f} minutes {where}, for these weights:\n\n{weights}\n"
    (DOCS / "quality.md").write_text("\n".join([HEAD, *sections, foot]), encoding="utf-8")


if __name__ == "__main__":
    main()
