"""Scrolling a dock with the mouse wheel must not change the values that pass under the mouse."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QWidget


def guard_wheel(field: QWidget) -> None:
    """Leave the mouse wheel to the scrolling dock unless ``field`` has the focus."""
    field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    field.installEventFilter(_WheelGuard(field))


class _WheelGuard(QObject):
    def eventFilter(self, field: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Wheel and not field.hasFocus():
            event.ignore()
            return True
        return False
