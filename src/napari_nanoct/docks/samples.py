"""Sample data: a phantom of a battery cathode as an instrument sees it, and the truth."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_nanoct.docks.reader import LayerData
    from napari_nanoct.phantoms import Acquisition, Phantom

SEED = 0


def phantom_low() -> list[LayerData]:
    """Return the phantom after the instrument, blurred and noisy, as one uint16 layer."""
    _, acquisition = _phantom()
    return [_layer(acquisition.data, "phantom low")]


def phantom_high() -> list[LayerData]:
    """Return the phantom's truth, in the same grey values: no blur but the voxel's own, no noise."""
    truth, acquisition = _phantom()
    return [_layer(acquisition.to_grey(truth.clean), "phantom high")]


def phantom_cracks() -> list[LayerData]:
    """Return a cracked phantom as a good enhancement leaves it, as scanned, and the truth: one label a crack."""
    import numpy as np
    from scipy.ndimage import label

    from napari_nanoct.phantoms import Instrument, acquire

    truth, scanned = _phantom()
    # Half a voxel of blur and little noise: what is left of both after an enhancement that works.
    mild = Instrument(psf=(0.4, 0.6), noise=(0.012, 0.016), photons=(8000.0, 12000.0), rings=0, shading=0.0)
    enhanced = acquire(truth.clean, seed=SEED, instrument=mild, grey_range=scanned.grey_range)
    labels, _ = label(truth.cracks, np.ones((3, 3, 3)))
    data, options, _ = _layer(labels.astype(np.int32), "crack truth")
    plain = {name: options[name] for name in ("name", "scale", "translate", "units", "axis_labels")}
    before, before_options, kind = _layer(scanned.data, "cracked phantom, scanned")
    return [
        _layer(enhanced.data, "cracked phantom, enhanced"),
        (before, {**before_options, "visible": False}, kind),
        (data, {**plain, "visible": False}, "labels"),
    ]


@lru_cache(maxsize=1)
def _phantom() -> tuple[Phantom, Acquisition]:
    from napari_nanoct.phantoms import acquire, phantom

    truth = phantom(seed=SEED)
    return truth, acquire(truth.clean, seed=SEED)


def _layer(data: NDArray[np.uint16], name: str) -> LayerData:
    from napari_nanoct.docks.reader import layer_data
    from napari_nanoct.volumes import intensity_range, open_volume

    truth, _ = _phantom()
    volume = replace(open_volume(data), geometry=truth.geometry, name=name)
    limits = intensity_range(volume)
    _, options, kind = layer_data(volume, contrast_limits=(limits.low, limits.high))
    return (data, options, kind)
