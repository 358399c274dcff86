"""Find the setting of the crack experiment's threshold: ``python docs/detector.py`` from the project's folder.

The best mean F1 on clean slices of phantoms that nothing is scored on, with thick and with thin cracks: where a perfect
restoration would do best, whatever the method. It stands in ``napari_nanoct/evaluation/cracks.py``.
"""

from __future__ import annotations

import numpy as np

from napari_nanoct.evaluation.cracks import crack_slices, find_cracks
from napari_nanoct.quality import crack_scores, false_share

PHANTOMS = [f"phantom:{seed}" for seed in (11, 12, 13)]
WINDOWS = (21, 41, 61, 81, 101)
OFFSETS = (0.12, 0.18, 0.24, 0.27, 0.3, 0.33, 0.36)


def main() -> None:
    """Print a table: F1 with the cracks of the default phantom, with thin ones, and what is found without any."""
    slices = list(crack_slices(PHANTOMS))
    print("| window | offset | F1 | F1, thin | mean | false share |")
    print("| --- " * 6 + "|")
    for window in WINDOWS:
        masks = [find_cracks(one.image, one.where, window, OFFSETS) for one in slices]
        for number, offset in enumerate(OFFSETS):
            found: dict[str, list[float]] = {"": [], "thin": [], "sound": []}
            for one, mask in zip(slices, (tried[number] for tried in masks), strict=True):
                kind = one.sample.partition(", ")[2]
                scored = crack_scores(one.cracks, mask, mask=one.where).strict.f1 if kind != "sound" else np.nan
                found[kind].append(scored if kind != "sound" else false_share(mask, one.where))
            thick, thin, false = (float(np.mean(values)) for values in found.values())
            print(f"| {window} | {offset} | {thick:.3f} | {thin:.3f} | {(thick + thin) / 2:.3f} | {false:.5f} |")


if __name__ == "__main__":
    main()
