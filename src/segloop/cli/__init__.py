"""The ``segloop`` command, one file a verb."""
