"""The page that docs/finetune.py writes: words, tables and the picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finetune import Row

PICTURE = "images/finetune-gain.png"
AIM, LOSS = 0.7, 0.3
COLUMNS = ("volume", "degradation", "", "taught by", "pairs", "min", "cores")
COLUMNS += ("input", "parent", "child", "gain", "elsewhere", "worst")

HEAD = """# Fine-tuning on your own scans

Written by `python docs/finetune.py DATA`; in the dock the same is done by hand ([how](finetune-dock.md)).

The shipped network was trained on degradations that fit many instruments. Where yours blurs or hisses otherwise, a few
slices seen twice, once as usual and once better (a zoom scan, a long exposure), teach it yours:

```sh
nanoct pair wide.tif zoom.tif -o pairs.json
nanoct finetune pairs.json -o mine-x2.safetensors --minutes 10
nanoct models
nanoct enhance wide.tif better.ome.zarr --model mine-x2.safetensors
```

or from Python `napari_nanoct.pair_slices` and `napari_nanoct.finetune_model`.

- All weights are trained from the parent's at a low rate, on patches where nearly all pixels are usable. Beside three
  of them (×2, ×4: one) stands one of a phantom, or of your own targets, degraded as in the first training; there the
  child is to answer as its parent does, so that it forgets little. If it still loses more than 0.3 dB on synthetic
  pairs, it is drawn back towards the parent on the straight line between their weights.
- About a quarter of the slices are held out (one below four pairs; of a single slice its last third, which says
  little). The weights that did best there are kept. Where they do no better than the parent's, the run says so in a
  sentence and the file in its card.
- Ctrl-C keeps the best so far. A run that was killed goes on with `--resume`; what it needs lies in
  `MODEL.safetensors.training`, which is gone at the end.
- The card in the file holds the parent's sha256, fingerprints of volumes and pairs, settings, curve, and PSNR, SSIM and
  FRC of parent and child on the held-out slices; a picture of them lies beside it.

## Without a better scan

At factor 1 a noisy volume can teach the network alone; it learns the mean of what the noise leaves open.

| method | takes | assumes |
| --- | --- | --- |
| `halves` | two reconstructions, each from half of the projections | their noise is independent (Noise2Inverse) |
| `neighbours` | one volume | the next slice shows the same, with noise of its own: slow change along z |
| `blind-spot` | one volume | noise independent from pixel to pixel (Noise2Void): seldom so in a reconstruction |

None of them sharpens: the target is as blurred as the input, so what the parent sharpened may be lost. They are judged
by the error against held-out noisy slices, which ranks two networks but is no PSNR.
"""

FOUR = f"""## From four pairs in three minutes of one core

