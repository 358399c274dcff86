"""Learns from scribbles and answers for parts of single slices, as a volume run would; no Qt here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_nanoct.docks.cracks.overlay import Window, tiles
from napari_nanoct.docks.cracks.planes import Planes
from napari_nanoct.errors import UserError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_nanoct.cracks.classifier import CrackClassifier
    from napari_nanoct.cracks.features import FeatureSettings
    from napari_nanoct.cracks.scribbles import ScribbleStore
    from napari_nanoct.jobs import CancelToken
    from napari_nanoct.volumes import Volume

CACHE_BYTES = 768 << 20
"""Features are kept up to here; a tile of 256 x 256 takes about 8 MB."""

PER_CLASS = 4000
"""Labelled voxels of a class that a slice gives to learn from, at most."""

CANDIDATES = 12
"""Slices that are tried to find where the classifier is least sure."""

NOTHING = "There are no scribbles yet; choose a brush and paint some cracks and some background."


@dataclass(eq=False)
class Slice:
    """What is known of a slice so far: the probability of a crack, in the tiles that are done."""

    z: int
    classifier: CrackClassifier
    probability: NDArray[np.float32]
    done: set[Window] = field(default_factory=set)


class Teacher:
    """One volume, its features as far as they were needed, and what was learned last; one piece of work at a time.

    Parameters
    ----------
    volume : Volume
        Of the layer.
    model_sha256 : str
        Of the network that made it, for the classifier's record.
    whole : Volume, optional
        What the volume is a part of: its range of grey values counts.
    """

    def __init__(self, volume: Volume, model_sha256: str = "", whole: Volume | None = None) -> None:
        self.volume = volume
        self.model_sha256 = model_sha256
        self._whole = whole or volume
        self._lock = threading.Lock()
        self._planes: Planes | None = None
        self._features: OrderedDict[tuple[FeatureSettings, int, Window], NDArray[np.float32]] = OrderedDict()
        self._store: ScribbleStore | None = None  # that the two below were taken from
        self._samples: dict[int, tuple[int, NDArray[np.float32], NDArray[np.uint8]]] = {}
        self._learned: tuple[object, CrackClassifier] | None = None

    def classifier(
        self, store: ScribbleStore | None, loaded: CrackClassifier | None, cancel: CancelToken
    ) -> CrackClassifier:
        """Return the one that was loaded, else the one that the scribbles make.

        Raises
        ------
        UserError
            If there are neither, or scribbles that nothing can be learned from.
        """
        return loaded if loaded is not None else self.learn(store, cancel)

    def learn(self, store: ScribbleStore | None, cancel: CancelToken) -> CrackClassifier:
        """Return the classifier that all scribbles make; the last one if they are the same as then.

        Raises
        ------
        UserError
            If there are no scribbles, or of one class alone, or none is a crack.
        """
        from napari_nanoct.cracks.classifier import CrackClassifier
        from napari_nanoct.cracks.features import default_features

        with self._lock:
            cancel.check()
            slices = store.labelled_slices() if store is not None else ()
            if store is None or not slices:
                raise UserError(NOTHING)
            if store is not self._store:  # slices of two stores have the same versions
                self._store, self._learned = store, None
                self._samples.clear()
            state = (store.classes, tuple((z, store.version(z)) for z in slices))
            if self._learned is not None and self._learned[0] == state:
                return self._learned[1]
            settings = default_features(self.volume.geometry.voxel_size)
            samples = [self._sample(store, settings, z, cancel) for z in slices]
            labels = np.concatenate([sample[2] for sample in samples])
            check_labels(labels, store.classes)
            classifier = CrackClassifier.train(
                np.concatenate([sample[1] for sample in samples]),
                labels,
                store.classes,
                settings,
                self.planes().intensity,
                geometry=self.volume.geometry,
                model_sha256=self.model_sha256,
            )
            self._learned = (state, classifier)
            return classifier

    def fill(self, seen: Slice, wanted: Sequence[Window], cancel: CancelToken, *, keep: bool = True) -> None:
        """Work out the probability of a crack in tiles of a slice that are not done yet; `keep` their features."""
        with self._lock:
            for tile in wanted:
                cancel.check()
                if tile not in seen.done:
                    y0, y1, x0, x1 = tile
                    features = self._tile(seen.classifier.settings, seen.z, tile, keep=keep)
                    found = seen.classifier.crack_probability(features)
                    found[~self.planes().finite(seen.z, tile)] = 0  # as in a volume run
                    seen.probability[y0:y1, x0:x1] = found
                    seen.done.add(tile)

    def least_sure(
        self,
        store: ScribbleStore | None,
        loaded: CrackClassifier | None,
        window: Window,
        mask: Volume | None,
        cancel: CancelToken,
    ) -> int:
        """Return the slice without scribbles where the classifier wavers most between its two best classes.

        Slices spread evenly over the depth are tried, each in the tiles nearest to the middle of `window`; of their
        voxels in the mask the least sure twentieth counts, for most of any slice is plain.

        Raises
        ------
        UserError
            If every slice has scribbles, or none that is tried a voxel in the mask.
        """
        classifier = self.classifier(store, loaded, cancel)
        with self._lock:
            labelled = set(store.labelled_slices()) if store is not None else set()
            free = [z for z in range(self.volume.shape[0]) if z not in labelled]
            if not free:
                raise UserError(f"Every slice of “{self.volume.name}” has scribbles; there is no other to label.")
            picked = {free[round(place)] for place in np.linspace(0, len(free) - 1, min(CANDIDATES, len(free)))}
            doubts = {}
            for z in sorted(picked):
                found = []
                for tile in tiles(window)[:2]:
                    cancel.check()
                    features = self._tile(classifier.settings, z, tile, keep=False)
                    second, first = np.sort(classifier.probabilities(features), axis=0)[-2:]
                    y0, y1, x0, x1 = tile
                    inside = self.planes().finite(z, tile)
                    if mask is not None:
                        inside &= np.asarray(mask.data[z, y0:y1, x0:x1]) > 0
                    found.append((second / first)[inside])
                doubt = np.sort(np.concatenate(found))
                if len(doubt):
                    doubts[z] = float(doubt[-max(1, len(doubt) // 20) :].mean())
            if not doubts:
                raise UserError(
                    f"No slice of “{self.volume.name}” that was tried has values inside the mask in the middle of the "
                    "view; move the view, or choose another one for “Inside”."
                )
            return max(doubts, key=lambda z: doubts[z])

    def planes(self) -> Planes:
        """Return the normalised volume; the range is looked for once."""
        from napari_nanoct.volumes import intensity_range

        if self._planes is None:
            self._planes = Planes(self.volume, intensity_range(self._whole))
        return self._planes

    def _sample(
        self, store: ScribbleStore, settings: FeatureSettings, z: int, cancel: CancelToken
    ) -> tuple[int, NDArray[np.float32], NDArray[np.uint8]]:
        """Return version, features (n, f) and classes (n,) of a slice's scribbles."""
        from napari_nanoct.cracks.classifier import drawn

        version = store.version(z)
        known = self._samples.get(z)
        if known is not None and known[0] == version:
            return known
        plane = store[z]
        rows, columns = np.nonzero(plane)
        kept = drawn(plane[rows, columns], PER_CLASS, seed=z)
        rows, columns = rows[kept], columns[kept]
        features, labels = [], []
        for tile in tiles((0, plane.shape[0], 0, plane.shape[1])):
            y0, y1, x0, x1 = tile
            inside = (rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1)
            if inside.any():
                cancel.check()
                features.append(self._tile(settings, z, tile)[:, rows[inside] - y0, columns[inside] - x0].T)
                labels.append(plane[rows[inside], columns[inside]])
        sample = (version, np.concatenate(features), np.concatenate(labels))
        self._samples[z] = sample
        return sample

    def _tile(self, settings: FeatureSettings, z: int, tile: Window, *, keep: bool = True) -> NDArray[np.float32]:
        """Return the features (f, y, x) of a tile of a slice."""
        from napari_nanoct.cracks.features import slice_features

        key = (settings, z, tile)
        if key in self._features:
            self._features.move_to_end(key)
            return self._features[key]
        found = slice_features(self.planes(), z, self.volume.geometry.voxel_size, settings, window=tile)
        if keep:
            self._features[key] = found
            while sum(block.nbytes for block in self._features.values()) > CACHE_BYTES:
                self._features.popitem(last=False)
        return found


def check_labels(labels: NDArray[np.uint8], classes: tuple[str, ...]) -> None:
    """Refuse scribbles that nothing can be learned from.

    Raises
    ------
    UserError
        If they are of one class alone, or none is a crack.
    """
    there = [classes[number - 1] for number in np.unique(labels)]
    if len(there) == 1:
        raise UserError(f"All scribbles are “{there[0]}”; paint some of another class as well.")
    if classes[0] not in there:
        raise UserError(f"No scribble is “{classes[0]}”; paint some cracks as well.")
