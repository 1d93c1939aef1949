"""The vocabulary that every room shares: errors, progress and cancel, atomic files, metrics."""
