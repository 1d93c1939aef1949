"""How many wrong objects one corrects in a minute, with Segloop's tools and with those of bare napari.

Both correct the same objects in one viewer: delete, join two parts, cut two glued objects. What the program
needs for a correction is measured; Segloop's is on disk afterwards and can be undone. What a person does for
it is counted: a click, a line and a key are an action each. Corrections in a minute are for a person who
needs a second for each action. Run it alone: ``python benchmarks/corrections.py``; with ``--tiny`` it is
done in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common.label_layers import open_side_by_side

from segloop.app.presenters.curation.label_editor import LabelEditor
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.images.pairing import Pair
from segloop.images.write import write_image

SECONDS_AN_ACTION = 1.0
SIDE, GAP = 32, 40
"""Objects are two squares of 16 x 32 pixels beside each other, on a grid."""


@dataclass(frozen=True)
class Correction:
    """A kind of correction.

    Attributes
    ----------
    name : str
        What it is called.
    ours, bare : callable
        Do it to the object at y, x.
    our_actions, bare_actions : int
        What a person does: with Segloop a click or a line. In napari, to delete is a click with the tool to
        fill and label 0; to join is pick (key, click) and fill (key, click); to cut is a line with the tool
        to erase (key, line), and a new label for one half (key, key, click).
    """

    name: str
    ours: Callable[[int, int], None]
    bare: Callable[[int, int], None]
    our_actions: int
    bare_actions: int


def make(folder: Path, side: int) -> tuple[CuratedDataset, dict[str, list[tuple[int, int]]]]:
    """Make a dataset of one image, and return what is to be corrected at which y and x."""
    labels = np.zeros((side, side), np.uint16)
    places: dict[str, list[tuple[int, int]]] = {"delete": [], "join": [], "cut": []}
    number = 0
    grid = [(y, x) for y in range(8, side - SIDE, GAP) for x in range(8, side - SIDE, GAP)]
    for at, (y, x) in enumerate(grid):
        kind = list(places)[at % 3]
        places[kind].append((y, x))
        number += 1
        labels[y : y + SIDE, x : x + SIDE] = number
        if kind == "join":
            number += 1
            labels[y : y + SIDE, x + SIDE // 2 : x + SIDE] = number
    raw = write_image(folder / "raw" / "a.tif", labels, axes="YX")
    seg = write_image(folder / "seg" / "a.tif", labels, axes="YX")
    pair = Pair("a", raw, seg)
    return CuratedDataset.create(folder / "dataset", [pair], label_kind="instances"), places


def corrections(editor: LabelEditor, layer: Any) -> list[Correction]:
    """Return the three kinds, by the tools of an editor and by those of a bare layer."""

    def choose(tool: Any) -> None:
        if editor.tool != tool:  # again would put it away
            editor.use(tool)

    def click(tool: Any) -> Callable[[int, int], None]:
        def act(y: int, x: int) -> None:
            choose(tool)
            editor.click((0, y + 4, x + 4))

        return act

    def line(tool: Any, start: tuple[int, int], end: tuple[int, int]) -> Callable[[int, int], None]:
        def act(y: int, x: int) -> None:
            choose(tool)
            editor.draw_line(0, [(y + start[0], x + start[1]), (y + end[0], x + end[1])])

        return act

    def bare_delete(y: int, x: int) -> None:
        layer.fill((y + 4, x + 4), 0)

    def bare_join(y: int, x: int) -> None:
        layer.fill((y + 4, x + SIDE - 4), int(layer.data[y + 4, x + 4]))

    def bare_cut(y: int, x: int) -> None:
        layer.brush_size = 1
        with layer.block_history():
            for row in range(y - 1, y + SIDE + 1):
                layer.paint((row, x + SIDE // 2), 0)
        layer.fill((y + 4, x + SIDE - 4), int(layer.data.max()) + 1)

    half = SIDE // 2
    return [
        Correction("delete", click("delete"), bare_delete, 1, 1),
        Correction("join", line("join", (8, 4), (8, SIDE - 4)), bare_join, 1, 4),
        Correction("cut", line("cut", (-4, half), (SIDE + 4, half)), bare_cut, 1, 5),
    ]


def measure(side: int, most: int) -> list[tuple[Correction, float, float]]:
    """Return the medians of what the program needs, in milliseconds: with Segloop, in bare napari."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        dataset, places = make(Path(folder), side)
        layers = open_side_by_side(dataset)
        ours, bare = layers.ours, layers.bare
        n_before = len(np.unique(bare.data))
        for each in corrections(layers.editor, bare):
            times: dict[Any, list[float]] = {each.ours: [], each.bare: []}
            for y, x in places[each.name][:most]:
                for act, layer in ((each.ours, ours), (each.bare, bare)):
                    layers.show(layer)
                    layers.application.processEvents()
                    started = time.perf_counter()
                    act(y, x)
                    layers.application.processEvents()
                    times[act].append(1000 * (time.perf_counter() - started))
            found.append((each, statistics.median(times[each.ours]), statistics.median(times[each.bare])))
        n_ours, n_bare = len(np.unique(np.asarray(ours.data))), len(np.unique(bare.data))
        done = [min(most, len(places[name])) for name in places]
        if not n_ours == n_bare == n_before - done[0] - done[1] + done[2]:
            raise RuntimeError(
                f"Not all objects were corrected: {n_before} before, {n_ours} and {n_bare} now."
            )
        layers.viewer.close()
    return found


def main() -> int:
    """Print the table; exit with 1 if a person corrects fewer objects in a minute than in bare napari."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="a small image and few objects")
    tiny = parser.parse_args().tiny
    print(f"{'correction':<12}{'':>10}{'ms':>9}{'actions':>9}{'a minute':>10}")
    worst = 99.0
    for each, ours, bare in measure(256 if tiny else 2048, 3 if tiny else 60):
        minutes = []
        for name, needed, actions in (
            ("Segloop", ours, each.our_actions),
            ("napari", bare, each.bare_actions),
        ):
            minutes.append(60 / (actions * SECONDS_AN_ACTION + needed / 1000))
            print(f"{each.name:<12}{name:>10}{needed:>9.1f}{actions:>9}{minutes[-1]:>10.1f}")
        worst = min(worst, minutes[0] / minutes[1])
    print(f"Segloop corrects at least {worst:.2f} times as many objects in a minute.")
    return int(not tiny and worst < 0.95)


if __name__ == "__main__":
    raise SystemExit(main())
