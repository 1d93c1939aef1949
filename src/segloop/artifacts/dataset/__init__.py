"""The curated dataset: samples, what the curator decided about them, and the ground truth that follows."""
