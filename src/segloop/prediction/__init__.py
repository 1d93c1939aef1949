"""Predicting over files and layers; writing the outputs."""
