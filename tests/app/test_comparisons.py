"""Comparisons in a process of their own, and what is read of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from processes import wait_until
from segloop.app.comparisons import (
    StoredComparison,
    find_comparison,
    folder_of,
    read_comparison,
    read_sample,
    start_comparison,
)
from segloop.app.jobs import Job
from segloop.app.sample import make_sample_dataset
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.job.state import JobState
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.core.matching import find_overlaps
from segloop.core.object_errors import ErrorKind, classify_objects
from segloop.images.labels import read_labels

pytestmark = pytest.mark.slow

SECONDS = 240


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def dataset(workspace: Workspace) -> CuratedDataset:
    """Four of the real images of nuclei, two of them for validation."""
    dataset = make_sample_dataset(workspace.datasets_dir / "nuclei", val=0.2, accept_all=True)
    keep = [*dataset.split("train")[:2], *dataset.split("val")[:2]]
    for each in dataset.sample_ids:
        if each not in keep:
            sample = dataset.sample(each)
            dataset.save(sample.edit(verdict="undecided"), "leave out")
    return CuratedDataset.open(dataset.path)


@pytest.fixture(scope="module")
def stored(workspace: Workspace, dataset: CuratedDataset, model_folder: Path) -> StoredComparison:
    """The bundled model against one with random weights, compared by a process."""
    (other,) = model_folder.iterdir()
    job = start_comparison(["nuclei-2d", other], str(dataset.path), "val", workspace)
    found = find_comparison(workspace, folder_of(job).name)
    assert isinstance(found, Job)
    assert not found.ended
    wait_until(lambda: job.ended, SECONDS)
    assert job.state() is JobState.finished, job.failure()
    return read_comparison(folder_of(job))


def test_the_best_model_comes_first_and_baselines_last(stored: StoredComparison) -> None:
    names = [name for name, *_ in stored.rows()]
    assert names[0] == stored.models[0] == "nuclei-2d"
    assert sorted(names[2:]) == ["all background", "smoothed Otsu"]
    assert stored.rows()[0][-1] == ""
    assert stored.rows()[1][-1].startswith("−")
    assert stored.report.is_file()


def test_images_come_first_on_which_the_models_differ_most(
    stored: StoredComparison, dataset: CuratedDataset
) -> None:
    assert sorted(each.id for each in stored.samples) == sorted(dataset.split("val"))
    spread = [max(each.scores.values()) - min(each.scores.values()) for each in stored.samples]
    assert spread == sorted(spread, reverse=True)


def test_an_image_is_read_with_what_each_model_found_and_the_difference(
    stored: StoredComparison, dataset: CuratedDataset
) -> None:
    (sample, *_) = stored.samples
    pixels = read_sample(stored, sample, Context())
    item = dataset.sample(sample.id)
    assert np.array_equal(pixels.truth, dataset.labels(item))
    assert pixels.raw.shape[1:] == pixels.truth.shape
    assert list(pixels.outputs) == list(stored.models)
    for name, labels in pixels.outputs.items():
        assert np.array_equal(labels, read_labels(sample.files[name]))

    first, second = pixels.outputs.values()
    of_second, of_first = classify_objects(find_overlaps(second, first))
    assert pixels.difference is not None
    for kind, kinds in ((ErrorKind.MISSED, of_first), (ErrorKind.SPURIOUS, of_second)):
        assert len(pixels.difference.of_kind(kind)) == np.count_nonzero(kinds == kind)


def test_what_came_of_a_comparison_is_found_again(workspace: Workspace, stored: StoredComparison) -> None:
    found = find_comparison(workspace, stored.folder.name)
    assert isinstance(found, StoredComparison)
    assert found.summary == stored.summary
    assert find_comparison(workspace, "gone") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda summary: summary.update(version=1), "another version"),
        (lambda summary: summary.pop("images"), "damaged"),
        (lambda summary: summary.update(images=[{"sample": "a"}]), "damaged"),
        (lambda summary: summary["images"][0]["files"].update(m="../../secret"), "damaged"),
        (lambda summary: summary["images"][0]["files"].update(m="/secret"), "damaged"),
        (lambda summary: summary.pop("models"), "damaged"),
    ],
)
def test_a_file_that_is_not_ours_is_named(stored, tmp_path: Path, change, message: str) -> None:
    folder = tmp_path / "comparison"
    folder.mkdir()
    shutil.copy(stored.folder / "metrics.json", folder)
    summary = json.loads((folder / "metrics.json").read_text())
    change(summary)
    (folder / "metrics.json").write_text(json.dumps(summary))
    with pytest.raises(SegloopError, match=f"metrics.json .*{message}.*compare the models again"):
        read_comparison(folder)


def test_a_comparison_is_stopped(workspace: Workspace, dataset: CuratedDataset) -> None:
    job = start_comparison(["nuclei-2d"], str(dataset.path), "val", workspace)
    job.stop()
    wait_until(lambda: job.ended, SECONDS)
    assert job.state() is JobState.stopped
    with pytest.raises(SegloopError, match=r"metrics\.json"):
        read_comparison(folder_of(job))


def test_what_can_not_be_compared_is_said(workspace: Workspace, dataset: CuratedDataset) -> None:
    job = start_comparison(["nuclei-2d"], str(dataset.path), "test", workspace)
    wait_until(lambda: job.ended, SECONDS)
    assert job.state() is JobState.failed
    assert "no accepted samples in its test split" in job.failure()
