"""Figures of image quality, each with its source, shapes and units."""

from napari_nanoct.quality.reference import circle_mask, grey_range, psnr, ssim

__all__ = ["circle_mask", "grey_range", "psnr", "ssim"]
