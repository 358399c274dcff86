"""Lay out docs/quality.md: tables of what `quality.py` measured, and which aims are met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from napari_nanoct.evaluation.cracks import OFFSET, WINDOW, CrackScore, over_phantoms
from napari_nanoct.evaluation.scores import Score, by_sample, over_samples


@dataclass(frozen=True)
class Measured:
    """All figures: scores of slices by (protocol, factor), crack scores by factor, shares by factor and shift, flicker
    of voxels and of means by name; factors without weights.
    """

    scores: Mapping[tuple[str, int], Sequence[Score]]
    cracks: Mapping[int, Sequence[CrackScore]]
    grid: Mapping[int, Mapping[int, float]]
    flicker: Mapping[str, tuple[float, float]]
    absent: Sequence[int]


HEAD = """# What the weights reach

Written by `python docs/quality.py DATA`; the same for slices of your own: `nanoct evaluate HIGH... --baselines`.

[Peers trained alike, and what each part of the network brings](peers.md) stand on a page of their own.

Slices kept out of training are taken as truth, degraded, restored and compared with the truth. A figure is
**PSNR in decibel / SSIM**, over the inscribed circle (natural pictures: the whole), with the 0.5 to 99.5 percentile
range of the truth as peak; mean of the slices of a sample, then of the samples. The network is given the range of the
degraded slice, as in use. **gain** is the network's PSNR less that of the first column.

- Samples: the `val` part of the CT slices, split by sample; five phantoms that no training saw (a slice each);
  the natural pictures that are every tenth of their index.
- Degradations: see [degradations.md](degradations.md); levels 1 to 3 are mild to strong.
- Methods without training smooth by a multiple of the noise that they find; the multiple is the best on `val` under
  `blind` at ×1, for all slices alike. At factors 2 and 4 they smooth first and are then enlarged bicubically, which may
  be worse than the enlargement alone.
- The network runs in bfloat16, as volumes do on a processor that is fast in it; against float32 that changes PSNR by at
  most 0.002 dB.
"""

AIMS = """## What was aimed at

PSNR: gain over the input (×1) or the bicubic enlargement, mean of the milder two levels, of the samples of each kind.
*Without training*: the best of the other methods. Grid dependence and flicker: less is better.

| figure | without training | utsr-light | aim | |
| --- | --- | --- | --- | --- |"""

MISSED = """
What is not met, and why as far as that was measured ([training-stages.md](training-stages.md)):

- **×2, natural pictures.** They gained nothing by any stage of late: all trainings took steps of two to four patches
  on one thread of a CPU, some ten thousand of them; the +2.7 dB of SwinIR-light took 500 000. Taught clean natural
  pictures alone, a network with 24 000 steps behind it reached +1.98 dB in 1800 more, and lost all else. A GPU was not
  at hand. What is met at ×2 is met by less than 0.04 dB.
- **×4.** Until its third stage most slices were too small to take part; 16 800 steps with all of them brought phantoms
  half a decibel and more, as many after these next to nothing. Phantoms alone reach 1.93 dB on others in 1500 steps,
  while CT slices lose 0.5; held to what they were, these take it back. 0.3 to 0.9 dB under `blind` go to the smooth
  shading, which the network leaves as it is, as it should where grey values are measured. On clean slices of
  tomobank_nmc532, whose references hold noise, bicubic is nearer to them: the network takes some of that noise out.
- **F1 of cracks at ×1 and ×2.** The detector is fixed, and finds 62 % of the cracks' pixels before and 78 % after ×1,
  so that F1, 0.75 before, would have to be 0.90; thin cracks, of which it finds 39 % and 62 %, gain 18.5 points. How
  much there is to gain is a matter of the phantoms: on three others, 61 to 63, F1 is 0.63 before and gains 16.8. With
  the threshold best for each slice and method, which needs the truth, the gain is less, as the input gains most by
  that. At ×4, the factor of Peng et al., the fixed one gains 18.7 points.
