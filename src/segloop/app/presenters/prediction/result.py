"""One image's result, and what shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from segloop.prediction.kept import KeptPrediction, Shown
from segloop.targets import ParameterSet
from segloop.targets.output import Output

Region = tuple[slice, slice, slice, slice]
"""Part of a result along T, Z, Y and X."""


class ResultView(Protocol):
    """Shows one result; in the viewer, layers do."""

    name: str
    """Of the image."""

    painted: Any
    """psygnal signal with the name of a layer: the user painted on it, and it is the user's own now."""

    @property
    def source(self) -> object | None:
        """What the result was made from; None once that is gone."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it is on screen, or about to be."""
        ...

    @property
    def pending(self) -> bool:
        """Whether something of it is about to be on screen."""
        ...

    @property
    def region(self) -> Region | None:
        """The part that is in view; None if that is not known."""
        ...

    def shows(self, kind: Output) -> bool:
        """Whether an output is on screen."""
        ...

    def holds(self, layer: object) -> bool:
        """Whether a layer is part of it."""
        ...

    def show(self, shown: Shown, kinds: Sequence[Output]) -> None:
        """Show the outputs of these kinds, and no others."""
        ...

    def update(self, shown: Shown) -> None:
        """Show new pixels in the outputs that are on screen."""
        ...

    def adopt(self, older: Any) -> None:
        """Take over what another view of the same source has on screen."""
        ...

    def remove(self) -> None:
        """Take everything off the screen."""
        ...

    def let_go(self) -> None:
        """Leave what is on screen to the user."""
        ...


@dataclass(eq=False)
class Result:
    """One image's result.

    Attributes
    ----------
    view : ResultView
        Shows it.
    input : str
        How the job's events name the image.
    record : Path
        Where its record will be.
    folder : Path or None
        Scratch folder of its job; None if its files are the user's.
    source_path : str
        File behind the source layer; empty if it was never saved.
    growing : dict of str to Path
        Outputs that are still being written, by name.
    kept : KeptPrediction or None
        Once it is finished.
    shown : Shown or None
        What the view shows, once it is finished.
    """

    view: ResultView
    input: str
    record: Path
    folder: Path | None = None
    source_path: str = ""
    growing: dict[str, Path] = field(default_factory=dict)
    kept: KeptPrediction | None = None
    shown: Shown | None = None

    def follows(self, thresholds: ParameterSet) -> bool:
        """Whether thresholds are of the kind that the model has which made it."""
        return self.kept is not None and type(thresholds) is self.kept.target.parameters_type

    def own_or(self, thresholds: ParameterSet) -> ParameterSet:
        """Return thresholds if it follows them, else those that it is shown with."""
        return thresholds if self.shown is None or self.follows(thresholds) else self.shown.parameters

    @property
    def can_decode(self) -> bool:
        """Whether it is finished and its probability was kept."""
        return self.kept is not None and self.kept.can_decode

    @property
    def is_lazy(self) -> bool:
        """Whether outputs are read from its files as they are looked at."""
        arrays = self.shown.arrays.values() if self.shown is not None else ()
        return not all(isinstance(array, np.ndarray) for array in arrays)
