"""Jobs over many files: what the folder tells, and that one bad input spoils nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from segloop.artifacts.job.events import MessageEvent, OutputEvent, ProgressEvent, StateEvent
from segloop.artifacts.job.job import EventLog, JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.job.task import PredictTask
from segloop.artifacts.model.model import Model
from segloop.artifacts.prediction.place import find_predictions
from segloop.artifacts.prediction.provenance import Provenance
from segloop.config.device import DeviceConfig
from segloop.core.errors import Cancelled, ConfigError, ImageError, JobError, ModelError
from segloop.images.write import write_image
from segloop.prediction.job import ModelCache, Summary, predict_files
from segloop.prediction.rethreshold import rethreshold_folder
from tiny_models import save_model, spec_of


class Job:
    """A job in a folder of its own."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.out = model, folder / "out"
        self.folder = folder / "job"

    def run(self, *inputs: Path, scene: str | int | None = None, **config: Any) -> Summary:
        task = PredictTask(
            model=str(self.model),
            inputs=[str(path) for path in inputs],
            out=str(self.out),
            config=config,
            scene=scene,
        )
        return predict_files(task, EventLog(self.folder))

    @property
    def events(self) -> JobFolder:
        return JobFolder(self.folder)

    def states(self) -> list[str]:
        return [event.state.value for event in self.events.events_of(StateEvent)]

    def errors(self) -> list[str]:
        return [event.text for event in self.events.events_of(MessageEvent) if event.level == "error"]

    def written(self) -> list[str]:
        found = (path.relative_to(self.out) for path in self.out.rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in found)


@pytest.fixture
def job(nuclei_model: Path, tmp_path: Path) -> Job:
    return Job(nuclei_model, tmp_path)


@pytest.fixture
def images(sample_nuclei: Path, tmp_path: Path) -> Path:
    """Folder with two nuclei images, one in a subfolder."""
    folder = tmp_path / "in"
    (folder / "day1").mkdir(parents=True)
    shutil.copy(sample_nuclei / "raw" / "000.tif", folder / "a.tif")
    shutil.copy(sample_nuclei / "raw" / "015.tif", folder / "day1" / "b.tif")
    return folder


def test_a_folder_is_predicted_with_its_subfolders(job: Job, images: Path) -> None:
    summary = job.run(images)
    assert summary == Summary(2, ())
    assert job.written() == ["a.json", "a.tif", "day1/b.json", "day1/b.tif"]
    assert job.states() == ["running", "finished"]


def test_outputs_are_announced_with_their_input(job: Job, images: Path) -> None:
    job.run(images / "a.tif", outputs=["labels", "mask"], format="zarr")
    events = job.events.events_of(OutputEvent)
    announced = [(Path(event.path).name, event.output_kind, event.partial) for event in events]
    both = [("a.labels.ome.zarr", "labels"), ("a.mask.ome.zarr", "mask")]
    assert announced == [(*one, True) for one in both] + [(*one, False) for one in both]
    assert {event.input for event in events} == {str(images / "a.tif")}


def test_progress_covers_the_whole_job(job: Job, images: Path) -> None:
    job.run(images)
    shares = [event.progress.fraction for event in job.events.events_of(ProgressEvent)]
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_bad_input_is_reported_once_and_the_others_are_done(job: Job, images: Path) -> None:
    (images / "broken.tif").write_bytes(b"II*\0 this is no TIFF")
    (images / "empty.png").write_bytes(b"")
    tifffile.imwrite(
        images / "stack.tif", np.zeros((4, 30, 40), np.uint8), metadata={"axes": "ZYX"}, imagej=True
    )
    summary = job.run(images, images / "missing.tif")
    assert summary.n_done == 2
    assert job.errors() == list(summary.problems)
    for name in ("broken.tif", "empty.png", "stack.tif", "missing.tif"):
        assert len([problem for problem in summary.problems if name in problem]) == 1
    assert [name for name in job.written() if name.endswith(".tif")] == ["a.tif", "day1/b.tif"]
    assert job.states()[-1] == "finished"


