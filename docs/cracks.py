"""Measure how well cracks are found on fresh enhanced phantoms and on labelled slices; writes docs/cracks.md.

Usage: python docs/cracks.py DATA [--seeds 101 102 ...] (three seeds take a quarter of an hour on one core; DATA holds
ct). Needs scikit-learn besides what the package needs, for the random forest.

A section is a function that returns Markdown; `SECTIONS` lists them in the order of the page.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cracks_page as page
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.filters import apply_hysteresis_threshold

from napari_nanoct.cracks.blocks import pieces_of
from napari_nanoct.cracks.classifier import CrackClassifier
from napari_nanoct.cracks.features import default_features, slice_features
from napari_nanoct.cracks.probability import probability_rule
from napari_nanoct.cracks.proposal import propose
from napari_nanoct.cracks.scribbles import CLASSES
from napari_nanoct.cracks.settings import HIGH, LOW
from napari_nanoct.enhance import Enhancer
from napari_nanoct.evaluation.cracks import find_cracks
from napari_nanoct.evaluation.protocols import degrade
from napari_nanoct.evaluation.scribbles import corrected, simulated_scribbles
from napari_nanoct.phantoms import Cathode, CrackSettings, phantom
from napari_nanoct.quality import crack_scores, false_share
from napari_nanoct.volumes import IntensityRange, intensity_range, open_volume

DOCS = Path(__file__).parent
CUBE = (1.0, 1.0, 1.0)
SHAPE = (24, 256, 256)
TRAINED_ON = (0, 6, 12, 18, 23)
"""Slices of the first phantom that the random forest learns from, with their whole truth."""

CATHODES = {
    "default": (40.0, Cathode()),
    "25 nm voxels": (25.0, Cathode()),
    "small particles": (
        40.0,
        Cathode(
            radius=900.0,
            radius_limits=(400.0, 1600.0),
            packing=0.65,
            cracks=CrackSettings(smallest_particle=500.0, aperture=(20.0, 120.0)),
        ),
    ),
}

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
Detector = Callable[[Grey, Mask], Mask]


@dataclass(frozen=True)
class Sample:
    """A phantom and what is known of it: volumes (z, y, x) in 0..1, masks, aperture in voxels."""

    before: Grey
    after: Grey
    cracks: Mask
    middle: Mask
    aperture: Grey
    where: Mask
    pores: Mask
    particles: Mask


@cache
def enhancer() -> Enhancer:
    """The shipped weights."""
    return Enhancer.load("utsr-light", 1, "cpu", "float32")


@cache
def sample(kind: str, seed: int, cracks: bool) -> Sample:
    """Make, degrade and enhance one phantom."""
    from scipy.ndimage import binary_dilation

    size, cathode = CATHODES[kind]
    made = phantom(SHAPE, seed=seed, voxel_size_nm=size, cathode=cathode, cracks=cracks)
    low, high = np.percentile(made.clean, (0.5, 99.5))
    clean = ((made.clean - low) / (high - low)).astype(np.float32)
    before = np.stack([degrade(plane, "blind", 1, 1, seed=1000 * seed + z) for z, plane in enumerate(clean)])
    after = enhancer().slices(before, intensity_range(open_volume(before)), np.float32)
    before, after = (intensity_range(open_volume(grey)).normalise(grey) for grey in (before, after))
    where = made.particles & ~binary_dilation(made.pores, iterations=2)
    return Sample(
        before,
        after,
        made.cracks,
        made.mid_surface,
        made.aperture / np.float32(size),
        where,
        made.pores,
        made.particles,
    )


def proposal(grey: Grey, where: Mask) -> Mask:
    """The proposal, told where the particles are."""
    return propose(grey, CUBE, mask=where).labels > 0


def automatic(grey: Grey, where: Mask) -> Mask:
    """The proposal, which finds the particles itself."""
    return propose(grey, CUBE).labels > 0


def local_threshold(grey: Grey, where: Mask) -> Mask:
    """The paper's local adaptive threshold, slice by slice."""
    return np.stack([find_cracks(plane, keep)[0] for plane, keep in zip(grey, where, strict=True)])


def otsu(grey: Grey, where: Mask) -> Mask:
    """Darker than Otsu's threshold."""
    from skimage.filters import threshold_otsu

    return np.asarray((grey < threshold_otsu(grey)) & where)


def ridge(name: str) -> Detector:
    """A ridge filter of scikit-image as it comes, by Otsu's threshold of its response."""

    def detect(grey: Grey, where: Mask) -> Mask:
        from skimage import filters

        response = getattr(filters, name)(grey, sigmas=(1, 2, 3), black_ridges=True)
        return np.asarray((response > filters.threshold_otsu(response[where])) & where)

    return detect


