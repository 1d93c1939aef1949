"""The model: weights, and everything needed to apply them, as a folder or a zip file."""
