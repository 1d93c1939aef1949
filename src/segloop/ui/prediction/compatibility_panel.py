"""Shows whether the model fits, asks for channels where they are not clear, and offers slice by slice."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from segloop.app.presenters.prediction.compatibility import Level, Remedy
from segloop.app.presenters.prediction.input_check import InputCheck
from segloop.ui.widgets.wheel import guard_wheel

_CHOOSE = "choose…"
_SIGNS = {Level.ok: "✓", Level.info: "•", Level.warning: "!", Level.error: "✗"}
_TIPS = {Remedy.slice_by_slice: "Apply the 2D model to each slice of the stack on its own"}


class CompatibilityPanel(QWidget):
    """Shows an `InputCheck` and passes on what the user chooses.

    Parameters
    ----------
    check : InputCheck
        The state.
    """

    def __init__(self, check: InputCheck, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._check = check
        self._asked: tuple[tuple[str, tuple[str, ...]], ...] = ()
        self.combos: list[QComboBox] = []
        self._channels = QWidget()
        self._form = QFormLayout(self._channels)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.slices = QCheckBox(Remedy.slice_by_slice.value, toolTip=_TIPS[Remedy.slice_by_slice])
        self.slices.toggled.connect(check.set_slice_by_slice)
        self.label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.remedies: dict[Remedy, QPushButton] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._channels)
        layout.addWidget(self.label)
        for remedy in Remedy:
            button = QPushButton(remedy.value, toolTip=_TIPS[remedy])
            button.clicked.connect(partial(self._use, remedy))
            self.remedies[remedy] = button
            layout.addWidget(button, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.slices)
        check.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        check = self._check
        asked = tuple((each.name, each.channels) for each in check.inputs)
        if asked != self._asked:
            self._asked = asked
            self._make_combos()
        for combo, each in zip(self.combos, check.inputs, strict=True):
            with QSignalBlocker(combo):
                combo.setCurrentIndex(0 if each.chosen is None else each.chosen + 1)
        has_images = bool(check.result.remarks)
        self._channels.setVisible(has_images and bool(self.combos))
        lines = [f"{_SIGNS[remark.level]} {remark.text}" for remark in check.result.remarks]
        self.label.setText("\n".join(lines))
        self.label.setVisible(bool(lines))
        for remedy, button in self.remedies.items():
            button.setVisible(remedy in check.result.remedies)
        with QSignalBlocker(self.slices):
            self.slices.setChecked(check.slice_by_slice)
        self.slices.setVisible(check.offers_slices and check.slice_by_slice)

    def _make_combos(self) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self.combos = []
        for number, each in enumerate(self._check.inputs):
            combo = QComboBox(
                toolTip=f"The channel of the image that is fed to the model's input {each.name}"
            )
            guard_wheel(combo)
            combo.addItems([_CHOOSE, *each.channels])
            combo.currentIndexChanged.connect(partial(self._on_chosen, number))
            self._form.addRow(f"Channels: {each.name} ←" if number == 0 else f"{each.name} ←", combo)
            self.combos.append(combo)

    def _on_chosen(self, number: int, index: int) -> None:
        self._check.choose_channel(number, index - 1 if index > 0 else None)

    def _use(self, remedy: Remedy, _: bool = False) -> None:
        self._check.use(remedy)
