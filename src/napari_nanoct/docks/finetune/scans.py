"""Which layers of the viewer can be paired, how, and where is learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal  # type: ignore[attr-defined]

from napari_nanoct.docks import layers
from napari_nanoct.docks.choices import FACTORS, follow_layers, offered, plain
from napari_nanoct.docks.finetune.controls import AS_SHOWN, SEARCH, TuneControls
from napari_nanoct.docks.finetune.regions import as_shown, common_point, drawn_regions
from napari_nanoct.docks.threads import attempt
from napari_nanoct.docks.widgets import fill_combo
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image

    from napari_nanoct.docks.finetune.regions import Triple
    from napari_nanoct.finetune.project import Region
    from napari_nanoct.volumes import Volume

METHODS = {
    "pairs": "a better scan",
    "halves": "the other half-scan",
    "neighbours": "neighbouring slices",
    "blind-spot": "pixels around each pixel",
}
"""By what the network learns, in the dock."""


@dataclass(frozen=True, eq=False)
class Scans:
    """What is paired.

    Attributes
    ----------
    low, high : Volume
        Of the two layers; no second one where the volume teaches itself.
    method : str
        As in ``Project``.
    factor : int
        1, 2 or 4.
    """

    low: Volume
    high: Volume | None
    method: str
    factor: int


class ScanChoices(TuneControls):
    """The controls with the choices of layers, method, factor and regions filled in.

    Signals
    -------
    scans_changed
        Another layer, method or factor was chosen: pairs found before are void.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered.
    """

    scans_changed = Signal()

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        self.viewer = viewer
        self._low_picked = self._high_picked = False
        follow_layers(viewer, self._update_layers)
        self.low.currentIndexChanged.connect(self._low_chosen)
        self.high.currentIndexChanged.connect(self._scans_chosen)
        self.low.activated.connect(self._pick_low)
        self.high.activated.connect(self._pick_high)
        self.method.currentIndexChanged.connect(self._method_chosen)
        self.factor.currentIndexChanged.connect(self.scans_changed)
        for box in (self.low, self.high, self.method, self.factor, self.use, self.leave):
            box.currentIndexChanged.connect(self.changed)
        self._update_layers()
        if self.image is None:
            self._low_chosen()

    @property
    def image(self) -> Image | None:
        """The chosen low-resolution layer."""
        return self.low.currentData()

    @property
    def high_image(self) -> Image | None:
        """The chosen high-resolution layer, or other half-scan."""
        return self.high.currentData()

    def scans(self) -> Scans:
        """Return what is to be paired.

        Raises
        ------
        UserError
            If a layer cannot be used.
        """
        low = layers.layer_volume(self.image or plain(self.viewer.layers.selection.active))
        if self.high_image is self.image:
            raise UserError(f"“{low.name}” cannot be its own better scan; choose another layer as High, or none.")
        high = None if self.high_image is None else layers.layer_volume(self.high_image)
        return Scans(low, high, self.method.currentData(), self.factor.currentData())

    def regions(self) -> tuple[Region, ...]:
        """Return where is learnt and where not, in pixels of the low-resolution layer."""
        low: Any = self.image
        both = ((self.use.currentData(), True), (self.leave.currentData(), False))
        return tuple(region for shapes, use in both for region in drawn_regions(shapes, low, self.viewer.dims, use))

    def common_point(self) -> tuple[Triple, Triple] | None:
        """Return one place in voxels of either layer, or None where it is to be searched for."""
        low, high, chosen = self.image, self.high_image, self.common.currentData()
        if low is None or high is None or chosen == SEARCH:
            return None
        if chosen == AS_SHOWN:
            return as_shown(low, high, self.viewer.dims)
        return common_point(chosen, low, high, self.viewer.dims)

    def choose_scans(self, low: Image, high: Image | None, method: str, factor: int) -> None:
        """Choose layers, method and factor."""
        self._low_picked = self._high_picked = True
        self.low.setCurrentIndex(self.low.findText(low.name))
        self.high.setCurrentIndex(0 if high is None else self.high.findText(high.name))
        self.method.setCurrentIndex(self.method.findData(method))
        self.factor.setCurrentIndex(self.factor.findData(factor))

    def _update_layers(self, event: object = None) -> None:
        from napari.layers import Image, Points, Shapes

        images: list[tuple[str, Any]] = [(layer.name, layer) for layer in offered(self.viewer, Image)]
        shapes: list[tuple[str, object]] = [(layer.name, layer) for layer in offered(self.viewer, Shapes)]
        points: list[tuple[str, object]] = [(layer.name, layer) for layer in offered(self.viewer, Points)]
        fill_combo(self.use, [("everything", None), *shapes])
        fill_combo(self.leave, [("nothing", None), *shapes])
        fill_combo(self.common, [("searched for", SEARCH), ("layers as they lie", AS_SHOWN), *points], SEARCH)
        for _, layer in images:
            for name in ("scale", "units"):
                getattr(layer.events, name).connect(self._resized)  # the same one again does nothing
        before = self.image
        fill_combo(self.low, images, plain(self.viewer.layers.selection.active))
        self._suggest_low()
        low_other = self.image is not before
        high_other = fill_combo(self.high, [("none: learn from the noise", None), *images])
        if low_other:
            self._low_chosen()
        elif high_other or self._suggest_high():
            self._scans_chosen()
        if low_other or high_other:
            self.changed.emit()

    def _resized(self, event: Any) -> None:
        """Follow voxel sizes that are set by hand: factor and pairs are others with them."""
        before = self.image, self.high_image
        self._update_layers()
        now = self.image, self.high_image
        if now == before and event.source in now:
            self._scans_chosen()

    def _low_chosen(self) -> None:
        self.pairs.clear()  # they are void
        if self.image is None:
            self.status.setText("Open a tomogram, or File > Open Sample > nanoCT > Pairs to fine-tune on.")
        else:
            found = attempt(layers.layer_volume, self.image)
            self.status.setText(found.problem or "")
            if found.value is not None:
                self.every.setValue(max(1, found.value.shape[0] // 8))
        self._suggest_high()
        self._scans_chosen()

    def _suggest_low(self) -> None:
        """Choose the layer of the coarsest voxels as Low where the user has chosen none and nothing is paired yet."""
        sizes = [_pixel_size(self.low.itemData(place)) or 0.0 for place in range(self.low.count())]
        settled = self._low_picked or self.pairs.count() > 0
        if settled or not sizes or max(sizes) <= 1.1 * sizes[self.low.currentIndex()]:
            return
        blocked = self.low.blockSignals(True)
        self.low.setCurrentIndex(sizes.index(max(sizes)))
        self.low.blockSignals(blocked)

    def _suggest_high(self) -> bool:
        """Choose the layer of the finest voxels as High where there is none yet; tell whether it is another."""
        if self._high_picked or self.pairs.count() > 0 or self.high_image not in (None, self.image):
            return False
        before = self.high_image
        size = _pixel_size(self.image)
        others = [self.high.itemData(place) for place in range(1, self.high.count())]
        finer = [(found, layer) for layer in others if size and (found := _pixel_size(layer)) and found < 0.9 * size]
        chosen = min(finer, key=lambda entry: entry[0])[1] if finer else None
        blocked = self.high.blockSignals(True)
        self.high.setCurrentIndex(0 if chosen is None else self.high.findText(chosen.name))
        self.high.blockSignals(blocked)
        return self.high_image is not before

    def _pick_low(self) -> None:
        self._low_picked = True

    def _pick_high(self) -> None:
        self._high_picked = True

    def _scans_chosen(self) -> None:
        """Offer the methods and factors that fit the layers."""
        names = ("neighbours", "blind-spot") if self.high_image is None else ("pairs", "halves")
        fill_combo(self.method, [(METHODS[name], name) for name in names], names[0])
        self.common.setEnabled(self.high_image is not None)
        self._method_chosen()

    def _method_chosen(self) -> None:
        from napari_nanoct.finetune.pairing import ASSUMES
        from napari_nanoct.finetune.scans import expected

        method = self.method.currentData()
        self.assumes.setText(ASSUMES.get(method, ""))
        factors: tuple[int, ...] = (1,)
        likely = 1
        if method == "pairs":
            factors = (1, 2, 4)
            scans = attempt(lambda: (layers.layer_volume(self.image), layers.layer_volume(self.high_image))).value
            found = attempt(expected, *scans, None, None).value if scans else None
            likely = found.factor if found is not None else 1
        fill_combo(self.factor, [(FACTORS[factor], factor) for factor in factors])
        blocked = self.factor.blockSignals(True)
        self.factor.setCurrentIndex(factors.index(likely))
        self.factor.blockSignals(blocked)
        self.scans_changed.emit()


def _pixel_size(layer: Image | None) -> float | None:
    """Return the height of a layer's pixel in metres, or None where it is not known."""
    from napari_nanoct.volumes.units import METRES

    if layer is None:
        return None
    geometry = layers.layer_geometry(layer)
    return geometry.voxel_size[1] * METRES[geometry.unit] if geometry.unit in METRES else None
