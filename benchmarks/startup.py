"""How long `nanoct --help` takes against an interpreter that does nothing.

python benchmarks/startup.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial

from harness import machine, medians, table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    commands = {"python -c pass": ["-c", "pass"], "nanoct --help": ["-m", "napari_nanoct", "--help"]}
    start = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)
    calls = {name: partial(start, [sys.executable, *words]) for name, words in commands.items()}
    seconds = medians(calls, given.rounds)
    bare = seconds["python -c pass"]
    print(f"{machine()}\n")
    print(table(["command", "seconds", "ratio"], [[name, time, time / bare] for name, time in seconds.items()]))


if __name__ == "__main__":
    main()
