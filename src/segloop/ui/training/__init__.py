"""The Training dock: start a training, watch it, continue it."""
