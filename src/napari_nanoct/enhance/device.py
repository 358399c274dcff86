"""Where the network runs, and in which precision: chosen by what exists and by a short measurement."""

from __future__ import annotations

import platform
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import torch

# Side of the square that the measurement runs on. On a GPU a small one would measure launches, not arithmetic.
SIDE = {"cpu": 256, "cuda": 1024, "mps": 512}
# bfloat16 must pay: a near tie would be decided another way in the next process.
GAIN = 1.2
# Below this side a square says nothing about tiles.
SMALLEST = 64
# It must also agree with float32 on a test picture of range 0..1, by rms.
TOLERANCE = 5e-3
# Rounds of the measurement, and the seconds after which no further one begins.
ROUNDS, ENOUGH = 4, 2.0

_timings: dict[tuple[str, str, str], Timing] = {}


@dataclass(frozen=True)
class Timing:
    """A measurement of one network on one device: chosen precision and seconds per input pixel in it."""

    precision: str
    seconds_per_pixel: float


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; ``"auto"`` takes the first of cuda, mps and cpu that exists.

    Raises
    ------
    UserError
        If there is no such device; the sentence names those that exist.
    """
    import torch

    present = devices()
    if name == "auto":
        return torch.device(present[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in present:
        raise UserError(f"device {name!r} does not exist here; choose {' or '.join(['auto', *present])}")
    return torch.device(wanted)


def devices() -> list[str]:
    """Return the names of the devices that exist here, the fastest first; ``"cpu"`` is always the last."""
    import torch

    present = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return [*present, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def describe(device: torch.device) -> str:
    """Return what the device is, for the record: ``"cuda:0 (NVIDIA H200)"``."""
    import torch

    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.processor() or platform.machine()})"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """Return the context in which the network runs in that precision."""
    import torch

    return torch.autocast(device.type, torch.bfloat16) if precision == "bfloat16" else nullcontext()


def measure(network: torch.nn.Module, key: str, device: torch.device, precision: str = "auto") -> Timing:
    """Time the network on a small picture and choose its precision; once per process for each network and device.

    Parameters
    ----------
    network : Module
        On `device`, in eval mode.
    key : str
        What tells this network from others: its sha256.
    device : torch.device
    precision : str
        ``"auto"`` for the faster one (bfloat16 only where it clearly pays and agrees with float32), or one to be timed.

    Returns
    -------
    Timing
        Where the device's memory is too small for the picture, by a smaller one; where it is too small for any,
        float32 if it is to be chosen, and NaN seconds.
    """
    known = _timings.get((key, str(device), precision))
    if known:
        return known
    import torch

    side = SIDE.get(device.type, 256)
    while side >= SMALLEST:
        try:
            timing = _measured(network, device, precision, side)
        except torch.OutOfMemoryError:
            side //= 2
        else:
            _timings[key, str(device), precision] = timing
            return timing
        if device.type == "cuda":
            torch.cuda.empty_cache()
    # Not kept: another program may free the memory before the next call.
    return Timing("float32" if precision == "auto" else precision, float("nan"))


def _measured(network: torch.nn.Module, device: torch.device, precision: str, side: int) -> Timing:
    """Time the network on a picture of that side."""
    import torch

    picture = torch.rand((1, 1, side, side), generator=torch.Generator().manual_seed(0)).to(device)

    def run(kind: str) -> tuple[float, torch.Tensor]:
        start = time.perf_counter()
        with torch.inference_mode(), autocast(device, kind):
            output = network(picture).float().cpu()  # waits for the device
        return time.perf_counter() - start, output

    kinds = ["float32", "bfloat16"] if precision == "auto" else [precision]
    answers = {}
    for kind in list(kinds):
        try:
            answers[kind] = run(kind)[1]  # warms up
        except RuntimeError as error:
            if kind == precision or kind == "float32" or isinstance(error, torch.OutOfMemoryError):
                raise
            kinds.remove(kind)  # a device that has no bfloat16
    # In turns, so that whatever else the machine does slows both.
    best = dict.fromkeys(kinds, float("inf"))
    start = time.perf_counter()
    for _ in range(ROUNDS):
        for kind in kinds:
            best[kind] = min(best[kind], run(kind)[0])
        if time.perf_counter() - start > ENOUGH:
            break
    chosen = kinds[0]
    if len(kinds) == 2:
        error_rms = float((answers["bfloat16"] - answers["float32"]).square().mean().sqrt())
        if best["bfloat16"] * GAIN < best["float32"] and error_rms < TOLERANCE:
            chosen = "bfloat16"
    return Timing(chosen, best[chosen] / side**2)
