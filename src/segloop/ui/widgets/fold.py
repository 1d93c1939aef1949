"""A section that folds away and remembers whether it was open."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from segloop.app.presenters.background import Memory


class Fold(QWidget):
    """A title that shows or hides its content at a click, Space or Enter.

    Parameters
    ----------
    title : str
        The line that stays visible.
    memory : Memory, optional
        Where the state is kept.
    key : str
        Its name there.
    opened : bool
        State before the user first changes it.

    Attributes
    ----------
    body : QVBoxLayout
        Put the content here.
    """

    def __init__(
        self,
        title: str,
        memory: Memory | None = None,
        key: str = "",
        *,
        opened: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._memory, self._key = memory, f"fold.{key or title}"
        self.button = QToolButton(text=title, checkable=True)
        self.button.setObjectName("segloop_fold")
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        # The background of napari's themes would make the title look like a pressed button.
        self.button.setStyleSheet(
            "QToolButton { background: transparent; border: none; text-align: left; padding: 2px; }"
        )
        self.content = QWidget()
        self.body = QVBoxLayout(self.content)
        self.body.setContentsMargins(12, 2, 0, 6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.button)
        layout.addWidget(self.content)
        remembered = memory.recall(self._key) if memory is not None else None
        self._show(opened if remembered is None else bool(remembered))
        self.button.toggled.connect(self._on_toggled)

    @property
    def opened(self) -> bool:
        """Whether the content shows."""
        return bool(self.button.isChecked())

    def set_opened(self, opened: bool) -> None:
        """Show or hide the content."""
        self.button.setChecked(opened)

    def set_title(self, title: str) -> None:
        """Change the visible line."""
        self.button.setText(title)

    def _on_toggled(self, opened: bool) -> None:
        self._show(opened)
        if self._memory is not None:
            self._memory.remember(self._key, opened)

    def _show(self, opened: bool) -> None:
        self.button.setChecked(opened)
        self.button.setArrowType(Qt.ArrowType.DownArrow if opened else Qt.ArrowType.RightArrow)
        self.content.setVisible(opened)
