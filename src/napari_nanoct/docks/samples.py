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
    from napari_nanoct.volumes import Geometry

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


def phantom_pairs() -> list[LayerData]:
    """Return two scans of one phantom: a wide one, out of focus and smoothed as no training has it, and a sharp zoom.

    The zoom has voxels half as large, is turned by 2 degrees and lies elsewhere than its origin says.
    """
    from napari_nanoct.phantoms import phantom
    from napari_nanoct.volumes import Geometry

    clean = phantom((32, 384, 384), seed=SEED + 1).clean
    return [
        _placed(wide_scan(clean), "wide scan", Geometry((80.0, 80.0, 80.0), unit="nanometer")),
        _placed(zoom_scan(clean), "zoom scan", Geometry((40.0, 40.0, 40.0), unit="nanometer")),
    ]


def wide_scan(clean: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return voxels twice as large under a wide point spread function, the noise smoothed after the reconstruction."""
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from napari_nanoct.phantoms import Instrument, acquire

    coarse = clean.reshape(-1, 2, *clean.shape[1:]).mean(axis=1)
    blurred = Instrument(psf=(2.2, 2.7), noise=(0.07, 0.08), photons=(1000.0, 1200.0), rings=0, shading=0.02)
    data = acquire(coarse, factor=2, seed=SEED, instrument=blurred).data
    return np.rint(gaussian_filter(data.astype(np.float64), (0, 0.8, 0.8))).astype(np.uint16)


def zoom_scan(clean: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return the inner part with little noise, turned by 2 degrees."""
    import numpy as np
    from scipy.ndimage import affine_transform

    from napari_nanoct.phantoms import Instrument, acquire

    angle, edge = np.deg2rad(2.0), 304
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle, half = np.array([200.0, 181.0]), np.full(2, (edge - 1) / 2)
    planes = [
        affine_transform(plane, turn, middle - turn @ half, output_shape=(edge, edge), order=3) for plane in clean[2:30]
    ]
    sharp = Instrument(psf=(0.4, 0.5), noise=(0.01, 0.012), photons=(8000.0, 9000.0), rings=0, shading=0.0)
    return acquire(np.stack(planes), seed=SEED, instrument=sharp).data


@lru_cache(maxsize=1)
def _phantom() -> tuple[Phantom, Acquisition]:
    from napari_nanoct.phantoms import acquire, phantom

    truth = phantom(seed=SEED)
    return truth, acquire(truth.clean, seed=SEED)


def _layer(data: NDArray[np.uint16], name: str) -> LayerData:
    return _placed(data, name, _phantom()[0].geometry)


def _placed(data: NDArray[np.uint16], name: str, geometry: Geometry) -> LayerData:
    from napari_nanoct.docks.reader import layer_data
    from napari_nanoct.volumes import intensity_range, open_volume

    volume = replace(open_volume(data), geometry=geometry, name=name)
    limits = intensity_range(volume)
    _, options, kind = layer_data(volume, contrast_limits=(limits.low, limits.high))
    return (data, options, kind)
