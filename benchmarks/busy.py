"""Time of a slice on an idle machine and beside other work: threads that sleep while they wait, and threads that spin.

python benchmarks/busy.py [--rounds 2]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness import machine, medians, table

from napari_nanoct.jobs.process import ALLOCATOR, process_environment

INNER = "--inner"
SIDE = 256
POLICIES = {"asleep, as in use": "passive", "spinning, as it comes": None}


def slice_seconds() -> float:
    """Median time of a slice through utsr-light x1 in this process, with all its threads."""
    import numpy as np

    from napari_nanoct.enhance import Enhancer
    from napari_nanoct.volumes import IntensityRange

    enhancer, intensity = Enhancer.load("utsr-light", 1, "cpu", "bfloat16"), IntensityRange(0.0, 1.0)
    plane = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
    return medians({"slice": lambda: enhancer.slice(plane, intensity)}, 3)["slice"]


def seconds(policy: str | None) -> float:
    """Time in a process of its own: how threads wait is settled when they first start."""
    environment = {**os.environ, **ALLOCATOR}
    environment.pop("OMP_WAIT_POLICY", None)
    environment |= {} if policy is None else {"OMP_WAIT_POLICY": policy}
    words = [sys.executable, __file__, INNER]
    return float(subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout)


@contextmanager
def other_work() -> Iterator[None]:
    """Keep every core busy with a process that computes."""
    workers = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(INNER, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inner:
        print(slice_seconds())
        return
    if process_environment()["OMP_WAIT_POLICY"] != "passive":
        parser.error("OMP_WAIT_POLICY is set; unset it")

    def round_of_all() -> dict[str, list[float]]:
        rounds = [{name: seconds(policy) for name, policy in POLICIES.items()} for _ in range(given.rounds)]
        return {name: [one[name] for one in rounds] for name in POLICIES}

    idle = round_of_all()
    with other_work():
        busy = round_of_all()
    rows = [[name, statistics.median(idle[name]), statistics.median(busy[name])] for name in POLICIES]
    first = rows[0]
    print(machine(), end="\n\n")
    header = ["threads that wait are", "idle machine s", "ratio", "busy machine s", "ratio"]
    print(table(header, [[name, a, a / first[1], b, b / first[2]] for name, a, b in rows]))


if __name__ == "__main__":
    main()
