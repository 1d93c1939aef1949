"""The models that come with Segloop, each in a folder of its own beside this file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def bundled_folder() -> Path:
    """Return the folder of the models that come with Segloop."""
    return Path(str(files(__name__)))
