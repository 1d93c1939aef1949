"""One row of the dock: draw regions of a kind, and a menu of those that are there."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QWidget

from segloop.app.presenters.curation.drawing import SHAPES, Kind
from segloop.artifacts.dataset.manifest import Region
from segloop.ui.shortcuts import key_of


class RegionRow(QWidget):
    """A Draw button, the number of regions, and their menu.

    Parameters
    ----------
    kind : {"exclude", "merge"}
    tip : str
        Tooltip of the Draw button.
    """

    draw_requested = Signal()
    select_requested = Signal(str)
    remove_requested = Signal(str)
    cut_requested = Signal(str, str)
    """Id of a merge region, and ``edge`` or ``object``."""
    source_chosen = Signal(str)
    """The segmentation to take labels from for new merge regions."""
    source_requested = Signal(str, str)
    """Id of a merge region, and the segmentation to take its labels from."""
    copy_requested = Signal(str)
    """Copy the regions to the ``next`` sample, or to the others of the ``group``."""

    def __init__(self, kind: Kind, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind = kind
        key = key_of("Curation", kind)
        self.button = QPushButton(f"Draw  {key}", checkable=True)
        self.button.setToolTip(f"{tip} ({key}); Enter or a double click finishes a polygon")
        self.button.clicked.connect(self.draw_requested)
        self.source = QComboBox()
        self.source.setToolTip("The segmentation that new merge regions take labels from")
        self.source.setAccessibleName("Merge from")
        self.source.textActivated.connect(self.source_chosen)
        # A long name must not make the dock wider.
        self.source.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.source.setMinimumContentsLength(4)
        self.source.hide()
        self.count = QLabel("none")
        self.menu = QMenu(self)
        self.list = QToolButton(text="List ▾")
        self.list.setToolTip("Select or delete single regions, or copy all to other samples")
        # The themes draw the arrow over the text.
        self.list.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.list.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.list.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.source)
        layout.addWidget(self.count, 1)
        layout.addWidget(self.list)

    def show_regions(self, regions: Sequence[Region], sources: Sequence[str]) -> None:
        """Show those of the row's kind; merge regions can take labels from the segmentations ``sources``."""
        own = [region for region in regions if region.kind == self._kind]
        self.count.setText(f"{len(own)} region{'s' if len(own) != 1 else ''}" if own else "none")
        self.list.setEnabled(bool(own))
        self.menu.clear()
        for number, region in enumerate(own, 1):
            self._add_menu(number, region, sources)
        self.menu.addSeparator()
        self.menu.addAction("Copy to the next sample", lambda: self.copy_requested.emit("next"))
        self.menu.addAction("Copy to all samples of the group", lambda: self.copy_requested.emit("group"))

    def show_sources(self, sources: Sequence[str], chosen: str) -> None:
        """Offer the segmentations that merge regions can take labels from, where there are several."""
        self.source.clear()
        self.source.addItems(list(sources))
        self.source.setCurrentIndex(self.source.findText(chosen))
        self.source.setVisible(len(sources) > 1)

    def _add_menu(self, number: int, region: Region, sources: Sequence[str]) -> None:
        origin = f" from {region.segmentation}" if region.segmentation else ""
        menu = self.menu.addMenu(f"{number}: {SHAPES[region.shape]}{origin}, {_slices(region)}")
        menu.addAction("Select", lambda: self.select_requested.emit(region.id))
        menu.addAction("Delete", lambda: self.remove_requested.emit(region.id))
        if self._kind == "merge":
            menu.addSeparator()
            for cut, words in (("object", "Whole objects"), ("edge", "Cut at the edge")):
                action = menu.addAction(words)
                action.setCheckable(True)
                action.setChecked(region.cut == cut)
                action.triggered.connect(lambda _=False, cut=cut: self.cut_requested.emit(region.id, cut))
            menu.addSeparator()
            for name in sources if set(sources) != {region.segmentation} else ():
                action = menu.addAction(f"Take labels from {name}")
                action.setCheckable(True)
                action.setChecked(region.segmentation == name)
                action.triggered.connect(
                    lambda _=False, name=name: self.source_requested.emit(region.id, name)
                )


def _slices(region: Region) -> str:
    if region.z_first is None and region.z_last is None:
        return "all slices"
    if region.z_first == region.z_last:
        return f"slice {region.z_first}"
    first = "the first" if region.z_first is None else region.z_first
    last = "the last" if region.z_last is None else region.z_last
    return f"slices {first} to {last}"
