"""What the user chose, remembered for each workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from segloop.config import compose
from segloop.config.predict import OutputKind, PredictConfig
from segloop.core.errors import ConfigError
from segloop.targets import Thresholds
from segloop.ui.widgets.memory import Memory

if TYPE_CHECKING:
    from segloop.artifacts.model.model import Model
    from segloop.ui.prediction.dock import PredictionDock

_KEPT = 20


class _Remembered:
    """An attribute kept in the workspace."""

    def __init__(self, default: Any) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"prediction.{name}"

    def __get__(self, choices: Choices, owner: type) -> Any:
        return choices.memory.recall(self._key, self._default)

    def __set__(self, choices: Choices, value: Any) -> None:
        choices.memory.remember(self._key, value)


class Choices:
    """The dock's choices.

    Attributes
    ----------
    model : str
        Path of the model.
    extra_models : list of str
        Paths of models that the user has browsed to.
    slices : bool
        Slice by slice.
    save_folder : str
        Where results were saved last.
    files_job : str
        Folder of the last prediction of files.
    device : dict
        Config with device, precision and tile size.
    """

    model = _Remembered("")
    extra_models = _Remembered([])
    slices = _Remembered(False)
    save_folder = _Remembered("")
    files_job = _Remembered("")
    device = _Remembered({})
    _files = _Remembered(False)
    _paths = _Remembered(["", ""])
    _kinds = _Remembered({})
    _thresholds = _Remembered({})
    _channels = _Remembered({})

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def restore(self, dock: PredictionDock) -> None:
        """Show the choices in the dock's widgets."""
        widgets = (dock.sources, dock.fit_panel, dock.outputs)
        for widget in widgets:
            widget.blockSignals(True)
        inputs, out = self._paths
        dock.sources.inputs.set_value(inputs)
        dock.sources.out.set_value(out)
        dock.sources.use_files.setChecked(self._files)
        dock.sources.use_layers.setChecked(not self._files)
        dock.fit_panel.slices.setChecked(self.slices)
        for widget in widgets:
            widget.blockSignals(False)
        try:
            config = compose.from_dict(PredictConfig, self.device)
        except ConfigError:  # written by another version
            config = PredictConfig()
        dock.form.set_value(PredictConfig(tile_size=config.tile_size, device=config.device))

    def add_model(self, path: str) -> None:
        """Remember a model from elsewhere."""
        self.extra_models = [path, *(each for each in self.extra_models if each != path)][:_KEPT]

    def set_mode(self, files: bool) -> None:
        """Remember whether files or layers are predicted."""
        self._files = files

    def set_paths(self, inputs: str, out: str) -> None:
        """Remember which files, and where to."""
        self._paths = [inputs, out]

    def kinds(self, files: bool) -> list[str]:
        """Return the outputs ticked before; empty for none."""
        return list(self._kinds.get(_mode(files), []))

    def set_kinds(self, files: bool, kinds: Sequence[OutputKind]) -> None:
        """Remember the ticked outputs."""
        self._kinds = {**self._kinds, _mode(files): [kind.value for kind in kinds]}

    def thresholds(self, model: Model) -> Thresholds | None:
        """Return the thresholds used last with a model."""
        values = self._thresholds.get(model.sha256[:16])
        return Thresholds(**values) if values is not None else None

    def remember_thresholds(self, model: Model, thresholds: Thresholds) -> None:
        """Remember the thresholds used with a model."""
        kept = {key: value for key, value in self._thresholds.items() if key != model.sha256[:16]}
        newest = dict(list(kept.items())[1 - _KEPT :])
        self._thresholds = {
            **newest,
            model.sha256[:16]: {
                "foreground": thresholds.foreground,
                "min_size": thresholds.min_size,
                "splitting": thresholds.splitting,
            },
        }

    def channels(self, model: str, names: Sequence[str]) -> list[str]:
        """Return the channels chosen before for images with these channels."""
        return list(self._channels.get(_channels_key(model, names), []))

    def remember_channels(self, model: str, names: Sequence[str], chosen: Sequence[str]) -> None:
        """Remember the channels chosen for images with these channels."""
        self._channels = {**self._channels, _channels_key(model, names): list(chosen)}


def _mode(files: bool) -> str:
    return "files" if files else "layers"


def _channels_key(model: str, names: Sequence[str]) -> str:
    return "|".join((model, *names))
