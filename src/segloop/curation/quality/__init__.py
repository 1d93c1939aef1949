"""Whether the samples of a dataset are fit to learn from: measured, judged, reported."""
