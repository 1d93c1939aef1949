"""The run as Python code uses it."""

from __future__ import annotations

from segloop.app.model import Model
from segloop.artifacts.run import run as artifact


class Run(artifact.Run):
    """One training, known by its folder: `segloop.train` returns it, `Run.open` finds it again."""

    def model(self) -> Model:
        """Return the best model so far, ready to predict.

        Raises
        ------
        ModelError
            If the run has not made a model yet.
        """
        return Model.load(self.path)