def forest(first: Sample) -> Detector:
    """scikit-image's trainable segmentation: random forest of 2-D features, taught by the truth of five slices."""
    from skimage.feature import multiscale_basic_features
    from skimage.future import TrainableSegmenter

    def features(plane: Grey) -> NDArray[np.float32]:
        return np.asarray(multiscale_basic_features(plane, sigma_max=8), np.float32)

    rows, names = [], []
    for z in TRAINED_ON:
        rows.append(features(first.after[z])[first.where[z]])
        names.append(1 + first.cracks[z][first.where[z]])
    model = TrainableSegmenter()
    chosen = np.random.default_rng(0).permutation(sum(map(len, rows)))[:40_000]
    model.clf.fit(np.concatenate(rows)[chosen], np.concatenate(names)[chosen])

    def detect(grey: Grey, where: Mask) -> Mask:
        found = np.zeros(grey.shape, bool)
        for z, plane in enumerate(grey):
            if where[z].any():
                found[z][where[z]] = model.clf.predict(features(plane)[where[z]]) == 2
        return found

    return detect


def spread(values: list[float], digits: int = 3) -> str:
    """Mean ± standard deviation."""
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"


def phantoms(options: argparse.Namespace) -> str:
    """Every detector on the same enhanced phantoms and their sound twins."""
    detectors: dict[str, Detector] = {
        "proposal, mask given": proposal,
        "proposal, automatic mask": automatic,
        "local threshold (Peng et al.)": local_threshold,
        "Otsu": otsu,
        "Frangi": ridge("frangi"),
        "Sato": ridge("sato"),
    }
    learnt = forest(sample("default", options.teacher, True))
    detectors["random forest, 2-D features"] = learnt
    lines = ["| phantoms | method | F1 strict | F1 at 1 voxel | precision | recall | false share / % |"]
    lines.append("| --- " * 7 + "|")
    for kind in CATHODES:
        for name, detect in detectors.items():
            rows = []
            for seed in options.seeds:
                one, sound = sample(kind, seed, True), sample(kind, seed, False)
                scores = crack_scores(one.cracks, detect(one.after, one.where), mask=one.where)
                wrong = 100 * false_share(detect(sound.after, sound.where), sound.where)
                tolerant = scores.tolerant
                rows.append((scores.strict.f1, tolerant.f1, tolerant.precision, tolerant.recall, wrong))
            shown = " | ".join(spread(list(column)) for column in zip(*rows, strict=True))
            lines.append(f"| {kind} | {name} | {shown} |")
            print(lines[-1], flush=True)
    return "## Fresh phantoms\n\n" + page.PHANTOMS + "\n" + "\n".join(lines) + "\n"


def taught(one: Sample, grey: Grey) -> tuple[CrackClassifier, float]:
    """Scribble on three slices, look at the preview and correct it three times; the share that was painted."""
    settings, slices = default_features(CUBE), (4, 12, 20)
    features = {z: slice_features(grey, z, CUBE, settings) for z in slices}
    painted = {
        z: simulated_scribbles(one.cracks[z], one.pores[z], one.particles[z], share=0.01, seed=z) for z in slices
    }
    for look in range(4):
        rows = np.concatenate([features[z][:, painted[z] > 0].T for z in slices])
        labels = np.concatenate([painted[z][painted[z] > 0] for z in slices])
        classifier = CrackClassifier.train(rows, labels, CLASSES, settings, IntensityRange(0.0, 1.0))
        if look < 3:
            for z in slices:
                found = apply_hysteresis_threshold(classifier.crack_probability(features[z]), LOW, HIGH)
                painted[z] = corrected(painted[z], found, one.cracks[z], one.pores[z], seed=100 * look + z)
    return classifier, len(labels) / sum(plane.size for plane in painted.values())


def found_by(classifier: CrackClassifier, grey: Grey, particles: Mask) -> Mask:
    """Cracks inside the particles, as `nanoct segment` finds them by a classifier."""
    planes = (slice_features(grey, z, CUBE, classifier.settings) for z in range(len(grey)))
    score = np.where(particles, np.stack([classifier.crack_probability(each) for each in planes]), np.float32(0))
    return pieces_of(probability_rule(LOW, HIGH), score) > 0


def scribbled(options: argparse.Namespace) -> str:
    """A classifier from scribbles on three slices of one phantom, on all the others."""
    teacher = sample("default", options.teacher, True)
    lines = [
        "| layer | painted / % | F1 strict | F1 at 1 voxel | precision | recall | false share / % |",
        "| --- " * 7 + "|",
    ]
    for layer, name in (("before", "before enhancement"), ("after", "enhanced")):
        classifier, share = taught(teacher, getattr(teacher, layer))
        rows = []
        for seed in options.seeds:
            one, sound = sample("default", seed, True), sample("default", seed, False)
            right, wrong = (found_by(classifier, getattr(each, layer), each.particles) for each in (one, sound))
            scores = crack_scores(one.cracks, right, mask=one.where)
            tolerant, invented = scores.tolerant, 100 * false_share(wrong, sound.where)
            rows.append((scores.strict.f1, tolerant.f1, tolerant.precision, tolerant.recall, invented))
        shown = " | ".join(spread(list(column)) for column in zip(*rows, strict=True))
        lines.append(f"| {name} | {100 * share:.1f} | {shown} |")
    return "## Scribbles on three slices\n\n" + page.SCRIBBLES + "\n" + "\n".join(lines) + "\n"


