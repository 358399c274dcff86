"""The live preview: learn from the scribbles and show the slice in view, what is seen first, what is stale never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal  # type: ignore[attr-defined]

from napari_nanoct.docks.cracks.overlay import Overlay, Window, tiles
from napari_nanoct.docks.cracks.teacher import Slice, Teacher
from napari_nanoct.docks.threads import Latest, Outcome
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    import napari
    from napari.layers import Image
    from numpy.typing import NDArray

    from napari_nanoct.cracks.classifier import CrackClassifier
    from napari_nanoct.cracks.scribbles import ScribbleStore
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Volume

BATCH = 8
"""Tiles outside the view that are worked out before they are shown."""

WAIT_MS = 120
"""Quiet after a stroke or a move before the preview starts."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is to be shown, taken down on the main thread.

    Attributes
    ----------
    teacher : Teacher
        Of the layer's volume.
    image : napari.layers.Image
        The layer.
    store : ScribbleStore or None
        Scribbles to learn from; None to use `classifier` as it is.
    classifier : CrackClassifier or None
        One that was loaded.
    z : int
        Slice in view.
    window : (int, int, int, int)
        Tiles of it in view.
    mask : Volume or None
        Not 0 where cracks may be.
    high, low : float
        Hysteresis thresholds.
    """

    teacher: Teacher
    image: Image
    store: ScribbleStore | None
    classifier: CrackClassifier | None
    z: int
    window: Window
    mask: Volume | None
    high: float
    low: float


class LivePreview(QObject):
    """Shows what the classifier makes of the slice in view, while it is on.

    Signals
    -------
    said : str
        A line for the status.
    learned : CrackClassifier
        The classifier that the preview shows.

    Parameters
    ----------
    viewer : napari.Viewer
        It gets the overlay.
    look : callable
        Returns the `Look` of this moment; may raise `UserError`.
    """

    said = Signal(str)
    learned = Signal(object)

    def __init__(self, viewer: napari.Viewer, look: Callable[[], Look]) -> None:
        super().__init__()
        self.overlay = Overlay(viewer)
        self.on = False
        self._look = look
        self._work = Latest()
        self._slice: Slice | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT_MS)
        self._timer.timeout.connect(self._start)

    def switch(self, on: bool) -> None:
        """Begin or end; the end takes the overlay away."""
        self.on = on
        if on:
            self._start()
        else:
            self.end()
            self.overlay.remove()

    def touch(self, event: object = None) -> None:
        """Start anew in a moment: a stroke, another slice, another threshold."""
        if self.on:
            self._timer.start()

    def end(self) -> None:
        """Stop what is going on, unheard; touches nothing of Qt's, which may have gone already."""
        self.on = False
        self._work.cancel()
        self._slice = None

    def _start(self) -> None:
        if not self.on:
            return
        try:
            look = self._look()
        except UserError as error:
            self.said.emit(str(error))
            return
        self.said.emit(f"Slice {look.z}: working…")
        self._go(look, tiles(look.window))

    def _go(self, look: Look, wanted: list[Window]) -> None:
        def then(outcome: Outcome) -> None:
            if outcome.value is None:
                self.said.emit(outcome.problem or "")
            elif look.image in self.overlay.viewer.layers:
                self._show(look, *outcome.value)

        self._work.start(then, work_out, look, self._slice, wanted)

    def _show(self, look: Look, seen: Slice, probability: NDArray[np.float32], cracks: NDArray[np.bool_]) -> None:
        if self._slice is None or seen.classifier is not self._slice.classifier:
            self.learned.emit(seen.classifier)
        self._slice = seen
        self.overlay.show(look.image, seen.z, probability, cracks)
        height, width = probability.shape
        y0, y1, x0, x1 = look.window
        around = tiles((0, height, 0, width), middle=((y0 + y1) / 2, (x0 + x1) / 2))
        rest = [tile for tile in around if tile not in seen.done]
        share = f", {len(rest)} parts outside the view to go" if rest else ""
        self.said.emit(f"Slice {seen.z}: {cracks.mean():.2%} crack{share}.")
        if rest:
            self._go(look, rest[:BATCH])


def work_out(
    look: Look, known: Slice | None, wanted: list[Window], cancel: CancelToken
) -> tuple[Slice, NDArray[np.float32], NDArray[np.bool_]]:
    """Learn what is new, add tiles to what is known of the slice, and return it, probability and cracks (y, x)."""
    classifier = look.teacher.classifier(look.store, look.classifier, cancel)
    if known is None or known.z != look.z or known.classifier is not classifier:
        known = Slice(look.z, classifier, np.zeros(look.teacher.volume.shape[1:], np.float32))
    look.teacher.fill(known, wanted, cancel)
    probability = known.probability.copy()
    if look.mask is not None:
        probability[np.asarray(look.mask.data[look.z]) == 0] = 0
    return known, probability, joined(probability, look.low, look.high)


def joined(probability: NDArray[np.float32], low: float, high: float) -> NDArray[np.bool_]:
    """Return what in a slice goes on at `low` from where it reaches `high`, over corners too, as in a volume run."""
    from scipy.ndimage import label

    found, count = label(probability >= low, np.ones((3, 3)))
    kept = np.zeros(count + 1, bool)
    kept[found[probability >= high]] = True
    return np.asarray(kept[found])
