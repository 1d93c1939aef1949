"""The models to choose from, and what their cards say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from segloop.app.run_length import short_training
from segloop.artifacts.model.model import Model
from segloop.core.context import Context
from segloop.core.errors import ModelError
from segloop.core.paths import exists
from segloop.core.wording import counted
from segloop.targets import Metric


@dataclass(frozen=True)
class ModelEntry:
    """One line of the list.

    Attributes
    ----------
    name : str
        What is shown.
    path : str
        What it is chosen by: a model folder or zip, or a run.
    model : Model or None
        None if it can't be read.
    problem : str
        Why it can't be read.
    brief : str
        How long it was trained, such as ``"10 s"``, if that was too short for a useful model.
    """

    name: str
    path: str
    model: Model | None
    problem: str = ""
    brief: str = ""

    @property
    def label(self) -> str:
        """The name, and if its training was short."""
        return f"{self.name}, trained for {self.brief}" if self.brief else self.name

    @property
    def description(self) -> str:
        """What the model is for, what it was trained on and its scores, in a few lines."""
        return self.problem if self.model is None else describe_model(self.model)

    @property
    def identity(self) -> tuple[str, str]:
        """Differs if another model, or a newer state of the same run, would be used."""
        return self.path, self.model.card.model_dump_json() if self.model is not None else self.problem


class ModelList:
    """The models, and the one that is chosen."""

    changed = Signal()
    """The list is another one."""

    chosen_changed = Signal()
    """Another model is chosen, or the run that is chosen has a newer model."""

    def __init__(self) -> None:
        self._entries: tuple[ModelEntry, ...] = ()
        self._chosen = -1

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """All of them, in the order to show."""
        return self._entries

    @property
    def chosen_index(self) -> int:
        """Which entry is chosen; -1 for none."""
        return self._chosen

    @property
    def chosen(self) -> ModelEntry | None:
        """The chosen entry."""
        return self._entries[self._chosen] if 0 <= self._chosen < len(self._entries) else None

    @property
    def model(self) -> Model | None:
        """The chosen model; None without one that can be read."""
        chosen = self.chosen
        return chosen.model if chosen is not None else None

    @property
    def n_inputs(self) -> int:
        """How many channels of an image the chosen model uses; 1 without a model."""
        return len(self.model.card.recipe.channels) if self.model is not None else 1

    def set_entries(self, entries: Sequence[ModelEntry], wanted: str) -> None:
        """List models, and choose the one with path ``wanted``, else the first."""
        before = self.chosen
        self._entries = tuple(entries)
        paths = [entry.path for entry in entries]
        self._chosen = paths.index(wanted) if wanted in paths else 0 if paths else -1
        self.changed.emit()
        now = self.chosen
        if now is not None and (before is None or before.identity != now.identity):
            self.chosen_changed.emit()

    def choose(self, index: int) -> None:
        """Choose an entry."""
        if index != self._chosen and 0 <= index < len(self._entries):
            self._chosen = index
            self.chosen_changed.emit()


def load_entries(found: Mapping[str, Path], extra: Sequence[str], context: Context) -> list[ModelEntry]:
    """Read the cards of models; takes a while on a slow disk.

    Parameters
    ----------
    found : mapping of str to Path
        Models by the name to show.
    extra : sequence of str
        Paths that the user has chosen elsewhere; those that no longer exist are left out.
    context : Context
        Cancel.
    """
    entries = []
    named = {str(path): name for name, path in found.items()}
    for path in (*named, *(path for path in extra if path not in named)):
        context.check()
        if path not in named and not exists(path):
            continue
        try:
            model = Model.load(path)
        except ModelError as error:
            entries.append(ModelEntry(named.get(path, Path(path).name), path, None, str(error)))
        else:
            name = named.get(path, model.card.name)
            entries.append(ModelEntry(name, path, model, brief=short_training(Path(path))))
    return entries


def describe_model(model: Model) -> str:
    """Return in a few lines what a model is for, what it was trained on and its scores."""
    card = model.card
    dims = "3D" if card.axes == "ZYX" else "2D"
    target = model.target()
    first = [f"{dims} {target.summary()}"]
    pixel = _pixel_size(card.pixel_size_um)
    first += [f"{pixel} pixels"] if pixel else []
    provenance = card.provenance
    size = (provenance.get("config") or {}).get("network", {}).get("size", "")
    network = f"{size} {card.network.get('name', '')}".strip()
    first += [network] if network else []
    lines = [card.description] if card.description else []
    lines += [", ".join(first), f"Channels: {', '.join(card.recipe.build().names)}"]
    dataset = provenance.get("dataset") or {}
    trained = []
    if dataset.get("name"):
        trained.append(f"Trained on {dataset['name']} ({_images(dataset.get('train_samples'))})")
    if provenance.get("created"):
        trained.append(str(provenance["created"])[:10])
    lines += [", ".join(trained)] if trained else []
    scores = _scores(provenance.get("scores") or {}, target.metrics)
    lines += [scores] if scores else []
    return "\n".join(lines)


def _images(number: Any) -> str:
    if not isinstance(number, int):
        return "an unknown number of images"
    return counted(number, "image")


def _scores(scores: Mapping[str, Any], metrics: Sequence[Metric]) -> str:
    known = [(metric.title, scores.get(f"val_{metric.name}")) for metric in metrics]
    parts = [f"{title} {value:.2f}" for title, value in known if value is not None]
    return f"Validation: {', '.join(parts)}" if parts else ""


def _pixel_size(size: Sequence[float | None]) -> str:
    known = [step for step in size if step]
    if not known:
        return ""
    if len({f"{step:.3g}" for step in known}) == 1:
        return f"{known[-1]:.3g} µm"
    return " x ".join(f"{step:.3g}" for step in known) + " µm"
