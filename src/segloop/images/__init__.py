"""Pixels in and out: reading, writing, pairing, channel recipe, normalisation."""
