"""Curated datasets: samples, the curator's decisions, and the ground truth composed from them."""
