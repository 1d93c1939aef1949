"""Writing the reviewed dataset for another tool, in the background."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from segloop.app.presenters.background import Background
from segloop.app.presenters.curation.activity import Activity
from segloop.app.presenters.messages import Messages
from segloop.core.context import Context
from segloop.core.wording import counted

if TYPE_CHECKING:
    from segloop.curation.exporting import Exported


class DatasetExport:
    """Exports the dataset that is reviewed.

    Parameters
    ----------
    dataset : callable
        Returns its folder, or None.
    background : Background
        Exports in the background.
    activity : Activity
        Shows progress; cancels.
    messages : Messages
        Says what was written and what went wrong.
    """

    def __init__(
        self,
        dataset: Callable[[], Path | None],
        background: Background,
        activity: Activity,
        messages: Messages,
    ) -> None:
        self._dataset, self._background = dataset, background
        self._activity, self._messages = activity, messages

    def export(self, to: str, parent: Path) -> None:
        """Write the accepted samples into a new folder below another one, named after dataset and format."""
        dataset = self._dataset()
        if dataset is None or self._activity.running:
            return
        self._messages.clear()
        self._activity.start("Exporting", cancellable=True)
        self._activity.follow(
            self._background.run(
                _export,
                dataset,
                to,
                parent,
                lane="export",
                on_result=self._on_exported,
                on_error=self._on_error,
                on_progress=self._activity.progressed.emit,
            )
        )

    def _on_exported(self, exported: Exported) -> None:
        self._activity.end()
        done = f"{counted(len(exported.sample_ids), 'sample')} written to {exported.folder}."
        if exported.problems:
            self._messages.warning(
                f"{done} {len(exported.problems)} not: {exported.problems[0]}",
                detail="\n".join(exported.problems[:40]),
            )
        else:
            self._messages.info(" ".join([done, *exported.notes]))

    def _on_error(self, error: Exception) -> None:
        self._activity.end()
        self._messages.error(error)


def _export(dataset: Path, to: str, parent: Path, context: Context) -> Exported:
    from segloop.core.file_names import free_name
    from segloop.curation.exporting import export_dataset

    name = free_name(f"{dataset.name}-{to}", lambda each: (parent / each).exists())
    return export_dataset(dataset, to, parent / name, context=context)