def test_a_job_without_any_result_has_failed(job: Job, tmp_path: Path) -> None:
    summary = job.run(tmp_path / "missing.tif")
    assert summary.n_done == 0
    assert job.states() == ["running", "failed"]


def test_each_scene_is_a_prediction_and_bad_scenes_are_reported(job: Job, test_data: Path) -> None:
    path = test_data / "formats" / "multiscene_3x_mixed.ome.tif"
    summary = job.run(path)
    assert summary.n_done == 1
    assert ["has 3 channels" in summary.problems[0], "stack of 6 slices" in summary.problems[1]] == [
        True,
        True,
    ]
    (found,) = find_predictions(job.out)
    assert found.stem.startswith("multiscene_3x_mixed_")
    assert found.provenance.scene
    assert tifffile.imread(found.outputs()["labels"]).shape == (253, 269)


def test_one_scene_can_be_chosen(job: Job, test_data: Path) -> None:
    summary = job.run(test_data / "formats" / "multiscene_3x_mixed.ome.tif", scene=1, slice_by_slice=True)
    assert summary == Summary(1, ())
    (found,) = find_predictions(job.out)
    assert found.provenance.slice_by_slice


def test_two_channels_of_a_time_series_go_in_by_number(
    make_model: Callable[..., Path], test_data: Path, tmp_path: Path
) -> None:
    job = Job(make_model(3, channels=2), tmp_path)
    path = test_data / "formats" / "tczyx_uint16_5d.ome.tif"
    assert job.run(path, channels=["1", "0"]).n_done == 1
    assert tifffile.imread(job.out / "tczyx_uint16_5d.tif").shape == (2, 3, 169, 169)


def test_histology_is_predicted_from_its_colours(
    make_model: Callable[..., Path], test_data: Path, tmp_path: Path
) -> None:
    job = Job(make_model(channels=3), tmp_path)
    path = test_data / "dsb2018_rgb_histology" / "val" / "raw"
    summary = job.run(*sorted(path.glob("*.tif"))[:2])
    assert summary == Summary(2, ())
    messages = job.events.events_of(MessageEvent)
    assert any("are taken in this order for nuclei, membranes, actin" in event.text for event in messages)


def test_names_that_collide_stop_the_job_before_it_starts(job: Job, images: Path) -> None:
    shutil.copy(images / "a.tif", images / "a.png")
    with pytest.raises(JobError, match="would both be written to `a`"):
        job.run(images)
    assert not job.out.exists()
    assert job.states() == ["running", "failed"]
    assert "would both be written to `a`" in job.errors()[0]


def test_a_missing_model_is_named(images: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / "no-model", tmp_path)
    with pytest.raises(ModelError, match="no-model"):
        job.run(images)
    assert job.states()[-1] == "failed"


def test_a_bad_config_is_named(job: Job, images: Path) -> None:
    with pytest.raises(ConfigError, match="tile_size"):
        job.run(images, tile_size=[0])


def test_a_file_in_place_of_the_output_folder_is_named(job: Job, images: Path) -> None:
    job.out.write_text("mine")
    with pytest.raises(ImageError, match=r"out can't be written .*: choose a folder you may write to"):
        job.run(images)
    assert job.out.read_text() == "mine"


def test_a_stop_request_ends_the_job_and_keeps_what_is_done(job: Job, images: Path) -> None:
    job.run(images / "a.tif")
    log = EventLog(job.folder)
    log.state(JobState.waiting)
    JobFolder(job.folder).request_stop()
    with pytest.raises(Cancelled):
        job.run(images)
    assert job.states()[-1] == "stopped"
    assert job.written() == ["a.json", "a.tif"]


