"""Results without files and layers: a probability in memory, and a view that notes what it is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from psygnal import Signal

from prediction_records import make_record
from segloop.app.presenters.prediction.result import Result
from segloop.prediction.kept import Shown
from segloop.targets import make_target
from segloop.targets.output import MASK, PROBABILITY


def thresholds(foreground=0.5):
    """Return parameters of the semantic target."""
    return make_target("semantic").parameters_type(foreground=foreground)


class FakeView:
    """Stands for the layers of one result."""

    painted = Signal(str)

    def __init__(self, name="a", source=None, region=None):
        self.name, self.source, self.region = name, source, region
        self.pending = False
        self.on_screen = {}
        self.removed = self.left = False

    @property
    def is_empty(self):
        return not self.on_screen

    def shows(self, kind):
        return kind in self.on_screen

    def holds(self, layer):
        return layer is self

    def show(self, shown, kinds):
        self.on_screen = {kind: shown.arrays[kind] for kind in kinds if kind in shown.arrays}

    def update(self, shown):
        self.on_screen.update({k: a for k, a in shown.arrays.items() if k in self.on_screen})

    def adopt(self, older):
        self.on_screen, older.on_screen = older.on_screen, {}

    def remove(self):
        self.on_screen, self.removed = {}, True

    def let_go(self):
        self.left = True


class FakeKept:
    """A kept prediction that decodes its probability in memory, and counts how often."""

    can_decode = True

    def __init__(self, maps):
        self.maps = maps
        self.target = make_target("semantic")
        self.provenance = make_record({})
        self.n_decoded = 0

    def decode(self, parameters, context):
        context.check()
        self.n_decoded += 1
        masks = np.stack([self.target.decode(maps, parameters).mask for maps in self.maps])
        return Shown({MASK: masks}, ("foreground",), parameters, f"at {parameters.foreground}")


def result(length, region=None, source=None):
    """Return a finished result of ``length`` x ``length`` pixels whose probability rises to the right."""
    row = np.linspace(0, 255, length).astype(np.uint8)
    maps = np.broadcast_to(row, (1, 1, 1, length, length)).copy()
    kept = FakeKept(maps)
    masks = (maps[:, 0] >= 128).astype(np.uint8)
    arrays = {MASK: masks, PROBABILITY: maps}
    shown = Shown(arrays, ("foreground",), thresholds(), "at 0.5")
    view = FakeView(source=source, region=region)
    view.show(shown, [MASK])
    return Result(view, "", Path("a.json"), kept=kept, shown=shown)
