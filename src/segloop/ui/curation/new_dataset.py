"""The form for a new dataset, or for more samples of one that is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from segloop.app.presenters.background import Memory
from segloop.app.presenters.curation.pairing import FolderChoice, PairingPresenter
from segloop.curation.creating import SplitShares
from segloop.ui.curation.dataset_box import DatasetBox
from segloop.ui.curation.named_rows import NamedRows
from segloop.ui.curation.pairing_panel import PairingPanel
from segloop.ui.widgets.chooser import PathChooser, PathKind
from segloop.ui.widgets.fold import Fold


@dataclass(frozen=True)
class LayerNames:
    """Names of the layers of a sample; of labels layers with the name of their segmentation before."""

    raw: tuple[str, ...]
    segmentations: tuple[tuple[str, str], ...]


class NewDatasetPanel(QWidget):
    """The form for a new dataset or for more samples: from folders, open layers or another dataset."""

    create_requested = Signal()
    cancelled = Signal()
    raw_folder_changed = Signal(str)
    """The user named another folder of raw images, whose channels may now be listed."""
    files_changed = Signal()
    """The user changed anything about the folders."""

    def __init__(self, memory: Memory, pairing: PairingPresenter, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._memory = memory
        self._labels: tuple[str, ...] = ()
        self.name = QLineEdit(placeholderText="named after the folder")
        self.name.setToolTip("Name of the dataset, also of its folder")
        self.from_folders = QRadioButton("Folders", checked=True)
        self.from_layers = QRadioButton("Open layers")
        self.from_dataset = QRadioButton("Another dataset")
        self._sources = QButtonGroup(self)
        source = QHBoxLayout()
        for button in (self.from_folders, self.from_layers, self.from_dataset):
            self._sources.addButton(button)
            source.addWidget(button)
            button.toggled.connect(self._on_source)
        source.addStretch(1)
        self.pairs = PairingPanel(pairing)
        self._folders = self._make_folders()
        self._layers = self._make_layers()
        self._dataset = self._make_dataset()
        self.val = _percent(20, "Fraction of the samples used for validation during training")
        self.test = _percent(0, "Fraction of the samples kept for the final score; training never sees them")
        self.group_by = QLineEdit(placeholderText="each image on its own")
        self.group_by.setToolTip(
            "Regular expression on the file stem: images with the same first group stay in one split, "
            "such as (.*)_field for several fields of one well"
        )
        self.split_fold = Fold("Split", memory, "curation.new.split")
        shares = _form()
        shares.addRow("Validation", self.val)
        shares.addRow("Test", self.test)
        shares.addRow("Group by", self.group_by)
        self.split_fold.body.addLayout(shares)
        self.create = QPushButton("Create dataset")
        self.create.clicked.connect(self.create_requested)
        cancel = QPushButton("Cancel")
        cancel.clicked.connect(self.cancelled)
        buttons = QHBoxLayout()
        buttons.addWidget(self.create, 1)
        buttons.addWidget(cancel)
        top = _form()
        self.title = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._name_label = QLabel("Name")
        top.addRow(self.title)
        top.addRow(self._name_label, self.name)
        top.addRow("From", source)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        layout.addWidget(self._folders)
        layout.addWidget(self._layers)
        layout.addWidget(self._dataset)
        layout.addWidget(self.split_fold)
        layout.addLayout(buttons)
        self._on_source()

    def show_addition(self, dataset: str) -> None:
        """Ask for what more samples of a dataset need; an empty name asks for a new dataset."""
        new = not dataset
        self.title.setText(
            f"More samples for {dataset}. Those that are there stay as they are, and new files are split in "
            "the same proportions."
        )
        self.title.setVisible(not new)
        for widget in (self._name_label, self.name, self.split_fold, self._channel_label, self.channel):
            widget.setVisible(new)
        self.from_dataset.setVisible(not new)
        if new and self.from_dataset.isChecked():
            self.from_folders.setChecked(True)

    def split(self) -> SplitShares:
        """Return how to split the samples."""
        return SplitShares(self.val.value() / 100, self.test.value() / 100, self.group_by.text().strip())

    @property
    def seg(self) -> PathChooser:
        """Folder of the first segmentation."""
        return self.seg_folders.choosers[0]

    def folders(self) -> FolderChoice:
        """Return the named folders."""
        channel = self.channel.currentText().strip()
        folders = self.seg_folders
        return FolderChoice(
            self.raw.value(),
            tuple(
                (name.text().strip(), chooser.value())
                for name, chooser in zip(folders.names, folders.choosers, strict=True)
            ),
            "" if channel == _ALL_CHANNELS else channel,
            self.axes.text().strip(),
            self.rule.text().strip(),
        )

    def layer_names(self) -> LayerNames:
        """Return the chosen layers."""
        rows = (self.raw_layers.item(row) for row in range(self.raw_layers.count()))
        ticked = tuple(item.text() for item in rows if item.checkState() == Qt.CheckState.Checked)
        labels = self.seg_layers
        return LayerNames(
            ticked,
            tuple(
                (name.text().strip(), box.currentText())
                for name, box in zip(labels.names, labels.choosers, strict=True)
            ),
        )

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
        self._labels = tuple(labels)
        for box, (_, kept) in zip(self.seg_layers.choosers, before.segmentations, strict=True):
            box.clear()
            box.addItems(labels)
            box.setCurrentIndex(max(0, box.findText(kept)))

    def _make_folders(self) -> QWidget:
        self.raw = PathChooser(PathKind.folder, "folder with the images")
        self.raw.changed.connect(self.raw_folder_changed)
        self.raw.line.setToolTip("Raw images; a pattern such as /data/raw/*.tif works too")
        self.seg_folders = NamedRows(
            self._make_seg_folder,
            "Another segmentation of the same images, to choose or merge from",
        )
        self.channel = QComboBox()
        self.channel.setEditable(True)
        self.channel.setToolTip("Channel of the raw images to use, by name or number; all if none is named")
        self.set_channels(())
        self.rule = QLineEdit(placeholderText="equal names, or such as *_raw=*_mask")
        self.rule.setToolTip(
            "Rule for pairing if names are not enough: pattern of the raw images = pattern of the "
            "segmentations; the text that * stands for must be the same"
        )
        self.axes = QLineEdit(placeholderText="as the files say, or such as YXC")
        self.axes.setToolTip("Axes of raw images whose files do not name them, in order: T, C, Z, Y, X")
        fold = Fold("Pairing rule and axes", self._memory, "curation.new.files")
        details = _form()
        details.addRow("Pair by", self.rule)
        details.addRow("Axes", self.axes)
        fold.body.addLayout(details)
        widget = QWidget()
        form = _form(widget)
        form.addRow("Raw", self.raw)
        form.addRow(QLabel("Segmentations"))
        form.addRow(self.seg_folders)
        self._channel_label = QLabel("Channel")
        form.addRow(self._channel_label, self.channel)
        form.addRow(fold)
        form.addRow(self.pairs)
        self.raw.changed.connect(self.files_changed)
        self.seg_folders.changed.connect(self.files_changed)
        self.channel.activated.connect(self.files_changed)
        for line in (self.channel.lineEdit(), self.rule, self.axes):
            _on_change(line, self.files_changed.emit)
        return widget

    def _make_seg_folder(self) -> PathChooser:
        chooser = PathChooser(PathKind.folder, "folder with labels, or empty to draw them")
        chooser.line.setToolTip("Label images named like the raw images; additions such as _mask are ignored")
        chooser.changed.connect(self.files_changed)
        return chooser

    def _make_layers(self) -> QWidget:
        self.raw_layers = QListWidget()
        self.raw_layers.setToolTip("Tick one image layer, or several that are channels of one image")
        self.seg_layers = NamedRows(self._make_seg_layer, "Another segmentation of the same image")
        self.set_layers((), ())
        widget = QWidget()
        form = _form(widget)
        form.addRow("Raw", self.raw_layers)
        form.addRow(QLabel("Segmentations"))
        form.addRow(self.seg_layers)
        return widget

    def _make_seg_layer(self) -> QComboBox:
        box = QComboBox(toolTip="Labels layer to learn from")
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.addItems(self._labels)
        return box

    def _make_dataset(self) -> QWidget:
        self.dataset = DatasetBox("The dataset whose samples are added")
        self.dataset.setPlaceholderText("Choose a dataset")
        about = QLabel(
            "Its samples come with their verdicts, regions, corrected labels and split. The other dataset "
            "stays as it is.",
            wordWrap=True,
        )
        widget = QWidget()
        form = _form(widget)
        form.addRow("Dataset", self.dataset)
        form.addRow(about)
        return widget

    def _on_source(self, _: bool = False) -> None:
        self._folders.setVisible(self.from_folders.isChecked())
        self._layers.setVisible(self.from_layers.isChecked())
        self._dataset.setVisible(self.from_dataset.isChecked())


_ALL_CHANNELS = "all channels"


def _on_change(line: QLineEdit, tell: Callable[[], None]) -> None:
    """Call a function when the user has finished typing something else."""
    last = [line.text()]

    def on_finished() -> None:
        if line.text() != last[0]:
            last[0] = line.text()
            tell()

    line.editingFinished.connect(on_finished)


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
