"""The end-to-end tests in napari's window share their fixtures with the docks' tests."""

from importlib.util import find_spec

if find_spec("napari") is not None:
    from gui_fixtures import *  # noqa: F403
