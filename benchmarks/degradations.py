"""Time of a batch from each degradation against the training step that uses it, on one device."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from harness import machine, medians, table

from napari_nanoct.jobs.process import keep_pages


def main() -> None:
    """Print a Markdown table: milliseconds a batch, and as a share of the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds natural/ and ct/")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    import torch

    from napari_nanoct.training.batches import Batches
    from napari_nanoct.training.loop import start_network
    from napari_nanoct.training.recipe import Recipe, Stage
    from napari_nanoct.training.trainer import Trainer

    device = torch.device(options.device)
    print(machine(), device if device.type == "cpu" else torch.cuda.get_device_name(device), sep=", ")
    rows = []
    for factor in (1, 2):
        stage = Stage(steps=10**6, natural=0.0, rate=1e-4, batch=2)
        kinds = {"bicubic": replace(stage, clean=1.0), "blind": replace(stage, clean=0.0)}
        kinds["sinogram"] = replace(stage, sinogram=1.0)
        loaders = {
            name: Batches(Recipe(name, "utsr-light", factor, 1, (kind,)), options.data, device=device)
            for name, kind in kinds.items()
        }
        recipe = loaders["blind"].recipe
        trainer = Trainer(recipe, start_network(recipe), device)
        batch = loaders["blind"].draw(0)
        # Every call draws another batch, as in a training.
        numbers = iter(range(10**6))
        calls = {
            name: lambda loader=loader, numbers=numbers: loader.draw(next(numbers)) for name, loader in loaders.items()
        }
        seconds = medians(
            {"step": lambda trainer=trainer, batch=batch: trainer.update(*batch, 1e-4), **calls}, options.rounds
        )
        for name in loaders:
            rows.append(
                [f"x{factor}", name, 1e3 * seconds[name], 1e3 * seconds["step"], seconds[name] / seconds["step"]]
            )
    print(table(["factor", "degradation", "batch (ms)", "step (ms)", "batch / step"], rows))


if __name__ == "__main__":
    keep_pages()
    main()
