"""Distances in the feature space of image networks: LPIPS and DISTS, through torchmetrics where it is installed.

Neither is needed by the rest. Nothing is ever downloaded: the weights of the backbone must already lie in the folder
of torch.hub, else one sentence says which file is missing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, pair, planes

# The files that torchvision keeps its ImageNet weights in.
BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}


def lpips(
    truth: ArrayLike, image: ArrayLike, grey_values: tuple[float, float] | None = None, backbone: str = "alex"
) -> float:
    """Learned perceptual image patch similarity (Zhang et al., CVPR 2018), slice by slice.

    Parameters
    ----------
    truth, image
        Slices (y, x) or volumes (z, y, x) of one shape in the same grey values. Each slice goes to the network as
        three equal channels.
    grey_values
        What becomes 0 and 1 for the network; values beyond are clipped, NaN becomes 0. By default the 0.5 and 99.5
        percentile of the finite values of ``truth``.
    backbone
        ``alex``, ``vgg`` or ``squeeze``; figures of different backbones may not be compared.

    Returns
    -------
    float
        Mean over slices, 0 for equal images, without a unit.

    Raises
    ------
    UserError
        If torchmetrics, torchvision or the backbone's weights are not on this machine, or the shapes differ.
    """
    if backbone not in BACKBONES:
        raise UserError(f"LPIPS knows the backbones {', '.join(BACKBONES)}, not {backbone!r}.")
    distance = _metric("LPIPS", "learned_perceptual_image_patch_similarity", backbone)
    return _mean(truth, image, grey_values, "LPIPS", lambda a, b: distance(a, b, net_type=backbone, normalize=True))


def dists(truth: ArrayLike, image: ArrayLike, grey_values: tuple[float, float] | None = None) -> float:
    """Deep image structure and texture similarity (Ding et al., IEEE TPAMI 44, 2022, 2567), slice by slice.

    Parameters, return value and errors are those of `lpips`; the backbone is always VGG-16.
    """
    distance = _metric("DISTS", "deep_image_structure_and_texture_similarity", "vgg")
    return _mean(truth, image, grey_values, "DISTS", distance)


def _metric(figure: str, function: str, backbone: str) -> Any:
    """Return a function of torchmetrics, once it is sure that calling it will download nothing."""
    missing = [package for package in ("torchmetrics", "torchvision") if find_spec(package) is None]
    if missing:
        raise UserError(
            f"{figure} needs {' and '.join(missing)}, which this Python does not have; install, or leave it."
        )
    from torch import hub

    weights = Path(hub.get_dir()) / "checkpoints" / BACKBONES[backbone]
    if not weights.is_file():
        raise UserError(
            f"{figure} needs the weights {weights}, which are not on this machine and are never downloaded; put the "
            "file of torchvision there, or leave it."
        )
    # By name: the rest of the room must not depend on an optional package.
    for module in ("torchmetrics.functional.image", f"torchmetrics.functional.image.{figure.lower()}"):
        try:
            return getattr(import_module(module), function)
        except (ImportError, AttributeError, RuntimeError, OSError):
            # An older torchmetrics lacks it at one place or both; torchvision of another torch fails as it is imported.
            continue
    raise UserError(f"{figure} cannot be had from this machine's torchmetrics and torchvision; bring both up to date.")


def _mean(
    truth: ArrayLike, image: ArrayLike, grey_values: tuple[float, float] | None, figure: str, distance: Any
) -> float:
    import torch

    a, b = pair(truth, image)
    finite = a[np.isfinite(a)]
    if not finite.size:
        raise UserError(f"The truth has no finite value, so {figure} sees nothing.")
    low, high = np.percentile(finite, [0.5, 99.5]) if grey_values is None else grey_values

    def tensor(plane: Float) -> torch.Tensor:
        unit = np.clip((plane - low) / ((high - low) or 1.0), 0, 1)
        return torch.from_numpy(np.nan_to_num(unit).astype(np.float32)).expand(1, 3, *plane.shape)

    with torch.inference_mode():
        values = [float(distance(tensor(a[z]), tensor(b[z]))) for z, _ in planes(a, figure)]
    return float(np.mean(values))
