"""What the user chose, remembered for each workspace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from segloop.config import compose
from segloop.config.predict import PredictConfig
from segloop.core.errors import ConfigError
from segloop.targets import ParameterSet
from segloop.targets.output import Output

if TYPE_CHECKING:
    from segloop.app.presenters.background import Memory
    from segloop.artifacts.model.model import Model

_MAX_KEPT = 20

T = TypeVar("T")


class _Remembered(Generic[T]):
    """An attribute kept in the workspace."""

    def __init__(self, default: T, key: str = "") -> None:
        self._default = default
        self._key = key

    def __set_name__(self, owner: type, name: str) -> None:
        self._key = f"prediction.{self._key or name}"

    @overload
    def __get__(self, settings: None, owner: type) -> _Remembered[T]: ...

    @overload
    def __get__(self, settings: Settings, owner: type) -> T: ...

    def __get__(self, settings: Settings | None, owner: type) -> T | _Remembered[T]:
        if settings is None:
            return self
        value: T = settings.memory.recall(self._key, self._default)
        return value

    def __set__(self, settings: Settings, value: T) -> None:
        settings.memory.remember(self._key, value)


class Settings:
    """The dock's choices.

    Attributes
    ----------
    model : str
        Path of the model.
    extra_models : list of str
        Paths of models that the user has chosen elsewhere.
    slice_by_slice : bool
        Whether a 2D model is applied to each slice of a stack.
    save_folder : str
        Where results were saved last.
    files_job : str
        Folder of the last prediction of files.
    is_files : bool
        Whether files or layers are predicted.
    inputs, out : str
        Files to predict, and where to.
    """

    model = _Remembered("")
    extra_models: _Remembered[list[str]] = _Remembered([])
    slice_by_slice = _Remembered(False, "slices")
    save_folder = _Remembered("")
    files_job = _Remembered("")
    is_files = _Remembered(False, "files")
    inputs = _Remembered("")
    out = _Remembered("")
    _device: _Remembered[dict[str, Any]] = _Remembered({}, "device")
    _outputs: _Remembered[dict[str, list[str]]] = _Remembered({}, "outputs")
    _thresholds: _Remembered[dict[str, dict[str, Any]]] = _Remembered({}, "thresholds")
    _channels: _Remembered[dict[str, list[str]]] = _Remembered({}, "channels")

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @property
    def device(self) -> PredictConfig:
        """A config with device and tile size, all else default."""
        try:
            config = compose.from_dict(PredictConfig, self._device)
        except ConfigError:  # written by another version
            config = PredictConfig()
        return PredictConfig(tile_size=config.tile_size, device=config.device)

    def remember_device(self, config: PredictConfig) -> None:
        """Remember device and tile size."""
        self._device = compose.to_dict(config)

    def add_model(self, path: str) -> None:
        """Remember a model from elsewhere."""
        self.extra_models = [path, *(each for each in self.extra_models if each != path)][:_MAX_KEPT]

    def outputs(self, is_files: bool) -> list[str]:
        """Return the outputs ticked before; empty for none."""
        return list(self._outputs.get(_mode(is_files), []))

    def remember_outputs(self, is_files: bool, kinds: Sequence[Output]) -> None:
        """Remember the ticked outputs."""
        self._outputs = {**self._outputs, _mode(is_files): [kind.name for kind in kinds]}

    def thresholds(self, model: Model) -> ParameterSet | None:
        """Return the parameters used last with a model."""
        values = self._thresholds.get(model.sha256[:16])
        if values is None:
            return None
        try:
            return model.parameters.override(values)
        except ConfigError:  # remembered by another version of the target
            return None

    def remember_thresholds(self, model: Model, parameters: ParameterSet) -> None:
        """Remember the parameters used with a model."""
        key = model.sha256[:16]
        others = {other: value for other, value in self._thresholds.items() if other != key}
        newest = dict(list(others.items())[1 - _MAX_KEPT :])
        self._thresholds = {**newest, key: parameters.values()}

    def channels(self, model: str, names: Sequence[str]) -> list[str]:
        """Return the channels chosen before for images with these channels."""
        return list(self._channels.get(_channels_key(model, names), []))

    def remember_channels(self, model: str, names: Sequence[str], chosen: Sequence[str]) -> None:
        """Remember the channels chosen for images with these channels."""
        self._channels = {**self._channels, _channels_key(model, names): list(chosen)}


def _mode(is_files: bool) -> str:
    return "files" if is_files else "layers"


def _channels_key(model: str, names: Sequence[str]) -> str:
    return "|".join((model, *names))
