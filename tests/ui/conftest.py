"""The docks' tests share their fixtures with the end-to-end tests in napari's window."""

from gui_fixtures import *  # noqa: F403
from prediction_fixtures import *  # noqa: F403
