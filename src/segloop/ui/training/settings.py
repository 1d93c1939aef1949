"""The form of a training: the few choices that matter in plain words, all others folded away."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from segloop.app.presenters.background import Memory
from segloop.config.train import AUTO, NetworkSize, StopConfig, TrainConfig
from segloop.core.errors import SegloopError
from segloop.targets import TARGETS, NoParameters, make_target
from segloop.ui.training.path_box import PathBox
from segloop.ui.training.registry_choices import RegistryChoices
from segloop.ui.widgets.fold import Fold
from segloop.ui.widgets.form import ConfigForm
from segloop.ui.widgets.parameter_form import ParameterForm

logger = logging.getLogger(__name__)

_SECTIONS = ("recipe", "normalisation", "patch", "augmentation", "optimiser", "device")
_MORE = ("seed", "network.dimensions", "stop.max_epochs")

_SIZES = {
    NetworkSize.small: "Fast, and enough for most nuclei and cells",
    NetworkSize.medium: "About four times the work; finer distinctions",
    NetworkSize.large: "About nine times the work; for a strong GPU and many images",
}


class SettingsPanel(QWidget):
    """Edits a `TrainConfig`, all but its dataset.

    Parameters
    ----------
    memory : Memory
        Where folds remember their state.
    """

    changed = Signal()
    """The user changed a value."""

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._config = TrainConfig()
        self.start_from = PathBox("Other model or run…", none="scratch")
        self.start_from.setToolTip("Begin with the weights of a model (fine-tune it), or from scratch")
        self.start_from.setAccessibleName("Start from")
        self.start_from.chosen.connect(self._on_start_from)
        self.form = ConfigForm(self._config, memory, only=_SECTIONS)
        self.more_form = ConfigForm(self._config, only=_MORE, folded=False)
        self.choices = RegistryChoices()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setVerticalSpacing(4)
        form.addRow("Learn", self._make_targets())
        form.addRow("Start from", self.start_from)
        form.addRow("Size", self._make_sizes())
        form.addRow("Stop after", self._make_stop())
        settings = Fold("Settings: channels, patches, augmentation…", memory, "training.settings")
        more = Fold("More", memory, "training.more")
        for options in self.options.values():
            more.body.addWidget(options)
        more.body.addWidget(self.more_form)
        more.body.addWidget(self.choices)
        settings.body.addWidget(self.form)
        settings.body.addWidget(more)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(form)
        layout.addWidget(settings)
        for knobs in (self.form, self.more_form, self.choices):
            knobs.changed.connect(self.changed)
        for options in self.options.values():
            options.changed.connect(self.changed)
        self.set_value(self._config)

    @property
    def minutes(self) -> float:
        """The training time that is asked for, in minutes."""
        return float(self.stop_minutes.value())

    def value(self) -> TrainConfig:
        """Return a new config with what is shown.

        Raises
        ------
        ConfigError
            If a text is not a list of numbers, or a number is out of bounds.
        """
        config: TrainConfig = self.form.value()
        more = self.more_form.value()
        for path in _MORE:
            _put(config, path, _get(more, path))
        self.choices.write_to(config)
        config.init = self.start_from.value()
        name = self._target()
        config.target.kind, config.target.options = name, self.options[name].value()
        config.network.size = next(size for size, button in self.sizes.items() if button.isChecked())
        config.stop.max_minutes = self.minutes
        patience = self._config.stop.patience or StopConfig().patience
        config.stop.patience = patience if self.early.isChecked() else 0
        return config

    def set_value(self, config: TrainConfig) -> None:
        """Show another config, without emitting `changed`."""
        self._config = copy.deepcopy(config)
        with QSignalBlocker(self):
            self.form.set_value(config)
            self.more_form.set_value(config)
            self.choices.set_value(config)
            self.start_from.set_value(config.init)
            if config.target.kind in self.targets:
                self.targets[config.target.kind].setChecked(True)
                self.options[config.target.kind].set_value(config.target.options)
            self.sizes[config.network.size].setChecked(True)
            self.stop_minutes.setValue(config.stop.max_minutes)
            self.early.setChecked(config.stop.patience > 0)
        self._show_size()
        self._show_options()

    def offer_models(self, models: Mapping[str, Path]) -> None:
        """Offer models and runs to start from, by the name to show."""
        self.start_from.offer([(name, str(path)) for name, path in models.items()])

    def show_channels(self, names: Sequence[str]) -> None:
        """Say which channels there are to choose from."""
        field = self.form.rows["recipe.channels"].native
        field.setPlaceholderText(f"all: {', '.join(names)}" if names else "all")

    def _make_targets(self) -> QWidget:
        self.targets: dict[str, QRadioButton] = {}
        self.options: dict[str, ParameterForm] = {}
        self._target_group = QButtonGroup(self)
        self.targets[AUTO] = QRadioButton(
            "as labelled", toolTip="Objects where the labels number objects, otherwise foreground or classes"
        )
        self._target_group.addButton(self.targets[AUTO])
        self.options[AUTO] = ParameterForm(NoParameters)
        for name in TARGETS.names():
            try:
                target = TARGETS.get(name)
            except SegloopError:
                logger.exception("The target %s can't be offered", name)
                continue
            self.targets[name] = QRadioButton(target.label(name), toolTip=target.description)
            self._target_group.addButton(self.targets[name])
            self.options[name] = ParameterForm(target.options_type)
        self._target_group.buttonClicked.connect(self._on_target)
        # Packages may offer more targets than fit into a row.
        row = QWidget()
        layout = QFlowLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        for button in self.targets.values():
            layout.addWidget(button)
        return row

    def _target(self) -> str:
        return next(name for name, button in self.targets.items() if button.isChecked())

    def _on_target(self) -> None:
        self._show_options()
        self.changed.emit()

    def _show_options(self) -> None:
        chosen = self._target()
        for name, form in self.options.items():
            form.setVisible(name == chosen and bool(form.value()))
        self.choices.show_terms(self._loss_terms(chosen))

    def _loss_terms(self, target: str) -> list[str]:
        """Return the names of the target's loss terms; none while the labels decide what the target is."""
        if target == AUTO:
            return []
        return [term.name for term in make_target(target, self.options[target].value()).losses]

    def _make_sizes(self) -> QWidget:
        self.sizes: dict[NetworkSize, QRadioButton] = {}
        self._size_group = QButtonGroup(self)
        for size, tip in _SIZES.items():
            self.sizes[size] = QRadioButton(size.value, toolTip=tip)
            self._size_group.addButton(self.sizes[size])
        self._size_group.buttonClicked.connect(lambda _: self.changed.emit())
        self._size_row = _row(*self.sizes.values())
        return self._size_row

    def _make_stop(self) -> QWidget:
        bounds = next(f for f in StopConfig.__dataclass_fields__.values() if f.name == "max_minutes").metadata
        self.stop_minutes = _Minutes(suffix=" min", decimals=2, minimum=bounds["min"], maximum=bounds["max"])
        self.stop_minutes.setMinimumWidth(110)
        self.stop_minutes.setToolTip("Longest training time; the best model until then is kept")
        self.stop_minutes.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.stop_minutes.valueChanged.connect(lambda _: self.changed.emit())
        self.early = QCheckBox("or no progress")
        self.early.setToolTip("Stop early when the validation score has not improved for many epochs")
        self.early.toggled.connect(lambda _: self.changed.emit())
        return _row(self.stop_minutes, self.early)

    def _on_start_from(self) -> None:
        self._show_size()
        self.changed.emit()

    def _show_size(self) -> None:
        scratch = not self.start_from.value()
        self._size_row.setEnabled(scratch)
        self._size_row.setToolTip("" if scratch else "The model to start from determines the network")


class _Minutes(QDoubleSpinBox):
    """Shows 15 rather than 15.00."""

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        """Return the number without idle zeros."""
        return f"{value:g}"


def _row(*widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    return row


def _get(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config


def _put(config: Any, path: str, value: Any) -> None:
    *owners, name = path.split(".")
    for owner in owners:
        config = getattr(config, owner)
    setattr(config, name, value)
