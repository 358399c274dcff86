"""Figures of image quality, each with its source, shapes and units."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nanoct.quality.consistency import Flicker, flicker, grey_drift
    from napari_nanoct.quality.contrast import cnr, edge_width
    from napari_nanoct.quality.correlation import (
        FourierCorrelation,
        SplitCorrelation,
        fourier_ring_correlation,
        fourier_shell_correlation,
        split_image_correlation,
    )
    from napari_nanoct.quality.cracks import Agreement, CrackScores, cldice, crack_scores, false_share
    from napari_nanoct.quality.grid import grid_dependence
    from napari_nanoct.quality.multiscale import ms_ssim
    from napari_nanoct.quality.naturalness import Niqe, niqe
    from napari_nanoct.quality.noise import NoisePower, noise_power_spectrum
    from napari_nanoct.quality.perceptual import dists, lpips
    from napari_nanoct.quality.pristine import NiqeModel, fit_pristine
    from napari_nanoct.quality.reference import circle_mask, grey_range, psnr, ssim

_HOME = {
    "Agreement": "cracks",
    "CrackScores": "cracks",
    "Flicker": "consistency",
    "FourierCorrelation": "correlation",
    "Niqe": "naturalness",
    "NiqeModel": "pristine",
    "NoisePower": "noise",
    "SplitCorrelation": "correlation",
    "circle_mask": "reference",
    "cldice": "cracks",
    "cnr": "contrast",
    "crack_scores": "cracks",
    "dists": "perceptual",
    "edge_width": "contrast",
    "false_share": "cracks",
    "fit_pristine": "pristine",
    "flicker": "consistency",
    "fourier_ring_correlation": "correlation",
    "fourier_shell_correlation": "correlation",
    "grey_drift": "consistency",
    "grey_range": "reference",
    "grid_dependence": "grid",
    "lpips": "perceptual",
    "ms_ssim": "multiscale",
    "niqe": "naturalness",
    "noise_power_spectrum": "noise",
    "psnr": "reference",
    "split_image_correlation": "correlation",
    "ssim": "reference",
}

__all__ = [
    "Agreement",
    "CrackScores",
    "Flicker",
    "FourierCorrelation",
    "Niqe",
    "NiqeModel",
    "NoisePower",
    "SplitCorrelation",
    "circle_mask",
    "cldice",
    "cnr",
    "crack_scores",
    "dists",
    "edge_width",
    "false_share",
    "fit_pristine",
    "flicker",
    "fourier_ring_correlation",
    "fourier_shell_correlation",
    "grey_drift",
    "grey_range",
    "grid_dependence",
    "lpips",
    "ms_ssim",
    "niqe",
    "noise_power_spectrum",
    "psnr",
    "split_image_correlation",
    "ssim",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use."""
    if name not in _HOME:
        raise AttributeError(f"module 'napari_nanoct.quality' has no attribute {name!r}")
    return getattr(import_module(f"napari_nanoct.quality.{_HOME[name]}"), name)
