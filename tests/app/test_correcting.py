"""Predictions become samples to correct: files stay in place, what is on screen is written first."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.app.correcting import ShownPrediction, correct_files, correct_shown
from segloop.app.predicting import predict_files
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.dataset.segmentation import PredictionSource
from segloop.config.predict import PredictConfig
from segloop.core.errors import SegloopError
from segloop.images.pairing import Pair
from segloop.images.write import write_image
from segloop.prediction.kept import KeptPrediction

STEMS = ("000", "015", "030")


@pytest.fixture
def study(sample_nuclei: Path, tmp_path: Path) -> Workspace:
    """A workspace with three real images and their predictions by a model of random weights."""
    (tmp_path / "images").mkdir()
    for stem in STEMS:
        shutil.copy(sample_nuclei / "raw" / f"{stem}.tif", tmp_path / "images")
    return Workspace(tmp_path / "study")


@pytest.fixture
def records(study: Workspace, tmp_path: Path, model: Path) -> list[Path]:
    config = PredictConfig(outputs=["mask", "probability"])
    predict_files(model, [tmp_path / "images"], out=tmp_path / "predicted", config=config)
    return [tmp_path / "predicted" / f"{stem}.json" for stem in STEMS]


@pytest.fixture
def new(study: Workspace):
    return lambda name: study.new_folder(study.datasets_dir, name)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_predicted_files_become_a_new_dataset_that_refers_to_them(records, new, tmp_path):
    before = contents(tmp_path / "images") | contents(tmp_path / "predicted")
    made = correct_files(records, None, new)
    dataset = CuratedDataset.open(made.dataset)
    assert (made.dataset.name, made.sample_ids, made.notes) == ("corrections", STEMS, ())
    assert dataset.label_kind == "semantic"
    for stem in STEMS:
        sample = dataset.sample(stem)
        (segmentation,) = sample.segmentations
        assert isinstance(segmentation.source, PredictionSource)
        assert (segmentation.source.model, segmentation.name) == ("random", "random")
        assert len(segmentation.source.model_sha256) == 64
        assert dataset.resolve(sample.raw) == tmp_path / "images" / f"{stem}.tif"
        assert sample.verdict is Verdict.undecided
        predicted = tifffile.imread(tmp_path / "predicted" / f"{stem}.mask.tif")
        assert np.array_equal(dataset.labels(sample)[0], predicted)
    assert not list(made.dataset.rglob("*.tif"))
    assert contents(tmp_path / "images") | contents(tmp_path / "predicted") == before


def test_they_are_added_to_the_dataset_that_is_open_and_the_split_of_the_others_stays(records, new):
    first = correct_files(records[:1], None, new)
    dataset = CuratedDataset.open(first.dataset)
    dataset.set_split("000", "test")
    second = correct_files(records[1:], first.dataset, new)
    assert (second.dataset, second.sample_ids) == (first.dataset, STEMS[1:])
    again = CuratedDataset.open(first.dataset)
    assert again.sample_ids == STEMS
    assert again.sample("000").split == "test"


def test_labels_made_by_people_stay_the_base(records, new, study, sample_nuclei, tmp_path):
    truth = tifffile.imread(sample_nuclei / "seg" / "000.tif") > 0
    mask = write_image(tmp_path / "truth" / "000.tif", truth, axes="YX")
    pairs = [Pair("000", tmp_path / "images" / "000.tif", mask)]
    dataset = CuratedDataset.create(
        study.datasets_dir / "mine", pairs, accept_all=True, label_kind="semantic"
    )
    made = correct_files(records, dataset.path, new)
    sample = CuratedDataset.open(dataset.path).sample("000")
    assert (sample.base, sample.segmentation_names) == ("seg", ("seg", "random"))
    assert sample.verdict is Verdict.accepted
    assert made.sample_ids == STEMS
    (note,) = made.notes
    assert note == (
        "000 was in mine already: the prediction was added to it as random, and its base is still seg."
    )


def test_the_same_prediction_is_added_once_and_a_newer_one_becomes_the_base(records, new, tmp_path, model):
    made = correct_files(records, None, new)
    assert correct_files(records, made.dataset, new).sample_ids == STEMS
    assert CuratedDataset.open(made.dataset).sample("000").segmentation_names == ("random",)
    config = PredictConfig(outputs=["mask"])
    predict_files(model, [tmp_path / "images" / "000.tif"], out=tmp_path / "again", config=config)
    correct_files([tmp_path / "again" / "000.json"], made.dataset, new)
    sample = CuratedDataset.open(made.dataset).sample("000")
    assert (sample.segmentation_names, sample.base) == (("random", "random-2"), "random-2")


def test_a_corrected_prediction_stays_the_base(records, new, tmp_path, model):
    made = correct_files(records, None, new)
    dataset = CuratedDataset.open(made.dataset)
    dataset.correct_labels("000", "random", np.ones_like(dataset.labels(dataset.sample("000"))))
    config = PredictConfig(outputs=["mask"])
    predict_files(model, [tmp_path / "images" / "000.tif"], out=tmp_path / "again", config=config)
    correct_files([tmp_path / "again" / "000.json"], made.dataset, new)
    assert CuratedDataset.open(made.dataset).sample("000").base == "random"


def test_a_dataset_of_another_kind_is_left_alone(records, new, study, sample_nuclei, tmp_path):
    seg = sample_nuclei / "seg" / "000.tif"
    pairs = [Pair("000", tmp_path / "images" / "000.tif", seg)]
    objects = CuratedDataset.create(study.datasets_dir / "objects", pairs)
    made = correct_files(records, objects.path, new)
    assert made.dataset.name == "corrections"
    assert "objects holds labels of another kind" in made.notes[0]
    assert CuratedDataset.open(objects.path).sample("000").segmentation_names == ("seg",)


def test_what_can_not_be_used_is_named_and_the_rest_goes_on(records, new, tmp_path):
    (tmp_path / "images" / "015.tif").unlink()
    records[2].write_text("{}")
    made = correct_files(records, None, new)
    assert made.sample_ids == ("000",)
    assert any("030.json" in note for note in made.notes)
    assert any("015.tif" in note for note in made.notes)


def test_only_a_probability_can_not_be_corrected(new, tmp_path, study, model):
    config = PredictConfig(outputs=["probability"])
    predict_files(model, [tmp_path / "images"], out=tmp_path / "maps", config=config)
    with pytest.raises(SegloopError, match="no objects, classes or mask to correct"):
        correct_files([tmp_path / "maps" / "000.json"], None, new)
    assert not study.datasets()


def shown(record: Path, name: str, source: str, **parameters: float) -> ShownPrediction:
    kept = KeptPrediction(record)
    values = {**kept.provenance.parameters, **parameters}
    return ShownPrediction(kept, name, source, kept.target.parameters_type.from_values(values, "threshold"))


def test_a_result_on_screen_is_written_as_it_is_shown(records, new, tmp_path):
    source = tmp_path / "images" / "000.tif"
    result = shown(records[0], "nuclei", str(source), foreground=0.3)
    made = correct_shown([result], tmp_path / "written", None, new)
    dataset = CuratedDataset.open(made.dataset)
    sample = dataset.sample("000")
    assert dataset.resolve(sample.raw) == source
    expected = result.kept.decode(result.parameters)
    (mask,) = (array for kind, array in expected.arrays.items() if kind.name == "mask")
    assert np.array_equal(dataset.labels(sample), mask[0])
    assert [path.name for path in sorted((tmp_path / "written").iterdir())] == ["predicted"]


@pytest.mark.parametrize("source", ["", "elsewhere.tif", "larger"])
def test_the_pixels_of_a_layer_without_a_file_of_its_own_are_kept(records, new, tmp_path, source):
    if source == "larger":
        pixels = np.zeros((2, 600, 700), np.uint8)
        source = str(write_image(tmp_path / "larger.tif", pixels, axes="ZYX"))
    made = correct_shown([shown(records[0], "my / layer", source)], tmp_path / "written", None, new)
    dataset = CuratedDataset.open(made.dataset)
    (sample_id,) = made.sample_ids
    raw = dataset.raw(dataset.sample(sample_id)).load()
    assert np.array_equal(np.squeeze(raw), tifffile.imread(tmp_path / "images" / "000.tif"))
    assert dataset.resolve(dataset.sample(sample_id).raw).is_relative_to(tmp_path / "written")


def test_two_layers_of_one_name_are_two_samples(records, new, tmp_path):
    results = [shown(records[0], "nuclei", ""), shown(records[1], "nuclei", "")]
    made = correct_shown(results, tmp_path / "written", None, new)
    assert len(set(made.sample_ids)) == 2