"""

CRACKS = f"""## Cracks by a plain threshold

Darker by more than {OFFSET} of the range than the Gaussian mean of {WINDOW} pixels, inside the particles and off their
pores; the same for every image, and nothing done to its mask ([why this one](evaluate.md#the-crack-experiment)). Five
phantoms, two slices each; `blind`, level 2. *Thin cracks* open half a voxel to two, the others up to four; *sound* is
the same without cracks: what is found there is invented. *Best F1* is that at the offset best for each slice and
method, by the truth. The labels of the real slices are coarse and take in pores: good for ranking alone.
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

# Gain in dB that is aimed at: under one protocol, or as the mean of both.
BLIND_X1, SINOGRAM_X1, BOTH, NATURAL_X2 = 3.0, 8.0, {2: 2.5, 4: 2.0}, 2.2
F1_POINTS, FALSE_SHARE, GRID_SHARE = 15.0, 0.001, 0.10


def write(measured: Measured, foot: str) -> str:
    """Put the page together."""
    parts = [HEAD, *(f"There are no weights for ×{factor} yet.\n" for factor in measured.absent)]
    parts.append("\n".join([AIMS, *aims(measured), MISSED]))
    for (protocol, factor), scores in measured.scores.items():
        samples = by_sample(scores)
        shown = table([*samples, *over_samples(samples)])
        image = f"![{protocol}, x{factor}: a phantom]({picture(protocol, factor)})"
        parts.append(f"## {protocol}, ×{factor}\n\n{shown}\n\n{image}\n")
    parts.append("\n".join([CRACKS, *crack_rows(measured.cracks), ""]))
    lines = ["| | moved by 1 pixel | by 2 | by 8 |", "| --- " * 4 + "|"]
    for factor, shares in measured.grid.items():
        lines.append(f"| ×{factor} | " + " | ".join(f"{100 * share:.1f} %" for share in shares.values()) + " |")
    parts.append("\n".join([GRID, *lines, ""]))
    lines = ["| | of voxels | of slices' means |", "| --- " * 3 + "|"]
    lines += [f"| {name} | {texture:.4f} | {level:.5f} |" for name, (texture, level) in measured.flicker.items()]
    return "\n".join([*parts, "\n".join([FLICKER, *lines, ""]), foot])


def picture(protocol: str, factor: int) -> str:
    """Where the picture of a protocol lies, from the page."""
    return f"images/quality-{protocol}-x{factor}.png"


def table(scores: Sequence[Score]) -> str:
    """Lay scores out as Markdown: a row a sample and level, a column a method."""
    cells = {(s.sample, s.level, s.method): s for s in scores}
    methods = list(dict.fromkeys(s.method for s in scores))
    lines = [f"| sample | level | {' | '.join(methods)} | gain |", "| --- " * (len(methods) + 3) + "|"]
    for sample, level in dict.fromkeys((s.sample, s.level) for s in scores):
        row = [cells[sample, level, method] for method in methods]
        best = max(score.psnr for score in row)
        shown = [f"**{s.psnr:.2f}** / {s.ssim:.3f}" if s.psnr == best else f"{s.psnr:.2f} / {s.ssim:.3f}" for s in row]
        gain = row[-1].psnr - row[0].psnr
        lines.append(f"| {sample} | {level + 1} | {' | '.join(shown)} | {gain:+.2f} |")
    return "\n".join(lines)


def crack_rows(cracks: Mapping[int, Sequence[CrackScore]]) -> Iterator[str]:
    """Lay crack scores out: means of the phantoms, and the real slices."""
    names = "precision | recall | F1 | best F1 | F1 at 1 px | mid-surface | clDice | false share"
    yield f"| factor | sample | method | {names} |"
    yield "| --- " * 11 + "|"
    for factor, scores in cracks.items():
        for score in [*over_phantoms(scores), *(s for s in scores if not s.sample.startswith("phantom"))]:
            sample, _, method, *figures = astuple(score)
            shown = " | ".join("" if value != value else f"{value:.4f}" for value in figures)  # NaN: does not apply
            yield f"| ×{factor} | {sample} | {method} | {shown} |"


def gains(scores: Sequence[Score], kind: str) -> dict[str, float]:
    """Gain of each method over the first in dB: mean of the milder two levels, of the samples of a kind."""
    samples = [s for s in by_sample(scores) if s.level < 2 and kind_of(s.sample) == kind]
    means: dict[str, list[float]] = {}
    for score in over_samples(samples):
        means.setdefault(score.method, []).append(score.psnr)
    first = next(iter(means.values()), [])
    return {method: float(np.mean(np.subtract(values, first))) for method, values in means.items()}


def kind_of(sample: str) -> str:
    """Natural pictures, phantoms or CT slices."""
    return "phantoms" if sample.startswith("phantom") else "natural pictures" if sample == "natural" else "CT slices"


def aims(measured: Measured) -> Iterator[str]:
    """Rows that set each figure beside its aim."""
    for factor in measured.cracks:
        for kind in ("CT slices", "phantoms"):
            found = {p: gains(measured.scores[p, factor], kind) for p in ("blind", "sinogram")}
            wanted = {"blind": BLIND_X1, "sinogram": SINOGRAM_X1} if factor == 1 else {}
            for protocol, gain in found.items():
                yield gain_row(f"×{factor}, {protocol}, {kind}", gain, wanted.get(protocol))
            if factor in BOTH:
                mean = {method: (found["blind"][method] + found["sinogram"][method]) / 2 for method in found["blind"]}
                yield gain_row(f"×{factor}, mean of blind and sinogram, {kind}", mean, BOTH[factor])
        if factor == 2:
            natural = gains(measured.scores["bicubic", 2], "natural pictures")
            yield gain_row("×2, bicubic, natural pictures", natural, NATURAL_X2)
    for factor, scores in measured.cracks.items():
        for sample in ("phantoms", "phantoms, thin cracks"):
            f1 = {s.method: 100 * s.f1 for s in over_phantoms(scores) if s.sample == sample}
            change = {method: value - next(iter(f1.values())) for method, value in f1.items()}
            yield gain_row(f"×{factor}, F1 of cracks, {sample}", change, F1_POINTS, "points")
            best = {s.method: 100 * s.f1_best for s in over_phantoms(scores) if s.sample == sample}
            change = {method: value - next(iter(best.values())) for method, value in best.items()}
            yield gain_row(f"×{factor}, best F1 of cracks, {sample}", change, None, "points")
        false = [s.false_share for s in over_phantoms(scores) if s.sample == "phantoms, sound"]
        shown = f"{100 * min(false[1:-1]):.3f} % | {100 * false[-1]:.3f} %"
        yield f"| ×{factor}, false crack voxels | {shown} | < 0.1 % | {met(false[-1] < FALSE_SHARE)} |"
    for factor, shares in measured.grid.items():
        largest = max(shares.values())
        yield f"| ×{factor}, grid dependence | | {100 * largest:.1f} % | < 10 % | {met(largest < GRID_SHARE)} |"
    if measured.flicker:
        before, after, *_ = (texture for texture, _ in measured.flicker.values())
        yield f"| ×1, flicker | | {after:.4f} | {before:.4f}, the input's | {met(after <= before)} |"


def gain_row(name: str, gain: Mapping[str, float], aim: float | None, unit: str = "dB") -> str:
    """Show the network's gain beside that of the best method without training, and its aim."""
    *others, network = list(gain.values())[1:]
    best = f"{max(others):+.2f} {unit}" if others else ""
    if aim is None:
        return f"| {name} | {best} | {network:+.2f} {unit} | | |"
    return f"| {name} | {best} | {network:+.2f} {unit} | {aim:+.1f} {unit} | {met(network >= aim)} |"


def met(is_met: bool) -> str:
    """Say whether."""
    return "met" if is_met else "**not met**"
