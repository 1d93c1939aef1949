"""The check of model against images, with the user's choice of channels and slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from segloop.app.presenters.prediction.channel_inputs import ChannelInput, channel_inputs
from segloop.app.presenters.prediction.compatibility import Compatibility, Remedy, check_images
from segloop.config.predict import PredictConfig

if TYPE_CHECKING:
    from segloop.app.layers import LayerImage
    from segloop.app.presenters.background import Background
    from segloop.app.presenters.prediction.model_list import ModelEntry
    from segloop.app.presenters.prediction.settings import Settings

LANE = "check"


class InputCheck:
    """Checks the chosen images against the chosen model in the background; only the newest answer counts.

    Parameters
    ----------
    background : Background
        Do the reading.
    settings : Settings
        Remembers channels and slices.
    """

    changed = Signal()
    """There is another result, or another choice."""

    failed = Signal(Exception)
    """The check itself failed."""

    def __init__(self, background: Background, settings: Settings) -> None:
        self._background = background
        self._settings = settings
        self._model_name = self._model_path = ""
        self._last: tuple[ModelEntry | None, Sequence[LayerImage | str]] = (None, ())
        self.result = Compatibility()
        self.inputs: tuple[ChannelInput, ...] = ()
        self.is_2d = False

    def fits(self, entry: ModelEntry | None) -> bool:
        """Whether the images were checked against a model, and it can be applied to them."""
        return entry is not None and entry.path == self._model_path and self.result.fits

    @property
    def slice_by_slice(self) -> bool:
        """Whether a 2D model is applied to each slice of a stack."""
        return self._settings.slice_by_slice

    @property
    def offers_slices(self) -> bool:
        """Whether slice by slice makes a difference here."""
        return self.is_2d and self.result.is_stack

    def check(self, entry: ModelEntry | None, sources: Sequence[LayerImage | str]) -> None:
        """Check images against a model; without either, there is nothing to show."""
        self._last = (entry, sources)
        if entry is None or entry.model is None or not sources:
            self._background.drop(LANE)
            self.result = Compatibility()
            self.changed.emit()
            return
        self._background.run(
            check_images,
            entry.model.card,
            list(sources),
            self.apply(PredictConfig()),
            lane=LANE,
            on_result=partial(self._on_checked, entry),
            on_error=self.failed.emit,
        )

    def choose_channel(self, number: int, chosen: int | None) -> None:
        """Choose which channel feeds input ``number``; None leaves it open."""
        inputs = list(self.inputs)
        inputs[number] = replace(inputs[number], chosen=chosen)
        self.inputs = tuple(inputs)
        self._settings.remember_channels(self._model_name, self.result.channel_names, self.chosen_names())
        self.check(*self._last)

    def set_slice_by_slice(self, wanted: bool) -> None:
        """Apply a 2D model to each slice of a stack, or refuse stacks."""
        if wanted != self.slice_by_slice:
            self._settings.slice_by_slice = wanted
            self.check(*self._last)

    def use(self, remedy: Remedy) -> None:
        """Do what a remark suggests."""
        if remedy is Remedy.slice_by_slice:
            self.set_slice_by_slice(True)

    def chosen_names(self) -> list[str]:
        """Return the names of the chosen channels, in the order of the inputs; empty while one is open."""
        names = [each.channels[each.chosen] for each in self.inputs if each.chosen is not None]
        return names if len(names) == len(self.inputs) else []

    def apply(self, config: PredictConfig) -> PredictConfig:
        """Return a config with the chosen channels and slices."""
        keys = [str(each.keys[each.chosen]) for each in self.inputs if each.chosen is not None]
        channels = keys if len(keys) == len(self.inputs) else []
        return replace(config, channels=channels, slice_by_slice=self.slice_by_slice)

    def _on_checked(self, entry: ModelEntry, result: Compatibility) -> None:
        if entry.model is None:
            return
        self.result = result
        self.is_2d = entry.model.card.axes == "YX"
        self._model_name, self._model_path = entry.name, entry.path
        before = self.chosen_names()
        names = tuple(entry.model.card.recipe.channels)
        if (names, result.channel_names) != (
            tuple(each.name for each in self.inputs),
            self.inputs[0].channels if self.inputs else (),
        ):
            wanted = self._settings.channels(entry.name, result.channel_names)
            self.inputs = channel_inputs(names, result.channel_names, wanted)
        self.changed.emit()
        if self.chosen_names() != before:  # other channels are asked for, with a guess
            self.check(*self._last)
