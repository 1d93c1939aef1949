"""The form for a new dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.tasks import Memory
from segloop.artifacts.dataset.segmentation import default_name
from segloop.curation.creating import Folders, SplitShares
from segloop.ui.widgets.chooser import PathChooser, PathKind
from segloop.ui.widgets.fold import Fold


@dataclass(frozen=True)
class LayerNames:
    """Names of the layers of a sample; labels layers by the name of their segmentation."""

    raw: tuple[str, ...]
    segmentations: Mapping[str, str]


class NewDatasetPanel(QWidget):
    """The form for a new dataset, from folders or from open layers."""

    create_requested = Signal()
    cancelled = Signal()
    raw_folder_changed = Signal(str)
    """The user named another folder of raw images, whose channels may now be listed."""

    def __init__(self, memory: Memory, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = QLineEdit(placeholderText="named after the folder")
        self.name.setToolTip("Name of the dataset, also of its folder")
        self.from_folders = QRadioButton("Folders", checked=True)
        self.from_layers = QRadioButton("Open layers")
        self._sources = QButtonGroup(self)
        self._sources.addButton(self.from_folders)
        self._sources.addButton(self.from_layers)
        source = QHBoxLayout()
        source.addWidget(self.from_folders)
        source.addWidget(self.from_layers)
        source.addStretch(1)
        self._folders = self._make_folders()
        self._layers = self._make_layers()
        self.from_layers.toggled.connect(self._on_source)
        self.val = _percent(20, "Fraction of the samples that training is checked on while it runs")
        self.test = _percent(0, "Fraction of the samples that training never sees, for the final score")
        self.group_by = QLineEdit(placeholderText="each image on its own")
        self.group_by.setToolTip(
            "Regular expression on the file stem: images with the same first group stay in one split, "
            "such as (.*)_field for several fields of one well"
        )
        more = Fold("Split", memory, "curation.new.split")
        shares = _form()
        shares.addRow("Validation", self.val)
        shares.addRow("Test", self.test)
        shares.addRow("Group by", self.group_by)
        more.body.addLayout(shares)
        self.create = QPushButton("Create dataset")
        self.create.clicked.connect(self.create_requested)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.cancelled)
        buttons = QHBoxLayout()
        buttons.addWidget(self.create, 1)
        buttons.addWidget(cancel)
        top = _form()
        top.addRow("Name", self.name)
        top.addRow("From", source)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self._folders)
        layout.addWidget(self._layers)
        layout.addWidget(more)
        layout.addLayout(buttons)
        self._layers.hide()

    def split(self) -> SplitShares:
        """Return how to split the samples."""
        return SplitShares(self.val.value() / 100, self.test.value() / 100, self.group_by.text().strip())

    def folders(self) -> Folders:
        """Return the named folders."""
        channel = self.channel.currentText().strip()
        segmentations = _named(self.seg.value(), self.other.value())
        return Folders(self.raw.value(), segmentations, "" if channel == _ALL_CHANNELS else channel)

    def layer_names(self) -> LayerNames:
        """Return the chosen layers."""
        rows = (self.raw_layers.item(row) for row in range(self.raw_layers.count()))
        ticked = tuple(item.text() for item in rows if item.checkState() == Qt.CheckState.Checked)
        other = self.other_layer.currentText() if self.other_layer.currentIndex() > 0 else ""
        return LayerNames(ticked, _named(self.seg_layer.currentText(), other))

    def set_channels(self, names: Sequence[str]) -> None:
        """Offer the channels of the raw images by name."""
        self.channel.clear()
        self.channel.addItems([_ALL_CHANNELS, *names])

    def set_layers(self, images: Sequence[str], labels: Sequence[str]) -> None:
        """Offer open layers by name, keeping what was chosen as far as it is still there."""
        before = self.layer_names()
        self.raw_layers.clear()
        for name in images:
            item = QListWidgetItem(name, self.raw_layers)
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            chosen = name in before.raw or (not set(before.raw) & set(images) and name == images[-1])
            item.setCheckState(Qt.CheckState.Checked if chosen else Qt.CheckState.Unchecked)
        height = self.raw_layers.sizeHintForRow(0) if images else 20
        self.raw_layers.setFixedHeight(height * min(5, max(1, len(images))) + 8)
        first, *others = before.segmentations.values()
        for box, extra, kept in (
            (self.seg_layer, [], first),
            (self.other_layer, ["none"], "".join(others)),
        ):
            box.clear()
            box.addItems([*extra, *labels])
            box.setCurrentIndex(max(0, box.findText(kept)))

    def _make_folders(self) -> QWidget:
        self.raw = PathChooser(PathKind.folder, "folder with the images")
        self.raw.changed.connect(self.raw_folder_changed)
        self.seg = PathChooser(PathKind.folder, "folder with their labels")
        self.other = PathChooser(PathKind.folder, "none")
        for chooser, tip in (
            (self.raw, "Raw images; a pattern such as /data/raw/*.tif works too"),
            (self.seg, "Label images with the same file stems as the raw images"),
            (self.other, "A second segmentation of the same images, to choose from or to merge in parts"),
        ):
            chooser.line.setToolTip(tip)
        self.channel = QComboBox()
        self.channel.setEditable(True)
        self.channel.setToolTip("Channel of the raw images to use, by name or number; all if none is named")
        self.set_channels(())
        widget = QWidget()
        form = _form(widget)
        form.addRow("Raw", self.raw)
        form.addRow("Segmentation", self.seg)
        form.addRow("Second one", self.other)
        form.addRow("Channel", self.channel)
        return widget

    def _make_layers(self) -> QWidget:
        self.raw_layers = QListWidget()
        self.raw_layers.setToolTip("Tick one image layer, or several that are channels of one image")
        self.seg_layer = QComboBox()
        self.seg_layer.setToolTip("Labels layer to learn from")
        self.other_layer = QComboBox()
        self.other_layer.setToolTip("A second segmentation of the same image")
        self.set_layers((), ())
        widget = QWidget()
        form = _form(widget)
        form.addRow("Raw", self.raw_layers)
        form.addRow("Segmentation", self.seg_layer)
        form.addRow("Second one", self.other_layer)
        return widget

    def _on_source(self, layers: bool) -> None:
        self._folders.setVisible(not layers)
        self._layers.setVisible(layers)


_ALL_CHANNELS = "all channels"


def _named(first: str, other: str) -> dict[str, str]:
    named = {default_name(1): first}
    return {**named, default_name(2): other} if other else named


def _form(parent: QWidget | None = None) -> QFormLayout:
    form = QFormLayout(parent) if parent is not None else QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
    return form


def _percent(value: int, tip: str) -> QSpinBox:
    box = QSpinBox(maximum=90, suffix=" %", value=value)
    box.setToolTip(tip)
    return box
