"""What docs/cracks.md says around the figures that docs/cracks.py measures."""

from napari_nanoct.cracks.probability import SMALLEST
from napari_nanoct.cracks.settings import HIGH, LOW

HEAD = """# How well cracks are found

Written by `python docs/cracks.py DATA --seeds 103 104 105`. Phantoms of the default cathode, of finer voxels and of
smaller particles, 24 x 256 x 256 voxels, degraded slice by slice (`blind`, level 2) and enhanced by the shipped
utsr-light ×1. Mean ± standard deviation over three phantoms. The proposal's thresholds were set on seeds 11 to 17, 101
and 102; a gate that let more through was looked at on 103 to 105, too, and given up. Scores are those inside the
particles and off the pores, as in the [crack experiment](quality.md).

By itself the proposal is careful: where cracks fill little of the particles it says "no clear cracks", as in one of the
three phantoms of finer voxels, which counts here as an F1 of 0. Gaps between particles are as deep and as long there as
its cracks are; a mask of the particles finds them.
"""

PHANTOMS = """*False share*: voxels in per cent that are found in the same phantom without its cracks. Every method but
*automatic mask* is told where the particles are; the random forest (scikit-image's trainable segmentation, which needs
scikit-learn) is given the whole truth of five slices of another phantom of the default cathode. Once the particles are
known and the slices enhanced, dark is crack: Otsu's threshold and the forest find as much, with more false voxels. What
the others lack is the mask.
"""

CONTROLS = """No mask is given, and all voxels count, the gaps between particles too. *Cracks alone*: share in per
cent of what is found in the cracked phantoms that is within a voxel of a crack; the rest are gaps between particles,
which are dark plates as well. Where gaps matter, give a mask of the particles. A crack must lie deep inside a body
for a seventh, which gaps seldom do, or for a little where it is dark somewhere. On the phantoms for tuning, enhanced
by earlier weights of ×1, 14 of 15 cracked ones speak, with a mean F1 at 1 voxel of 0.89 (25 nm), 0.92
(default) and 0.90 (small particles), and of what is found 47, 46 and 41 % are cracks; of 19 sound ones one speaks, of
25 nm, which has a gap so long, narrow and dark that it is taken for a crack. With a tenth for all, however dark,
nearly all of one crack was lost, and F1 of the small particles was 0.85. A gate for which a quarter as much sufficed
where it was deep for two fifths and dark told the phantoms for tuning apart better; on this page's it let two of nine
sound ones speak and found no crack more, and was given up.
"""

SCRIBBLES = f"""Thin strokes on three slices of one phantom, drawn from its truth, and after each of three looks at
the preview a few more where it was wrong by more than a voxel; then the other phantoms, which nobody labelled. Cracks
reach a probability of {HIGH} and go on down to {LOW}, as `nanoct segment` and the dock start, are of {SMALLEST} voxels
at least, and inside the particles.

How well it goes depends on the three slices. Taught on seeds 11, 12, 13 and 14 of the default cathode and scored on
the others of these, on 101 and on 102, F1 at 1 voxel was 0.93, 0.89, 0.93 and 0.82: the slices of 14 hold cracks in
0.1 to 0.3 % of their pixels, those of 11 in 2 %. Trees whose leaves may hold single voxels got 0.92, 0.84, 0.93 and
0.79 from 0.75 down to 0.45, and from 0.8 down to 0.4 they leaked on the small scene of the dock's test (strict F1 0.61,
now 1).
"""

LABELLED = """F1 at 1 voxel inside the particles, of the proposal in single slices. The labels are coarse, most of what
they call a crack looks like a gap between grains, and a slice is noisy: good for ranking alone, and low. The thresholds
for one slice were adjusted with these very slices in view, so the row is no independent test.
"""

FEATURES = """## What was tried and left out

`python benchmarks/utsr_features.py --data DATA`, F1 at one pixel of single slices, all from the same scribbles; given
are mean differences and their standard errors. **The network's own channels** as further features (the 64 that its last
convolution is fed with): −0.115 ± 0.040 on 12 slices of phantoms, where the corrections followed the preview without
them, +0.001 ± 0.004 on 12 pairs of labelled slices, where nothing was corrected. They would tie a classifier to one
network besides: not built in. **lightgbm** for xgboost, alike as far as their settings go: −0.004 ± 0.010 and −0.003 ±
0.004, and its answers take 2.6 times as long: not needed.
"""
