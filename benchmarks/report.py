"""Run all benchmarks and write docs/performance.md: each command, then what it printed.

python benchmarks/report.py
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"

HEAD = """# Performance

Measured figures, each under the command that made it. `python benchmarks/report.py` runs them all and writes a page
like this; here a section was measured anew when what it measures had changed, and shows the command that did it.
Times are medians of rounds in which the rivals take turns, so ratios hold better than seconds: the latter depend on the
machine and on what else runs there.
"""

NETWORKS = """`utsr-light`, SwinIR-light (one channel, window 8, 60 channels, 4 x 6 blocks, `pixelshuffledirect` when it
enlarges) and Real-ESRGAN's compact network (64 features, 16 convolutions), channels last, in one process. The ratio is
a network's time over that of `utsr-light`: above 1 it is slower. *Best* compares each in its faster precision."""

VOLUME = """`nanoct enhance` from start to end: imports, reading, writing and the pyramid included. *Outside the
network* is the share of the job's own time that the network does not account for; the longer the run, the smaller."""

BUSY = """A slice of 256 x 256 through `utsr-light` x1 with as many threads as there are cores, alone and beside as many
processes that compute: another user's job, or a viewer that draws. Threads that wait for each other sleep in every
process that `nanoct` or a dock starts (`OMP_WAIT_POLICY`, unless it is set)."""

START = "`nanoct --help` imports neither torch nor napari; the interpreter's own start is the unit."

STEP = """Forward, backward and Muon of `utsr-light` at factor 2, one thing changed at a time. In use are bfloat16,
channels last, attention written out and, under Linux, an allocator that keeps its pages. *Allocator as it comes* is a
process without that setting."""

SCRIBBLES = """From a stroke in the Cracks dock to the preview of a whole slice. *Kept* is a further stroke on a slice
whose features are there; the dock begins with the part in view."""

SEGMENT = """By the proposal; slabs of 16 slices are read, scored and written one after the other. A shallow volume
needs a little less, as its slabs and samples have less around them."""

SECTIONS = (
    ("Time per megapixel", ["benchmarks/networks.py", "--scale", "1", "2"], NETWORKS),
    ("The volume job", ["benchmarks/volume.py"], VOLUME),
    ("The training step", ["benchmarks/step.py"], STEP),
    ("Scribbles", ["benchmarks/scribbles.py"], SCRIBBLES),
    ("Memory of a segmentation", ["benchmarks/segment_memory.py", "--side", "128"], SEGMENT),
    ("Beside other work", ["benchmarks/busy.py"], BUSY),
    ("Start-up", ["benchmarks/startup.py"], START),
)


def main() -> None:
    """Run each benchmark and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=PAGE)
    given = parser.parse_args()
    parts = [HEAD]
    for title, words, text in SECTIONS:
        print(f"{title} ...", file=sys.stderr)
        done = subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        parts.append(f"## {title}\n\n{text}\n\n```bash\npython {shlex.join(words)}\n```\n\n{done.stdout.strip()}\n")
    given.output.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
