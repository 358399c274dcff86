"""napari's reader for tomograms: everything that `open_volume` opens, at its place and lazily."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nanoct.errors import UserError
from napari_nanoct.volumes.formats import HDF5, on_disk

if TYPE_CHECKING:
    from napari_nanoct.volumes import Volume

SUFFIXES = (".tif", ".tiff", ".zarr", ".npy", *HDF5)

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | list[str]) -> Callable[[str], list[LayerData]] | None:
    """Return the reader if this is one tomogram: a file or a folder of a known kind; it is not opened yet."""
    if not isinstance(path, str):
        return None
    place = Path(path)
    if place.suffix.lower() in SUFFIXES:
        return read
    if place.is_dir() and any(entry.suffix.lower() in (".tif", ".tiff") for entry in place.iterdir()):
        return read
    if place.is_dir() and any((place / name).exists() for name in ("zarr.json", ".zattrs", ".zgroup", ".zarray")):
        return read
    return None


def read(path: str) -> list[LayerData]:
    """Open the tomogram as one lazy image layer; of an HDF5 file that does not say what to show, every volume."""
    from napari_nanoct.volumes import intensity_range, open_volume

    file = on_disk(path)
    paths = [Path(path)]
    if file.suffix.lower() in HDF5 and file.is_file():
        from napari_nanoct.volumes.hdf5 import volume_paths

        paths = volume_paths(Path(path))
    layers: list[LayerData] = []
    for one in paths:
        try:
            volume = open_volume(one)
        except UserError:
            if one == paths[-1] and not layers:
                raise
            continue  # the others can be seen
        limits = intensity_range(volume)
        name = volume.name if len(paths) == 1 else f"{volume.name} {one.relative_to(file).as_posix()}"
        layers.append(layer_data(volume, name=name, contrast_limits=(limits.low, limits.high)))
    return layers


def layer_data(volume: Volume, *, ndim: int = 3, **options: Any) -> LayerData:
    """Return napari's (data, options, type) for a volume.

    Parameters
    ----------
    volume : Volume
        Its pyramid becomes a multiscale layer.
    ndim : int
        3; or 2 to show the only slice of a volume as a 2-D layer.
    **options
        Further options of the layer; they win over the volume's own.
    """
    from napari_nanoct.docks.layers import placement

    levels = [level[0] for level in volume.levels] if ndim == 2 else list(volume.levels)
    own = {
        "name": volume.name,
        "multiscale": len(levels) > 1,
        "metadata": {"source": volume.source, **volume.metadata},
        **placement(volume.geometry, ndim),
    }
    return (levels if len(levels) > 1 else levels[0], {**own, **options}, "image")
