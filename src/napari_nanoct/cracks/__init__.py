"""Cracks: features, proposal without labels, scribble classifier, segmentation of whole volumes, measurements."""
