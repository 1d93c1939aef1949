"""Network, losses and further augmentations: what is built in, and what installed packages add."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QVBoxLayout, QWidget

from segloop.config.groups import item_and_options
from segloop.config.registries import AUGMENTATIONS, LOSSES, NETWORKS
from segloop.config.train import TrainConfig
from segloop.ui.widgets.item_form import ItemForm, options_form
from segloop.ui.widgets.parameter_form import ParameterForm

_OWN_LOSS = "the target's own"


class RegistryChoices(QWidget):
    """Edits the network, the losses and the further augmentations of a `TrainConfig`.

    Attributes
    ----------
    network : ItemForm
        The network with its options.
    augmentations : dict of str to QCheckBox
        Whether an augmentation is used, by its name.
    options : dict of str to ParameterForm
        The options of each augmentation that was used so far.
    losses : dict of str to ItemForm
        The loss of each term of the target, by the name of the term.
    """

    changed = Signal()
    """The user changed a value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept_losses: dict[str, Any] = {}
        self.network = ItemForm(NETWORKS)
        self.network.names.setAccessibleName("Network")
        self.network.changed.connect(self.changed)
        self.losses: dict[str, ItemForm] = {}
        self.options: dict[str, ParameterForm] = {}
        self.augmentations: dict[str, QCheckBox] = {}
        further = QWidget()
        self._further = QVBoxLayout(further)
        self._further.setContentsMargins(0, 0, 0, 0)
        self._further.setSpacing(4)
        for name in AUGMENTATIONS.names():
            self._add_augmentation(name)
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Network", self.network)
        self._form.addRow("Augment by", further)

    def show_terms(self, terms: Sequence[str]) -> None:
        """Offer a choice of loss for each of these terms of the target."""
        if tuple(terms) == tuple(self.losses):
            return
        for form in self.losses.values():
            self._form.removeRow(form)
        self.losses = {}
        for term in terms:
            form = ItemForm(LOSSES, none=_OWN_LOSS)
            form.names.setAccessibleName(f"Loss of {term}")
            if term in self._kept_losses:
                form.set_value(*item_and_options(self._kept_losses[term]))
            form.changed.connect(self.changed)
            self._form.addRow(f"Loss of {term}", form)
            self.losses[term] = form

    def write_to(self, config: TrainConfig) -> None:
        """Put what is shown into a config."""
        config.network.name, config.network.options = self.network.value()
        chosen = [name for name, box in self.augmentations.items() if box.isChecked()]
        config.augmentation.more = {name: self.options[name].value() for name in chosen}
        config.loss = dict(self._kept_losses)
        if self.losses:
            values = {term: form.value() for term, form in self.losses.items()}
            config.loss = {
                term: {"name": name, **options} if options else name
                for term, (name, options) in values.items()
                if name
            }

    def set_value(self, config: TrainConfig) -> None:
        """Show another config, without emitting `changed`."""
        with QSignalBlocker(self):
            self.network.set_value(config.network.name, config.network.options)
            for name in config.augmentation.more:
                if name not in self.augmentations:
                    self._add_augmentation(name)
            for name, box in self.augmentations.items():
                box.setChecked(name in config.augmentation.more)
                if name in config.augmentation.more:
                    self.options[name].set_value(config.augmentation.more[name] or {})
            self._kept_losses = dict(config.loss)
            for term, form in self.losses.items():
                form.set_value(*item_and_options(config.loss.get(term, "")))

    def _add_augmentation(self, name: str) -> None:
        box = QCheckBox(name)
        self.augmentations[name] = box
        self._further.addWidget(box)
        box.toggled.connect(lambda on: self._on_augmentation(name, on))

    def _on_augmentation(self, name: str, on: bool) -> None:
        if on and name not in self.options:
            form = options_form(AUGMENTATIONS, name)
            form.changed.connect(self.changed)
            self.options[name] = form
            self._further.insertWidget(self._further.indexOf(self.augmentations[name]) + 1, form)
        if name in self.options:
            self.options[name].setVisible(on and bool(self.options[name].rows))
        self.changed.emit()
