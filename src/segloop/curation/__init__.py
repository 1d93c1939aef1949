"""The review of a curated dataset, sample by sample; no Qt."""
