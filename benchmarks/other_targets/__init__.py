"""Targets that `benchmarks/targets.py` compares with the built-in one; none of them is installed."""