def test_a_full_disk_is_told_in_one_sentence_and_leaves_nothing(
    job: Job, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    summary = job.run(images / "a.tif")
    assert summary.n_done == 0
    assert "disk is full" in summary.problems[0]
    assert str(job.out / "a.tif") in summary.problems[0]
    assert list(job.out.iterdir()) == []


def test_a_prediction_again_gives_the_same(job: Job, images: Path) -> None:
    job.run(images / "a.tif")
    first = tifffile.imread(job.out / "a.tif")
    job.run(images / "a.tif")
    assert np.array_equal(tifffile.imread(job.out / "a.tif"), first)
    assert Provenance.read(job.out / "a.json").pending == []


def test_the_last_model_stays_loaded(nuclei_model: Path, make_model: Callable[..., Path]) -> None:
    cache = ModelCache()
    device = DeviceConfig()
    _, first, _ = cache.get(str(nuclei_model), device)
    assert cache.get(str(nuclei_model), device)[1] is first
    other = make_model(kind="semantic")
    assert cache.get(str(other), device)[1] is not first


def test_a_new_job_tries_again_what_did_not_fit_into_memory(
    nuclei_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, asked = ModelCache(), []
    _, engine, _ = cache.get(str(nuclei_model), DeviceConfig())
    monkeypatch.setattr(engine, "forget_limits", lambda: asked.append(engine))
    cache.get(str(nuclei_model), DeviceConfig())
    assert asked == [engine]


def test_a_model_that_was_trained_on_is_loaded_anew(
    nuclei_model: Path, make_model: Callable[..., Path]
) -> None:
    cache = ModelCache()
    folder = make_model()
    _, first, _ = cache.get(str(folder), DeviceConfig())
    shutil.rmtree(folder)
    shutil.copytree(nuclei_model, folder)
    assert cache.get(str(folder), DeviceConfig())[1] is not first


def test_a_plate_is_predicted_field_by_field(job: Job, sample_nuclei: Path, tmp_path: Path) -> None:
    """Each field of an OME-Zarr plate gives what its pixels give as a file of their own."""
    import zarr

    plate = tmp_path / "screen.zarr"
    wells = [
        {"path": "A/1", "rowIndex": 0, "columnIndex": 0},
        {"path": "B/2", "rowIndex": 1, "columnIndex": 1},
    ]
    zarr.create_group(store=str(plate), zarr_format=3).attrs["ome"] = {
        "version": "0.5",
        "plate": {"wells": wells},
    }
    files = []
    for well, name in zip(("A/1", "B/2"), ("000", "015"), strict=True):
        group = zarr.create_group(store=str(plate / well), zarr_format=3)
        group.attrs["ome"] = {"version": "0.5", "well": {"images": [{"path": "0"}]}}
        files.append(sample_nuclei / "raw" / f"{name}.tif")
        image = write_image(tmp_path / f"{name}.zarr", tifffile.imread(files[-1])[:96, :96], axes="YX")
        shutil.move(image, plate / well / "0")
    assert job.run(plate, format="tiff") == Summary(2, ())
    assert job.written() == [
        "screen_A_1_0.json",
        "screen_A_1_0.tif",
        "screen_B_2_0.json",
        "screen_B_2_0.tif",
    ]
    alone = Job(job.model, tmp_path / "alone")
    tifffile.imwrite(tmp_path / "b.tif", tifffile.imread(files[1])[:96, :96])
    alone.run(tmp_path / "b.tif")
    assert np.array_equal(tifffile.imread(job.out / "screen_B_2_0.tif"), tifffile.imread(alone.out / "b.tif"))


def test_guessed_axes_are_said_in_the_log_and_given_ones_are_used(job: Job, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 250, (2, 64, 64)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "film.tif", frames, photometric="minisblack")
    assert job.run(tmp_path / "film.tif", axes="TYX").n_done == 1
    said = [event.text for event in job.events.events_of(MessageEvent)]
    assert not any("does not name its axes" in text for text in said)
    assert tifffile.imread(job.out / "film.tif").shape == (2, 64, 64)
    again = Job(job.model, tmp_path / "again")
    again.run(tmp_path / "film.tif", slice_by_slice=True)
    said = [event.text for event in again.events.events_of(MessageEvent)]
    assert any("film.tif" in text and "read as ZYX" in text for text in said)


def modified(job: Job) -> dict[str, int]:
    return {name: (job.out / name).stat().st_mtime_ns for name in job.written()}


@pytest.mark.parametrize("settings", [{}, {"format": "zarr", "outputs": ["labels", "probability"]}])
def test_what_was_predicted_with_the_same_model_and_settings_is_kept(
    job: Job, images: Path, settings: dict[str, Any]
) -> None:
    job.run(images, **settings)
    before = modified(job)
    n_events = len(job.events.events_of(OutputEvent))

    summary = job.run(images, **settings)

    assert summary == Summary(2, (), 2)
    assert modified(job) == before
    announced = job.events.events_of(OutputEvent)[n_events:]
    assert {Path(event.path) for event in announced} == {
        path for found in find_predictions(job.out) for path in found.outputs().values()
    }
    said = job.events.events_of(MessageEvent)[-1].text
    assert said.startswith("2 of 2 predictions were there already")
    assert "again=true" in said


def another_image(job: Job, images: Path) -> None:
    shutil.copy(images / "day1" / "b.tif", images / "a.tif")


def another_model(job: Job, images: Path) -> None:
    model = Model.load(job.model)
    network, target = model.network(), model.target()
    with torch.no_grad():
        for weights in network.parameters():
            weights *= 1.01
    job.model = save_model(images.parent / "other", network, spec_of(2, 1, len(target.maps)), target)


def edited_output(job: Job, images: Path) -> None:
    path = job.out / "a.tif"
    labels = tifffile.imread(path)
    labels[labels == 1] = 0
    tifffile.imwrite(path, labels)


def linked_output(job: Job, images: Path) -> None:
    elsewhere = images.parent / "elsewhere.tif"
    (job.out / "a.tif").rename(elsewhere)
    (job.out / "a.tif").symlink_to(elsewhere)


def lost_output(job: Job, images: Path) -> None:
    (job.out / "a.tif").unlink()


def other_thresholds(job: Job, images: Path) -> dict[str, Any]:
    return {"threshold": {"foreground": 0.3}}


def another_output(job: Job, images: Path) -> dict[str, Any]:
    return {"outputs": ["labels", "mask"]}


def asked(job: Job, images: Path) -> dict[str, Any]:
    return {"again": True}


def earlier_record(job: Job, images: Path) -> None:
    path = job.out / "a.json"
    record = json.loads(path.read_text())
    for output in record["outputs"]:
        del output["content"]
    path.write_text(json.dumps(record))


def decoded_again(job: Job, images: Path) -> None:
    rethreshold_folder(job.out, {"foreground": 0.2})


CHANGES = [
    another_image,
    another_model,
    edited_output,
    linked_output,
    lost_output,
    other_thresholds,
    another_output,
    asked,
    earlier_record,
    decoded_again,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_differs_in_anything_is_predicted_again(
    job: Job, images: Path, change: Callable[[Job, Path], dict[str, Any] | None]
) -> None:
    outputs = ["labels", "probability"] if change is decoded_again else ["labels"]
    job.run(images / "a.tif", outputs=outputs)
    settings = {"outputs": outputs, **(change(job, images) or {})}

    summary = job.run(images / "a.tif", **settings)

    assert summary == Summary(1, ())
    (found,) = find_predictions(job.out)
    fresh = Job(job.model, images.parent / "fresh")
    fresh.run(images / "a.tif", **settings)
    (expected,) = find_predictions(fresh.out)
    for kind, path in expected.outputs().items():
        assert np.array_equal(tifffile.imread(found.outputs()[kind]), tifffile.imread(path))
