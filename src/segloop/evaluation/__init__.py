"""Scores, baseline and reports."""
