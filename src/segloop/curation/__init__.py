"""Building and reviewing a curated dataset, with undo."""
