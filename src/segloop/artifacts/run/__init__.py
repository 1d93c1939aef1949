"""The run: a folder with everything about one training."""
