"""Measured cracks in the viewer: colours, the crack that is chosen, the aperture as a layer; no Qt here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nanoct.docks.choices import plain
from napari_nanoct.docks.cracks.table import FLAG
from napari_nanoct.docks.layers import layer_geometry, world_point

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Labels

    from napari_nanoct.cracks.measurement import Crack, Measurement
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Volume

SOUND, CHOSEN = "#e8472b", "#ffd60a"
"""Colours of cracks, and of the one that is chosen."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Cracks with their figures.

    Attributes
    ----------
    measurement : Measurement
        Every crack, and all together.
    apertures : array, (z, y, x) float32
        The local opening at labelled voxels, 0 elsewhere; kept compressed.
    """

    measurement: Measurement
    apertures: Any


def measure(
    labels: Any,
    volume: Volume,
    original: Volume | None,
    mask: Any,
    pores: Any,
    dark: bool,
    say: Callable[[int, int], None],
    cancel: CancelToken,
) -> Measured:
    """Measure labelled cracks; may take minutes, so call it in a thread.

    Parameters
    ----------
    labels : array
        (z, y, x) integers on the volume's grid.
    volume, original : Volume
        Grey values, and those before the enhancement.
    mask : array or None
        (z, y, x), not 0 in the sample; None: all of the volume.
    pores : array or None
        (z, y, x), not 0 in pores; None: they are not known.
    dark : bool
        Whether cracks are darker than what they run through.
    say : callable
        Called with blocks done and in all.
    cancel : CancelToken
        Checked at every block.
    """
    import zarr
    from zarr.storage import MemoryStore

    from napari_nanoct.cracks.measure import measure_cracks

    chunks = tuple(min(size, length) for size, length in zip((64, 192, 192), volume.shape, strict=True))
    apertures = zarr.create_array(MemoryStore(), shape=volume.shape, chunks=chunks, dtype="f4", fill_value=0)

    def progress(done: int, total: int) -> None:
        cancel.check()
        say(done, total)

    measurement = measure_cracks(
        labels, volume, pores=pores, mask=mask, original=original, dark=dark, apertures=apertures, progress=progress
    )
    return Measured(measurement, apertures)


class CrackLayer:
    """The Labels layer whose cracks are in the table."""

    def __init__(self, viewer: napari.Viewer, layer: Labels, measured: Measured) -> None:
        self.viewer = viewer
        self.layer = layer
        self.measured = measured
        self.choose(None)

    def choose(self, crack: Crack | None) -> None:
        """Give the crack the colour of the chosen one, and the others theirs."""
        from napari.utils.colormaps import DirectLabelColormap

        colours: dict[Any, Any] = {None: SOUND, 0: "transparent"}
        colours.update({found.id: FLAG for found in self.measured.measurement.cracks if found.only_enhanced})
        if crack is not None:
            colours[crack.id] = CHOSEN
        self.layer.colormap = DirectLabelColormap(color_dict=colours)

    def go_to(self, crack: Crack) -> None:
        """Show the crack in the middle of the view, at its own slice, in the colour of the chosen one."""
        if self.layer not in self.viewer.layers:
            return
        self.choose(crack)
        self.layer.visible = True
        dims, geometry = self.viewer.dims, self.measured.measurement.geometry
        first = dims.ndim - 3
        # By its voxel: the layer may have another unit, or place, than the image that it was measured over.
        voxel = (np.array(crack.centre) - geometry.origin) / geometry.voxel_size
        lies = layer_geometry(self.layer)
        point = world_point(self.layer, dims, (voxel * lies.voxel_size + lies.origin).tolist())
        for axis, place in enumerate(point, first):
            dims.set_point(axis, place)
        camera = getattr(self.viewer, "scene", self.viewer).camera  # "scene" since napari 0.9
        shown = [dims.point[axis] if axis < first else point[axis - first] for axis in dims.displayed]
        camera.center = (*((0.0,) * (3 - len(shown))), *shown)

    def add_aperture(self) -> Image:
        """Add the local opening as a coloured layer right above the cracks."""
        import dask.array as da
        from napari.utils.colormaps import ensure_colormap

        stack, whole = self.viewer.layers, self.measured.measurement.whole
        colours = np.array(ensure_colormap("turbo").map(np.linspace(0, 1, 256)))
        colours[0, 3] = 0  # where there is no crack there is nothing to see
        edges, area = whole.aperture_edges, whole.aperture_area
        share = np.cumsum(area) / max(float(np.sum(area)), 1e-30)
        top = float(edges[1 + np.searchsorted(share, 0.99)]) if len(area) else 1.0
        layer = plain(
            self.viewer.add_image(
                da.from_array(self.measured.apertures, chunks=self.measured.apertures.chunks),
                name=f"{self.layer.name} aperture",
                scale=self.layer.scale,
                translate=self.layer.translate,
                affine=self.layer.affine,
                units=self.layer.units,
                axis_labels=self.layer.axis_labels,
                colormap={"colors": colours, "name": "aperture"},
                contrast_limits=(0.0, top),
                interpolation2d="nearest",
            )
        )
        stack.move(len(stack) - 1, stack.index(self.layer) + 1)
        return layer


def summary(measurement: Measurement) -> str:
    """Return what all cracks together come to, in a line or two."""
    whole, unit = measurement.whole, measurement.geometry.unit
    if not whole.count:
        return "No cracks."
    from napari_nanoct.volumes.units import SYMBOLS

    short = SYMBOLS.get(unit, unit)
    through = [axis for axis, reaches in zip("zyx", whole.percolates, strict=True) if reaches]
    parts = [
        f"{whole.count} cracks" if whole.count > 1 else "1 crack",
        f"{whole.volume_fraction:.2%} of the volume",
        f"mean aperture {whole.aperture_mean:.3g} {short}",
        f"Euler number {whole.euler}",
        f"cracks reach from border to border along {', '.join(through)}" if through else "no crack goes through",
    ]
    if whole.only_enhanced:
        parts.append(f"⚑ {whole.only_enhanced} of them the original does not prove")
    return " · ".join(parts)