def thin(options: argparse.Namespace) -> str:
    """Recall of the mid-surface of cracks by their aperture, before and after enhancement."""
    lines = ["| aperture / voxels | before | after |", "| --- " * 3 + "|"]
    for low, high in ((0.5, 0.8), (0.8, 1.25), (1.25, 2.0), (2.0, 6.0)):
        shares: dict[str, list[float]] = {"before": [], "after": []}
        for seed in options.seeds:
            one = sample("default", seed, True)
            chosen = one.middle & one.where & (one.aperture >= low) & (one.aperture < high)
            for name in shares:
                near = _grown(proposal(getattr(one, name), one.where))
                if chosen.any():
                    shares[name].append(float(near[chosen].mean()))
        lines.append(f"| {low} to {high} | {spread(shares['before'])} | {spread(shares['after'])} |")
    text = (
        "Share of the cracks' mid-surface within a voxel of the proposal (particles given), by the local aperture; "
        "default cathode.\n"
    )
    return "## Thin cracks before and after enhancement\n\n" + text + "\n" + "\n".join(lines) + "\n"


def controls(options: argparse.Namespace) -> str:
    """What the gate says of sound phantoms, with no mask given."""
    lines = [
        '| cathode | sound: "no clear cracks" | false share of all voxels / % | cracked: cracks are found '
        "| cracks alone / % |",
        "| --- " * 5 + "|",
    ]
    for kind in CATHODES:
        silent, wrong, loud, right = 0, [], 0, []
        for seed in options.seeds:
            one, sound = sample(kind, seed, True), sample(kind, seed, False)
            nothing, found = automatic(sound.after, sound.where), automatic(one.after, one.where)
            silent += not nothing.any()
            wrong.append(100 * float(nothing.mean()))
            loud += found.any()
            right += [100 * float(_grown(one.cracks)[found].mean())] if found.any() else []
        count = len(options.seeds)
        figures = spread(wrong), f"{loud} of {count}", spread(right, 0) if right else ""
        lines.append(f"| {kind} | {silent} of {count} | {' | '.join(figures)} |")
    return "## The gate, with the automatic mask\n\n" + page.CONTROLS + "\n" + "\n".join(lines) + "\n"


def labelled(options: argparse.Namespace) -> str:
    """Labelled slices of NMC particles: the proposal on the slice as it is, degraded, and enhanced again."""
    from napari_nanoct.evaluation.cracks import crack_slices

    lines = ["| sample | slice as measured | degraded (`blind`, level 2) | enhanced |", "| --- " * 4 + "|"]
    rows: dict[str, list[tuple[float, ...]]] = {}
    for number, one in enumerate(crack_slices([str(options.data / "ct")])):
        low = degrade(one.image, "blind", 1, 1, seed=2000 + number)
        high = enhancer().slices(low[None], intensity_range(open_volume(low)), np.float32)[0]
        row = []
        for image in (one.image, low, high):
            grey = intensity_range(open_volume(image)).normalise(image)[None]
            row.append(crack_scores(one.cracks, proposal(grey, one.where[None])[0], mask=one.where).tolerant.f1)
        rows.setdefault(one.sample, []).append(tuple(row))
    for name, figures in rows.items():
        shown = " | ".join(spread(list(column)) for column in zip(*figures, strict=True))
        lines.append(f"| {name} ({len(figures)} slices) | {shown} |")
    return "## Labelled slices of NMC particles\n\n" + page.LABELLED + "\n" + "\n".join(lines) + "\n"


def _grown(mask: Mask) -> Mask:
    from scipy.ndimage import maximum_filter

    return np.asarray(maximum_filter(mask, 3, mode="constant"))


SECTIONS: tuple[Callable[[argparse.Namespace], str], ...] = (phantoms, scribbled, thin, controls, labelled)


def sections(options: argparse.Namespace) -> Iterator[str]:
    """Work out one section after the other."""
    for section in SECTIONS:
        begin = time.monotonic()
        yield section(options)
        print(f"{section.__name__}: {time.monotonic() - begin:.0f} s", flush=True)


def main() -> None:
    """Measure everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder that holds ct")
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105])
    parser.add_argument("--teacher", type=int, default=100, help="phantom that the random forest learns from")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds = ", ".join(map(str, options.seeds))
    foot = f"Seeds {seeds}; volumes of {' × '.join(map(str, SHAPE))} voxels."
    text = "\n".join([page.HEAD, *sections(options), page.FEATURES, foot, ""])
    (DOCS / "cracks.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
