"""Importing models: of Segloop, and of the BioImage Model Zoo."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.app.processes import has_ended, kill_tree, last_line, start_segloop, wait_for_status
from segloop.artifacts.model.model import Model, place_for
from segloop.core.errors import ModelError
from segloop.exchange.zoo_package import is_zoo_package

if TYPE_CHECKING:
    from segloop.core.context import Context

_LOOK_S = 0.1


def import_model(
    file: str | os.PathLike[str],
    into: str | os.PathLike[str] | None = None,
    *,
    foreground: str = "",
    boundary: str = "",
    activation: str = "",
    context: Context | None = None,
) -> Model:
    """Check a model and make it usable by name.

    Parameters
    ----------
    file : path
        A zip that `Model.export` wrote, or a package of the BioImage Model Zoo with ONNX weights, as a zip or
        a folder; maybe by a stranger.
    into : path, optional
        Folder to create the model's folder in; the user's model folder if not given.
    foreground : str, optional
        Of a package of the zoo with several outputs, the name or number of the one that is the probability of
        foreground.
    boundary : str, optional
        The one that is the probability of a boundary, by which objects are separated.
    activation : {"", "sigmoid", "softmax"}, optional
        What turns the outputs of a package of the zoo into probabilities if the package does not say it.
    context : Context, optional
        Receives progress, and may cancel.

    Raises
    ------
    ModelError
        If it can't be imported. Then nothing is written.
    Cancelled
        If the context asks to stop.
    """
    if is_zoo_package(file):
        from segloop.exchange.zoo_import import Choices, import_from_zoo

        return import_from_zoo(file, into, Choices(foreground, boundary, activation), context)
    if foreground or boundary or activation:
        raise ModelError(
            f"{os.fspath(file)} is not a package of the BioImage Model Zoo, which alone can leave open what "
            "its outputs are: leave out foreground, boundary and activation."
        )
    return Model.import_zip(file, into)


def assumptions(model: Model) -> Sequence[str]:
    """Return what was assumed when a model was imported, in sentences."""
    found = model.card.provenance.get("assumptions")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


@dataclass(frozen=True)
class UsableModel:
    """A model that was chosen by its path.

    Attributes
    ----------
    path : str
        By which it can be used.
    message : str
        If it had to be imported, what to say about that.
    """

    path: str
    message: str = ""


def usable_model(path: str, context: Context) -> UsableModel:
    """Return how to use what the user chose: a package of the zoo is imported, in a process of its own.

    Raises
    ------
    ModelError
        If it can't be imported.
    Cancelled
        If the context asks to stop.
    """
    if not is_zoo_package(path):
        return UsableModel(path)
    destination, _ = place_for(path)
    context.progress(0, 1, f"Importing {Path(path).name}: its test is run")
    with tempfile.TemporaryDirectory(prefix="segloop-", ignore_cleanup_errors=True) as folder:
        log = Path(folder) / "import.log"
        process = start_segloop(["model", "import", path], log)
        try:
            while not has_ended(process):
                context.check()
                time.sleep(_LOOK_S)
        finally:
            kill_tree(process.pid)
            wait_for_status(process, 5)
        if process.returncode != 0:
            sentence = last_line(log).removeprefix("Error: ")
            raise ModelError(sentence or f"The process that imported {path} ended: try again.")
    sentences = [f"Imported as {destination.name}.", *assumptions(Model.load(destination))]
    return UsableModel(str(destination), " ".join(sentences))
