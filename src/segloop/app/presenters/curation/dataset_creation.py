"""New samples: a dataset of them, or more for one that is there; from folders, layers, or sample images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psygnal import Signal

from segloop.app.app import App
from segloop.app.presenters.background import Background
from segloop.app.presenters.curation.activity import Activity
from segloop.app.presenters.curation.pairing import PairingPresenter, by_name
from segloop.app.presenters.messages import Messages
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context
from segloop.core.errors import ImageError
from segloop.core.wording import counted
from segloop.curation.adding import Added, add_layers, add_pairs, add_samples_of
from segloop.curation.creating import (
    Layers,
    PixelSize,
    Plane,
    SplitShares,
    create_from_layers,
    create_from_pairs,
)

_USUAL_FOLDERS = ("raw", "images", "image")

Created = tuple[CuratedDataset, tuple[str, ...]]


@dataclass(frozen=True)
class ChosenLayers:
    """The layers of a new dataset.

    Attributes
    ----------
    raw : tuple of Plane
        One per channel.
    segmentations : tuple of (name, Plane)
        Labels with the name of their segmentation; empty for the usual one.
    pixel_size_um : (z, y, x)
        None where unknown.
    """

    raw: tuple[Plane, ...]
    segmentations: tuple[tuple[str, Plane], ...]
    pixel_size_um: PixelSize


class DatasetCreation:
    """Commands that create a dataset in the workspace, or add samples to one.

    Parameters
    ----------
    app : App
        Knows the workspace.
    background : Background
        Creates in the background.
    messages : Messages
        Says what went wrong.

    Attributes
    ----------
    pairing : PairingPresenter
        The table of pairs in folders, from which `from_pairs` creates a dataset.
    adding_to : Path or None
        The dataset that gets the samples; None creates one.
    """

    created = Signal(Path, tuple)
    """Folder of the new dataset, and a sentence for each file that was left out."""

    added = Signal(Path, tuple)
    """Folder of the dataset that has more samples, and a sentence for each file that was left out."""

    adding_to_changed = Signal()

    channels_found = Signal(tuple)
    """Names of the channels in a folder of raw images; empty where there is only one."""

    def __init__(self, app: App, background: Background, messages: Messages) -> None:
        self._app = app
        self._background = background
        self._messages = messages
        self.activity = Activity()
        self.pairing = PairingPresenter(background)
        self.adding_to: Path | None = None

    def add_to(self, path: Path | None) -> None:
        """Choose the dataset that gets the samples; None creates one."""
        self.adding_to = path
        self.adding_to_changed.emit()

    def from_pairs(self, name: str, split: SplitShares) -> None:
        """Create a dataset of the ticked pairs, or add them.

        A new dataset is named after the folder of the pairs if ``name`` is empty.
        """
        self._messages.clear()
        self._messages.attempt(lambda: self._from_pairs(name, split))

    def from_layers(self, name: str, chosen: ChosenLayers, split: SplitShares) -> None:
        """Write layers to files and create a dataset of them, or add them as a sample.

        A new dataset is named after the first layer if ``name`` is empty.
        """
        self._messages.clear()
        self._messages.attempt(lambda: self._from_layers(name, chosen, split))

    def from_dataset(self, path: Path | None) -> None:
        """Add the samples of another dataset."""
        self._messages.clear()
        if self.adding_to is None or path is None:
            self._messages.info("Choose the dataset whose samples are to be added.")
        else:
            self._run(add_samples_of, self.adding_to, path, on_result=self._on_added)

    def from_sample_images(self) -> None:
        """Create a dataset of the bundled nuclei."""
        self._messages.clear()
        self._messages.attempt(lambda: self._run(_create_sample, self._new("sample nuclei")))

    def list_channels(self, folder: str) -> None:
        """Look for the channels of the raw images in a folder; see `channels_found`."""
        self._background.run(
            _channel_names, folder, lane="channels", on_result=self.channels_found.emit, on_error=_ignore
        )

    def _from_pairs(self, name: str, split: SplitShares) -> None:
        pairs, source = self.pairing.pairs(), self.pairing.source
        assert source is not None
        if self.adding_to is not None:
            self._run(add_pairs, self.adding_to, pairs, source, on_result=self._on_added)
            return
        self._run(create_from_pairs, self._new(name or _folder_name(source.raw)), pairs, source, split)

    def _from_layers(self, name: str, chosen: ChosenLayers, split: SplitShares) -> None:
        if not chosen.raw:
            raise ImageError("No raw layer is ticked: open an image in napari and tick it under Raw.")
        if not chosen.segmentations:
            raise ImageError("No labels layer is chosen: open or draw one in napari and choose it.")
        names = by_name([(name, plane.name) for name, plane in chosen.segmentations])
        planes = [plane for _, plane in chosen.segmentations]
        named = dict(zip(names, planes, strict=True))
        name = name or chosen.raw[0].name
        path = self.adding_to or self._new(name)
        folder = self._app.workspace.path / "images"
        images = self._app.workspace.new_folder(folder, name if self.adding_to else path.name)
        source = Layers(chosen.raw, named, chosen.pixel_size_um, images)
        if self.adding_to is not None:
            self._run(add_layers, path, source, on_result=self._on_added)
        else:
            self._run(create_from_layers, path, source, split)

    def _new(self, name: str) -> Path:
        return self._app.workspace.new_folder(self._app.workspace.datasets_dir, name)

    def _run(
        self,
        function: Callable[..., Any],
        path: Path,
        *arguments: Any,
        on_result: Callable[[Any], None] | None = None,
    ) -> None:
        self.activity.start("Looking at the files", cancellable=True)
        self.activity.follow(
            self._background.run(
                function,
                path,
                *arguments,
                lane="create",
                on_result=on_result or self._on_created,
                on_error=self._on_error,
                on_progress=self.activity.progressed.emit,
            )
        )

    def _on_created(self, answer: Created) -> None:
        dataset, problems = answer
        self.activity.end()
        self._app.datasets_changed.emit()
        if dataset.path.is_relative_to(self._app.workspace.path):
            self.created.emit(dataset.path, problems)
        else:
            self._messages.info(
                f"The dataset {dataset.path} was created in the workspace that was open before."
            )

    def _on_added(self, answer: Added) -> None:
        self.activity.end()
        self._app.datasets_changed.emit()
        number, name = counted(len(answer.sample_ids), "sample"), answer.dataset.name
        self._messages.info(f"Added {number} to {name}, which has {len(answer.dataset.sample_ids)} now.")
        self.added.emit(answer.dataset.path, (*answer.problems, *answer.notes))

    def _on_error(self, error: Exception) -> None:
        self.activity.end()
        self._messages.error(error)


def _folder_name(source: str) -> str:
    """Return what to call a dataset of raw images in a folder, or named by a pattern."""
    name = Path(source.rstrip("/\\")).name.split("*")[0]
    if name.lower() in _USUAL_FOLDERS:
        name = Path(source).parent.name or name
    return name or "dataset"


def _create_sample(path: Path, context: Context) -> Created:
    from segloop.app.sample import make_sample_dataset

    context.check()
    return make_sample_dataset(path), ()


def _channel_names(folder: str, context: Context) -> tuple[str, ...]:
    from segloop.images.listing import image_files
    from segloop.images.read import open_image

    image = open_image(image_files(folder)[0])
    context.check()
    return tuple(image.channel_names) if image.n_channels > 1 else ()


def _ignore(error: Exception) -> None:
    """Leave it to Create to say what is wrong with a folder that is still being typed."""
