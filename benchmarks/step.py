"""Time of a training step of utsr-light at factor 2, one choice at a time against how `nanoct train` does it.

python benchmarks/step.py [--threads 1] [--device cpu]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from unittest.mock import patch

from harness import machine, medians, table

from napari_nanoct.jobs.process import ALLOCATOR, keep_pages

FRESH_PAGES = "--fresh-pages"


def step(
    count: int,
    side: int,
    device: str,
    precision: str = "bfloat16",
    layout: str = "channels_last",
    fused: bool = False,
    adam_alone: bool = False,
) -> Callable[[], float]:
    """Make a call that takes one step on ``count`` patches of ``side`` pixels and returns the loss."""
    import torch
    import torch.nn.functional as functional

    from napari_nanoct.training.losses import restoration_loss
    from napari_nanoct.training.optimisers import adam, muon_and_adam
    from napari_nanoct.utsr import PRESETS, build

    def fused_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return functional.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None])[:, 0]

    torch.manual_seed(0)
    memory = getattr(torch, layout)
    network = build(PRESETS["utsr-light"], 2).to(device).train().to(memory_format=memory)
    optimisers = (adam if adam_alone else muon_and_adam)(network)
    low = torch.rand(count, 1, side, side, device=device).to(memory_format=memory)
    high = torch.rand(count, 1, 2 * side, 2 * side, device=device)

    def call() -> float:
        casting = torch.autocast(device, torch.bfloat16) if precision == "bfloat16" else nullcontext()
        attention = patch("napari_nanoct.utsr.attention.window_attention", fused_attention) if fused else nullcontext()
        with attention:
            with casting:
                result = network(low)
            loss = restoration_loss(result, high)
            network.zero_grad(set_to_none=True)
            loss.backward()
        for optimiser in optimisers:
            optimiser.step()
        return loss.item()  # waits for the device

    return call


def on_all_cores(call: Callable[[], float]) -> Callable[[], float]:
    """Make a call that does the same with a thread on every core."""
    import torch

    def wide() -> float:
        threads = torch.get_num_threads()
        torch.set_num_threads(os.cpu_count() or 1)
        try:
            return call()
        finally:
            torch.set_num_threads(threads)

    return wide


def main() -> None:
    """Print the table; a second process, without the allocator's settings, times the step in fresh pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(FRESH_PAGES, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()

    import torch

    torch.set_num_threads(given.threads)
    device = given.device
    usual = {"8 patches of 64, as in use": step(8, 64, device)}
    if given.fresh_pages:
        print(medians(usual, given.rounds).popitem()[1])
        return
    calls = usual | {
        "float32": step(8, 64, device, precision="float32"),
        "channels first": step(8, 64, device, layout="contiguous_format"),
        "fused attention": step(8, 64, device, fused=True),
        "Adam alone": step(8, 64, device, adam_alone=True),
        "2 patches of 64": step(2, 64, device),
        "2 patches of 64, Adam alone": step(2, 64, device, adam_alone=True),
        "2 patches of 128": step(2, 128, device),
    }
    if device == "cpu":
        calls["a thread on every core"] = on_all_cores(next(iter(usual.values())))
    seconds = medians(calls, given.rounds)
    if device == "cpu" and sys.platform == "linux":
        environment = {name: value for name, value in os.environ.items() if name not in ALLOCATOR}
        words = [sys.executable, *sys.argv, FRESH_PAGES]
        printed = subprocess.run(words, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
        seconds["allocator as it comes"] = float(printed)
    first = next(iter(seconds.values()))
    print(machine(), device if device == "cpu" else torch.cuda.get_device_name(device), sep=", ", end="\n\n")
    print(table(["step", "seconds", "ratio"], [[name, value, value / first] for name, value in seconds.items()]))


if __name__ == "__main__":
    if FRESH_PAGES not in sys.argv:
        keep_pages()
    main()
