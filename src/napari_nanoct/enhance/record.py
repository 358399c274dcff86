"""The record of a run, which stands in its output."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from napari_nanoct.enhance.device import describe
from napari_nanoct.enhance.tiling import network_pixels
from napari_nanoct.jobs.record import stamp, versions

if TYPE_CHECKING:
    from napari_nanoct.enhance.enhancer import Enhancer
    from napari_nanoct.enhance.settings import EnhanceSettings
    from napari_nanoct.enhance.target import Target
    from napari_nanoct.volumes import IntensityRange, Volume


def make_record(
    settings: EnhanceSettings,
    volume: Volume,
    target: Target,
    enhancer: Enhancer,
    intensity: IntensityRange,
    fingerprint: str,
    seconds: float,
) -> dict[str, Any]:
    """Return all that is needed to tell how a volume was made, and to make it again, as JSON values."""
    card = enhancer.card
    tiles = enhancer.tiles(volume.shape[1:], target.crop)
    return {
        **stamp("enhance", seconds),
        "network_seconds": round(enhancer.network_seconds, 3),
        "input": {
            "source": volume.source,
            "name": volume.name,
            "shape": list(volume.shape),
            "dtype": str(volume.dtype),
            "fingerprint": fingerprint,
        },
        "intensity_range": [intensity.low, intensity.high],
        "model": {"name": card.name, "scale": card.scale, "sha256": card.sha256, "training": dict(card.training)},
        "settings": {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(settings).items()
        },
        "device": describe(enhancer.device),
        "precision": enhancer.precision,
        "tiles": {
            "period": card.period,
            "halo": card.halo,
            "per_slice": len(tiles),
            "largest": list(max(tiles, key=lambda tile: tile.shape[0] * tile.shape[1]).shape),
            "network_pixels_per_pixel": round(network_pixels(tiles, card.period) / target.voxels_per_slice, 4),
        },
        "versions": versions(),
    }
