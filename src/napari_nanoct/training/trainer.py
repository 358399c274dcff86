"""Network, its averaged weights and its optimisers: one step, what to do when weights run away, the state on disk."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from napari_nanoct.errors import UserError
from napari_nanoct.jobs.files import reading
from napari_nanoct.training.losses import image_losses, relative_loss
from napari_nanoct.training.optimisers import Optimisers, muon_and_adam
from napari_nanoct.training.recipe import Recipe
from napari_nanoct.utsr.card import DESIGN

EMA_DECAY = 0.999
# The weights have run away where, after so many steps of a stage, one loss is so many times the usual one, or the mean
# of about so many last ones is: some creep away.
SETTLED, SPIKE, RECENT, CREEP = 100, 10.0, 10, 3.0

Loss = Callable[[Tensor, Tensor], Tensor]
"""From result and target, (n, 1, h, w) on the device, to the loss, of each image or one for all."""

Merge = Callable[[Tensor], Tensor]
"""From losses to one number to make smaller."""

Network = TypeVar("Network", bound=nn.Module)


class Trainer(Generic[Network]):
    """Network, its averaged twin and the optimisers, with their state on disk.

    Parameters
    ----------
    recipe : Recipe
    network : Module
        From (n, 1, h, w) to (n, 1, scale * h, scale * w).
    device : torch.device
    optimisers : callable
    """

    def __init__(
        self, recipe: Recipe, network: Network, device: torch.device, optimisers: Optimisers = muon_and_adam
    ) -> None:
        self.recipe, self.device, self.step = recipe, device, 0
        self.best, self.usual_loss, self.recent_loss, self.pace = -math.inf, 0.0, 0.0, 1.0
        network = network.to(device).train()
        self.network: Network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.optimisers = optimisers(self.network)

    def update(
        self, low: Tensor, high: Tensor, rate: float, judge: Loss = image_losses, merge: Merge = relative_loss
    ) -> float:
        """Take one step on a batch and return its mean loss; fall back where that shows weights that have run away."""
        if self.recipe.at(self.step)[1] == 0:
            self.pace = 1.0  # a stage has a rate of its own
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * self.pace
        low = low.to(self.device, memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            result = self.network(low)
        losses = judge(result, high.to(self.device))
        size = losses.mean().item()
        sound = not self._ran_away(size)
        if sound:
            self.network.zero_grad(set_to_none=True)
            merge(losses).backward()
            # A sound loss may have a gradient that is not finite.
            sound = bool(torch.nn.utils.clip_grad_norm_(self.network.parameters(), 0.5).isfinite())
        if not sound:
            self.fall_back(self.average)
            self.step += 1
            return size
        for optimiser in self.optimisers:
            optimiser.step()
        # Each stage forgets the one before: its average spans the steps of the stage so far, up to a thousand.
        _, within = self.recipe.at(self.step)
        decay = min(EMA_DECAY, (2 + within) / (11 + within))
        self.step += 1
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():  # tables of indices stay what they are
                    self.average[name].lerp_(value, 1 - decay)
        return size

    def _ran_away(self, size: float) -> bool:
        """Take note of a loss; return whether it, or the last few, are far above the usual."""
        _, within = self.recipe.at(self.step)
        settled = within > SETTLED
        if not math.isfinite(size) or (settled and size > SPIKE * self.usual_loss):
            return True
        self.recent_loss += (size - self.recent_loss) / min(within + 1, RECENT)
        # What is far above the usual does not become usual.
        known = min(size, CREEP * self.usual_loss) if settled else size
        self.usual_loss += (known - self.usual_loss) / min(within + 1, SETTLED)
        return settled and self.recent_loss > CREEP * self.usual_loss

    def fall_back(self, weights: Mapping[str, Tensor]) -> None:
        """Go on from these weights, the average or better ones, at half the pace: a night's training is not lost."""
        self.pace /= 2
        self.recent_loss = self.usual_loss
        self._go_on_from(weights)

    def average_with(self, older: nn.Module, share: float) -> None:
        """Go on from the mean of older weights, by their share, and the averaged ones."""
        weights = older.state_dict()
        self._go_on_from(
            {
                name: value.lerp(weights[name], share) if value.is_floating_point() else value
                for name, value in self.average.items()
            }
        )

    def _go_on_from(self, weights: Mapping[str, Tensor]) -> None:
        self.network.load_state_dict(weights)
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        for optimiser in self.optimisers:
            optimiser.state.clear()

    def averaged(self) -> Network:
        """Return a copy of the network with the averaged weights, on the CPU, in evaluation mode."""
        network = copy.deepcopy(self.network).cpu()
        network.load_state_dict(self.average)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the whole state as safetensors; the file appears whole or not at all."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        names: dict[Tensor, str] = {parameter: name for name, parameter in self.network.named_parameters()}
        for optimiser in self.optimisers:
            for parameter, state in optimiser.state.items():
                for key, value in state.items():
                    tensors[f"optimiser.{key}.{names[parameter]}"] = torch.as_tensor(value)
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        temporary = path.with_suffix(".part")
        metadata = {"step": str(self.step), "recipe": self.recipe.name, "best": str(self.best), "design": str(DESIGN)}
        metadata |= {name: str(getattr(self, name)) for name in ("usual_loss", "recent_loss", "pace")}
        metadata["plan"] = repr(self.recipe)
        save_file(tensors, temporary, metadata=metadata)
        os.replace(temporary, path)

    def load(self, path: Path) -> str:
        """Continue from a state that :meth:`save` wrote; return the recipe, as text, that it was trained by.

        Raises
        ------
        UserError
            If the state is of another recipe or of another design of the network.
        """
        with reading(str(path)), safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata()
            if metadata["recipe"] != self.recipe.name:
                raise UserError(
                    f"{path} is a training by the recipe '{metadata['recipe']}', not '{self.recipe.name}'; "
                    "choose another output folder."
                )
            if metadata.get("design") != str(DESIGN):
                raise UserError(
                    f"{path} is a training by another version of the network; choose another output folder."
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        self.step, self.best = int(metadata["step"]), float(metadata["best"])
        self.usual_loss, self.pace = float(metadata["usual_loss"]), float(metadata["pace"])
        self.recent_loss = float(metadata.get("recent_loss", self.usual_loss))
        self.network.load_state_dict({n[8:]: v for n, v in tensors.items() if n.startswith("network.")})
        self.average = {n[8:]: v.to(self.device) for n, v in tensors.items() if n.startswith("average.")}
        weights = dict(self.network.named_parameters())
        owner = {p: one for one in self.optimisers for group in one.param_groups for p in group["params"]}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, key, of = name.split(".", 2)
                # Adam counts its steps on the CPU.
                owner[weights[of]].state[weights[of]][key] = value.to("cpu" if key == "step" else self.device)
        return metadata.get("plan", repr(self.recipe))
