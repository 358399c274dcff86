"""Time per megapixel of utsr-light against SwinIR-light and Real-ESRGAN's compact network, same factor, same run.

The other two are spandrel's architectures with fresh weights: speed does not depend on what was trained.

    python benchmarks/networks.py --scale 2
"""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from functools import partial

from harness import machine, medians, table
from peer_networks import peers

from napari_nanoct.jobs.process import keep_pages


def measure(scale: int, side: int, rounds: int, device: str) -> str:
    """Time all networks in float32 and bfloat16 on one square slice and return a table."""
    import torch

    from napari_nanoct.utsr import PRESETS, build

    networks = {"utsr-light": build(PRESETS["utsr-light"], scale=scale), **peers(scale)}
    picture = torch.rand((1, 1, side, side), device=device).contiguous(memory_format=torch.channels_last)

    def run(network: torch.nn.Module, precision: torch.dtype) -> None:
        casting = torch.autocast(device, precision) if precision is not torch.float32 else nullcontext()
        with torch.inference_mode(), casting:
            network(picture).float().sum().item()  # waits for the device

    calls = {}
    for name, network in networks.items():
        network.eval().to(device=device, memory_format=torch.channels_last)
        for precision in (torch.float32, torch.bfloat16):
            calls[f"{name} {str(precision).removeprefix('torch.')}"] = partial(run, network, precision)
    seconds = medians(calls, rounds)
    megapixels = side**2 / 1e6
    rows = []
    for name, network in networks.items():
        exact, fast = seconds[f"{name} float32"], seconds[f"{name} bfloat16"]
        own = [seconds["utsr-light float32"], seconds["utsr-light bfloat16"]]
        million = sum(weight.numel() for weight in network.parameters()) / 1e6
        ratios = [exact / own[0], fast / own[1], min(exact, fast) / min(own)]
        rows.append([name, f"{million:.2f} M", exact / megapixels, fast / megapixels, *ratios])
    header = [
        "network",
        "parameters",
        "float32 s/Mpx",
        "bfloat16 s/Mpx",
        "float32 ratio",
        "bfloat16 ratio",
        "best ratio",
    ]
    return table(header, rows)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=int, nargs="+", default=[1, 2], choices=[1, 2, 4])
    parser.add_argument("--side", type=int, default=256, help="side of the input slice in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    print(machine())
    for scale in given.scale:
        print(f"\nx{scale}, input {given.side} x {given.side}, s per Mpx of input; ratio: time over utsr-light's\n")
        print(measure(scale, given.side, given.rounds, given.device))


if __name__ == "__main__":
    keep_pages()
    main()
