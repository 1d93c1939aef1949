"""What the model is applied to: layers of the viewer, or files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from segloop.ui.prediction.layer_list import LayerList
from segloop.ui.widgets.chooser import PathChooser, PathKind

if TYPE_CHECKING:
    from napari.viewer import Viewer


class SourcePanel(QWidget):
    """Chooses between layers and files, and which."""

    changed = Signal()
    """Something else is chosen."""

    mode_changed = Signal()
    """Layers instead of files, or the other way round."""

    opened = Signal(object)
    """Folder of predictions to list."""

    def __init__(self, viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.use_layers = QRadioButton("open layers", checked=True)
        self.use_files = QRadioButton("files or a folder")
        group = QButtonGroup(self)
        group.addButton(self.use_layers)
        group.addButton(self.use_files)
        self.layers = LayerList(viewer)
        self.inputs = PathChooser(PathKind.files, "Folder, files or pattern such as /data/*.tif")
        self.inputs.button.setText("Files…")
        self.folder = QToolButton(text="Folder…", toolTip="Choose a folder of images")
        self.folder.clicked.connect(self._browse_folder)
        self.inputs.layout().addWidget(self.folder)
        self.out = PathChooser(PathKind.folder, "A new folder in the workspace")
        self.predicted = PathChooser(PathKind.folder, "A folder predicted earlier")
        self.predicted.button.setText("Open…")
        self.predicted.button.setToolTip("Choose a folder of predictions, to look at or to re-threshold")
        self.files = QWidget()
        form = QFormLayout(self.files)
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Images", self.inputs)
        form.addRow("Write to", self.out)
        form.addRow("Predicted", self.predicted)
        top = QHBoxLayout()
        top.addWidget(QLabel("Apply to"))
        top.addWidget(self.use_layers)
        top.addWidget(self.use_files)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(top)
        layout.addWidget(self.layers)
        layout.addWidget(self.files)
        self.files.hide()
        self.use_files.toggled.connect(self._on_mode)
        self.layers.changed.connect(self.changed)
        self.inputs.changed.connect(self.changed)
        self.out.changed.connect(self.changed)
        self.predicted.changed.connect(self._on_predicted)

    @property
    def is_files(self) -> bool:
        """Whether files are chosen rather than layers."""
        return bool(self.use_files.isChecked())

    def show_choice(self, is_files: bool, inputs: str, out: str) -> None:
        """Show what is chosen, without emitting signals."""
        blocked = self.blockSignals(True)
        self.inputs.set_value(inputs)
        self.out.set_value(out)
        self.use_files.setChecked(is_files)
        self.use_layers.setChecked(not is_files)
        self.blockSignals(blocked)

    def _on_mode(self, files: bool) -> None:
        self.files.setVisible(files)
        self.layers.setVisible(not files)
        self.mode_changed.emit()
        self.changed.emit()

    def _on_predicted(self, folder: str) -> None:
        if folder:
            self.opened.emit(Path(folder).expanduser().absolute())

    def _browse_folder(self) -> None:
        dialog = QFileDialog(self.window(), "Choose a folder of images")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.inputs.choose)
        dialog.open()
