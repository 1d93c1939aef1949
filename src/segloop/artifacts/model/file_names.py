"""The files of a model."""

from __future__ import annotations

CARD = "model.json"
WEIGHTS = "weights.safetensors"
TEST_INPUT = "test_input.npy"
TEST_OUTPUT = "test_output.npy"
FILES = (CARD, WEIGHTS, TEST_INPUT, TEST_OUTPUT)