Slices degraded by settings that the shipped weights never met. `soft`: a point spread of 2.3 pixels and noise that
neighbours share; `sparse`: 90 angles, strong rings. PSNR in dB on slices that the run was not given (of
tomobank_nmc532, which has two: squares of them); aim: gain of {AIM} dB. *Elsewhere*: change on the other validation
samples and natural pictures, mean of all and of the protocols, and of the one that lost most; aim: no more than {LOSS}
dB lost. At ×2 the gain is met and the loss is not (why, see below). At ×1 the loss is met but for a hundredth, and the
gain by one of four: a better parent leaves less to gain.
"""

FORGOTTEN = """
What is lost at factor 2 is lost on the clean reductions of one sample, segmentpy_nmc_d, whose reference holds soft
noise itself ([training-stages.md](training-stages.md#a-slice-with-noise-of-its-own)): in its flattest places a
standard deviation of 8 to 10 % of the range, as correlated as a Gaussian of 1.5 pixels makes it, where `soft` adds 6
% and 2 pixels. A network that has learnt that such texture is noise takes it out there, too; by the slice alone
nobody can tell. Two children of earlier weights, of four pairs and two and a half minutes, and weights on the
straight line from the parent to them, change from the parent in dB:

| child | of the way | gain | clean: segmentpy_nmc_d | other samples, clean | all, `blind` | all, `sinogram` | mean |
| --- | --- | --- | --- | --- | --- | --- | --- |
| phantom, `soft` | 1 | +1.25 | -7.48 | -0.56 | -0.05 | -0.13 | -1.02 |
| | 0.75 | +1.14 | -4.65 | -0.30 | -0.04 | -0.11 | -0.63 |
| | 0.4 | +0.35 | -1.77 | -0.09 | -0.02 | -0.07 | -0.25 |
| tomobank_nmc532, `sparse` | 1 | +2.76 | -10.30 | -0.76 | +0.03 | -0.13 | -1.88 |
| | 0.75 | +2.21 | -6.86 | -0.35 | +0.03 | -0.03 | -1.20 |
| | 0.4 | +0.59 | -1.80 | -0.11 | +0.02 | -0.04 | -0.33 |

How much it is differs from run to run. On noisy slices nearly nothing is forgotten. Replay of more clean patches, of
four times their weight, of drawn discs of all sizes, of pictures with soft noise in them (-5.64 for -7.48), and the
logarithm of the loss were tried and do not mend it. So use such a model for the instrument that it was made for, and
not on scans whose texture is to stay.
"""

TEN = """
## From four pairs in ten minutes of two cores

Where three minutes bring least. A step takes two cores 1.2 to 1.3 times less time than one, and more than about three
minutes bring little: what four pairs can teach is learnt by then.
"""

LONGER = """At ×1 a step takes three of the user's patches for one
that is to be answered as before: with earlier weights, tomobank_nmc532 and `sparse`, that brought +0.52 in
place of +0.41 dB in three minutes of one core, and +0.65 in place of +0.59 in ten. At ×2 it stayed one for one: with
three the four cases above gained +1.17, +1.28, +2.90 and +1.89 dB (the first two in half the steps, beside other
work), hardly more, and lost 1.7 to 2.1 dB elsewhere. The weights that ship now leave less to be gained there: they
begin at 28.69 dB, those before at 28.45.
"""

ALONE = """
## Taught by the noisy volume alone

A phantom with a point spread of 0.8 pixels and independent noise of 12 % of the range, eight slices, three minutes;
PSNR against the truth, which only `pairs` was shown. None of the three ways is ahead of the shipped network here, which
knows such noise: they are for noise unlike any in its training. Their own measure, the error to held-out noisy pixels,
sees noise and blur alike, so look at the picture before and after, too.
"""


REFUSED = """
## What is refused

Nothing is trained on scans that do not go together. Here a wide scan of 12 x 96 x 96 voxels and a zoom scan of
24 x 192 x 192 (`python docs/finetune_refused.py`):
"""


def write(rows: Sequence[Row], refused: Sequence[str], foot: str) -> str:
    """Put the page together."""
    must = [row for row in rows if (row.pairs, row.minutes, row.method) == (4, 3.0, "pairs")]
    longer = [row for row in rows if row.cores == 2]
    alone = [row for row in rows if row.degradation == "noisy"]
    rest = [row for row in rows if row not in must + longer + alone]
    parts = [
        HEAD,
        FOUR,
        "\n".join(table(must)),
        TEN,
        "\n".join(table(longer)),
        FORGOTTEN,
        f"## More pairs, more time\n\n![gain against number of pairs]({PICTURE})\n",
        LONGER,
        "\n".join(table(rest)),
        ALONE,
        "\n".join(table(alone)),
        REFUSED,
        "\n".join(refused),
        f"\n{foot}\n",
    ]
    return "\n".join(parts)


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Lay rows out as Markdown."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "| --- " * len(COLUMNS) + "|"
    for row in sorted(rows, key=lambda row: (row.volume, row.degradation, row.factor, row.minutes, row.pairs)):
        gain = row.child - row.parent
        cells = [row.volume, row.degradation, f"×{row.factor}", row.method]
        cells += [str(row.pairs), f"{row.minutes:g}", str(row.cores)]
        cells += [f"{value:.2f}" for value in (row.before, row.parent, row.child)]
        cells += [f"**{gain:+.2f}**", f"{row.elsewhere:+.2f}", f"{row.worst:+.2f}"]
        yield f"| {' | '.join(cells)} |"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the gain against the number of pairs, a line for each time."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    series = [row for row in rows if (row.volume, row.degradation, row.factor) == ("phantom", "soft", 2)]
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    for minutes in sorted({row.minutes for row in series}):
        points = sorted((row.pairs, row.child - row.parent) for row in series if row.minutes == minutes)
        axes.plot(*zip(*points, strict=True), marker="o", label=f"{minutes:g} min")
    axes.axhline(AIM, color="0.6", linestyle=":", label="aim, 4 pairs")
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    axes.set(xlabel="pairs", ylabel="gain on unseen slices / dB")
    axes.legend()
    FigureCanvasAgg(figure).print_png(path)
