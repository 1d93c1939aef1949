"""The files of a model."""

from __future__ import annotations

CARD = "model.json"
WEIGHTS = "weights.safetensors"
TEST_INPUT = "test_input.npy"
TEST_OUTPUT = "test_output.npy"
FILES = (CARD, WEIGHTS, TEST_INPUT, TEST_OUTPUT)

ZOO_DESCRIPTIONS = ("bioimageio.yaml", "rdf.yaml")
"""What a package of the BioImage Model Zoo describes itself in, the one that counts first."""
