"""Where a widget keeps a choice, such as an open fold, between two visits."""

from __future__ import annotations

from typing import Any, Protocol


class Memory(Protocol):
    """Choices remembered by key; a `segloop.ui.viewer_app.ViewerApp` is one."""

    def recall(self, key: str, default: Any = None) -> Any:
        """Return the value kept under ``key``, or ``default``."""
        ...

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value under ``key``."""
        ...
