"""Does the model fit: which channel feeds which input, what to mind, and slices one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from segloop.app.layers import LayerImage
from segloop.artifacts.model.model import ModelCard
from segloop.config.predict import PredictConfig
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.images.image import default_names
from segloop.ui.widgets.wheel import guard_wheel

_CHOOSE = "choose…"
_SIGNS = {"ok": "✓", "info": "•", "warning": "!", "error": "✗"}


@dataclass(frozen=True)
class Check:
    """What was found out about the chosen images.

    Attributes
    ----------
    remarks : tuple of (level, sentence)
        Level is ``"ok"``, ``"info"``, ``"warning"`` or ``"error"``.
    channel_names : tuple of str
        Of the first image.
    is_stack : bool
        Whether any image has several slices.
    n_images : int
        Files or layers; 0 where there is nothing.
    """

    remarks: tuple[tuple[str, str], ...]
    channel_names: tuple[str, ...] = ()
    is_stack: bool = False
    n_images: int = 0

    @property
    def fits(self) -> bool:
        """Whether a prediction can start."""
        return self.n_images > 0 and all(level != "error" for level, _ in self.remarks)


def check_images(
    card: ModelCard, sources: Sequence[LayerImage] | Sequence[str], config: PredictConfig, context: Context
) -> Check:
    """Find out whether a model fits images; on a worker thread.

    Parameters
    ----------
    card : ModelCard
        The model.
    sources : sequence of LayerImage or of str
        Layers; or files, folders and patterns, of which the first image is looked at.
    config : PredictConfig
        Channels and slices, as chosen so far.
    """
    from segloop.images.read import image_files, open_image
    from segloop.prediction.fitting import fit

    images, remarks = [], []
    n_images = 0
    for source in sources:
        context.check()
        try:
            if isinstance(source, LayerImage):
                images.append(source.image())
                n_images += 1
            else:
                files = image_files(source)
                n_images += len(files)
                if not images:
                    images.append(open_image(files[0]))
        except SegloopError as error:
            remarks.append(("error", str(error)))
    if not images:
        return Check(tuple(remarks))
    if isinstance(sources[0], str):
        words = "1 image" if n_images == 1 else f"{n_images} images, the first is {images[0].name}"
        remarks.insert(0, ("info", words))
    for image in images:
        try:
            found = fit(card, image, config)
        except SegloopError as error:
            other = config.channels and image.channel_names != images[0].channel_names
            remarks.append(("error", _apart(image, images[0]) if other else str(error)))
        else:
            remarks += found.remarks or ((("ok", _ok(card, image)),) if len(images) == 1 else ())
    if len(images) > 1 and not any(level in ("warning", "error") for level, _ in remarks):
        remarks.append(("ok", "channels, slices and pixel size fit"))
    is_stack = any(image.n_slices > 1 for image in images)
    unique = tuple(dict.fromkeys(remarks))
    return Check(unique, tuple(images[0].channel_names), is_stack, n_images)


def _apart(image: Any, first: Any) -> str:
    return f"`{image.name}` has other channels than `{first.name}`: predict them one after the other"


def _ok(card: ModelCard, image: Any) -> str:
    own, learned = image.pixel_size_um[2], card.pixel_size_um[2]
    if own and learned:
        return f"pixel size {own:.3g} µm, the model learned from {learned:.3g} µm"
    unknown = "the image" if learned else "the model"
    return f"channels and slices fit; the pixel size of {unknown} is not known"


class FitPanel(QWidget):
    """Shows the check, asks for channels where they are not clear, and for slices."""

    changed = Signal()
    """The user chose a channel, or slices."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._inputs: tuple[str, ...] = ()
        self._names: tuple[str, ...] = ()
        self.combos: list[QComboBox] = []
        self._channels = QWidget()
        self._form = QFormLayout(self._channels)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.slices = QCheckBox(
            "Slice by slice", toolTip="Apply the 2D model to each slice of a stack on its own"
        )
        self.slices.toggled.connect(self.changed)
        self.label = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self._channels)
        layout.addWidget(self.label)
        layout.addWidget(self.slices)
        self.clear()

    def clear(self) -> None:
        """Show nothing; keep what was chosen."""
        self._channels.hide()
        self.slices.hide()
        self.label.hide()

    def apply(self, config: PredictConfig) -> PredictConfig:
        """Return a config with the channels and slices chosen here."""
        channels: list[str] = []
        if self.combos and all(combo.currentData() is not None for combo in self.combos):
            channels = [str(combo.currentData()) for combo in self.combos]
        return replace(config, channels=channels, slice_by_slice=self.slices.isChecked())

    def chosen(self) -> list[str]:
        """Return the names of the chosen channels, by the model's inputs; empty while one is open."""
        if any(combo.currentData() is None for combo in self.combos):
            return []
        return [combo.currentText() for combo in self.combos]

    def offer(self, inputs: Sequence[str], names: Sequence[str], wanted: Sequence[str]) -> None:
        """Ask which channel feeds which input, where there is a choice.

        Parameters
        ----------
        inputs : sequence of str
            What the model calls its inputs.
        names : sequence of str
            The image's channels.
        wanted : sequence of str
            Names chosen for such an image before; empty for none.
        """
        inputs, names = tuple(inputs), tuple(names)
        if (inputs, names) != (self._inputs, self._names):
            self._inputs, self._names = inputs, names
            self._make_combos(wanted)
        self._channels.setVisible(bool(self.combos))

    def display(self, check: Check, *, is_2d: bool) -> None:
        """Show what was found out."""
        self.slices.setVisible(is_2d and check.is_stack)
        lines = [f"{_SIGNS[level]} {sentence}" for level, sentence in check.remarks]
        self.label.setText("\n".join(lines))
        self.label.setVisible(bool(lines))
        self.show()

    def _make_combos(self, wanted: Sequence[str]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        self.combos = []
        if len(self._names) < 2 and len(self._inputs) < 2:
            return
        folded = [name.casefold() for name in self._names]
        in_order = len(self._names) == len(self._inputs)
        # Names that were only made up by counting say nothing of an image with more channels.
        counted = self._inputs == default_names(len(self._inputs)) and not in_order
        for number, name in enumerate(self._inputs):
            combo = QComboBox(toolTip=f"The channel of the image that feeds the model's input {name}")
            guard_wheel(combo)
            combo.addItem(_CHOOSE, None)
            for index, channel in enumerate(self._names):
                unique = folded.count(channel.casefold()) == 1 and not channel.strip().isdigit()
                combo.addItem(channel, channel if unique else index)
            guess = number + 1 if in_order else 0
            if folded.count(name.casefold()) == 1 and not counted:
                guess = folded.index(name.casefold()) + 1
            if len(wanted) == len(self._inputs) and wanted[number] in self._names:
                guess = self._names.index(wanted[number]) + 1
            with QSignalBlocker(combo):
                combo.setCurrentIndex(guess)
            combo.currentIndexChanged.connect(self.changed)
            self._form.addRow(f"Channels: {name} ←" if number == 0 else f"{name} ←", combo)
            self.combos.append(combo)
