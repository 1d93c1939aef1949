"""Folders for files that are shared by all workspaces of a user."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "SEGLOOP_HOME"
"""Environment variable that moves all of these folders into one."""


def data_folder() -> Path:
    """Return the folder for what should be kept: ``$SEGLOOP_HOME``, or else the user's data folder."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("segloop", appauthor=False)


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``$SEGLOOP_HOME/cache``, or else the user's cache."""
    if named := os.environ.get(VARIABLE):
        return Path(named) / "cache"
    from platformdirs import user_cache_path

    return user_cache_path("segloop", appauthor=False)


def models_folder() -> Path:
    """Return the folder of the models that the user imported."""
    return data_folder() / "models"


def default_workspace() -> Path:
    """Return the folder of the first workspace: in the user's home, or below ``$SEGLOOP_HOME``."""
    if os.environ.get(VARIABLE):
        return data_folder() / "workspace"
    return Path.home() / "segloop"
