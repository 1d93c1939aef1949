"""A model applied to one image: names, types, axes and values of the outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segloop.artifacts.prediction.provenance import Provenance
from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled, ConfigError, ImageError
from segloop.core.metrics import dice
from segloop.images.image import Image
from segloop.images.normalisation import normalise, percentile_ranges
from segloop.images.read import open_image
from segloop.images.write import write_image
from segloop.prediction import output_plan
from segloop.prediction import predict as predict_module
from segloop.prediction.predict import predict_image
from segloop.targets import quantise
from segloop.targets.output import LABELS, MASK, PROBABILITY, Output


@pytest.fixture
def nuclei(sample_nuclei: Path) -> Image:
    return open_image(sample_nuclei / "raw" / "000.tif")


def _maps(model: Any, engine: Any, image: Image, t: int = 0) -> np.ndarray:
    """The reference: one forward pass over the whole image."""
    scale = model.card.normalisation
    channels = range(image.n_channels)
    whole = (slice(None),) * 3
    ranges = percentile_ranges(image, t, channels, scale.low, scale.high)
    pixels = normalise(image.block(t, channels, *whole), ranges, scale.clip_low, scale.clip_high)
    return quantise(engine.run_whole(pixels))


# The order in which torch adds 32-bit floats depends on the size of the block and on the processor. Maps
# differ by less than a millionth, so that of 100,000 values about one is rounded to the next of the 255
# levels, and hardly ever does this one lie at the threshold.
def _same_levels(first: np.ndarray, other: np.ndarray) -> bool:
    apart = np.abs(first.astype(int) - other)
    return bool(apart.max() <= 1 and apart.mean() <= 1e-4)


def _same_objects(first: np.ndarray, other: np.ndarray) -> bool:
    return bool(first.max() == other.max() and np.count_nonzero(first != other) <= 3)


def test_labels_of_nuclei_match_the_truth(
    nuclei_model: Path, load: Callable[..., Any], sample_nuclei: Path, tmp_path: Path
) -> None:
    scores = []
    for name in ("360.tif", "375.tif", "390.tif"):
        image = open_image(sample_nuclei / "raw" / name)
        result = predict_image(
            *load(nuclei_model), image, PredictConfig(), tmp_path, name.removesuffix(".tif")
        )
        labels = tifffile.imread(result.outputs[LABELS])
        assert result.n_objects == labels.max() > 3
        scores.append(dice(labels > 0, tifffile.imread(sample_nuclei / "seg" / name) > 0))
    assert np.mean(scores) > 0.75


def test_a_single_output_has_the_name_of_its_input(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    result = predict_image(*load(nuclei_model), nuclei, PredictConfig(), tmp_path, "day1/000")
    assert result.outputs == {LABELS: tmp_path / "day1" / "000.tif"}
    assert sorted(path.name for path in (tmp_path / "day1").iterdir()) == ["000.json", "000.tif"]


def test_all_outputs_have_their_name_type_and_range(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    config = PredictConfig(outputs=["labels", "mask", "probability"])
    predict_image(*load(nuclei_model), nuclei, config, tmp_path, "000")
    labels, mask, probability = (
        tifffile.imread(tmp_path / f"000.{kind}.tif") for kind in ("labels", "mask", "probability")
    )
    assert (labels.dtype, mask.dtype, probability.dtype) == (np.uint16, np.uint8, np.uint8)
    assert labels.shape == mask.shape == nuclei.shape[3:]
    assert probability.shape == (2, *nuclei.shape[3:])
    assert np.array_equal(mask, labels > 0)
    assert open_image(tmp_path / "000.probability.tif").channel_names == ("foreground", "distance")


def test_the_probability_is_that_of_one_pass_over_the_image(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    model, engine = load(nuclei_model)
    config = PredictConfig(outputs=["probability"], tile_size=[48, 64])
    predict_image(model, engine, nuclei, config, tmp_path, "a")
    written = tifffile.imread(tmp_path / "a.tif").astype(int)
    assert np.abs(written - _maps(model, engine, nuclei)[:, 0]).max() <= 1


@pytest.mark.parametrize("kind", ["labels", "mask", "probability"])
def test_the_tile_size_changes_nothing(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path, kind: str
) -> None:
    model, engine = load(nuclei_model)
    found = []
    for size in ([], [64, 64], [40, 100], [36, 28]):
        config = PredictConfig(outputs=[kind], tile_size=size)
        predict_image(model, engine, nuclei, config, tmp_path, "a")
        found.append(tifffile.imread(tmp_path / "a.tif"))
    assert found[0].any()
    same = _same_levels if kind == "probability" else _same_objects
    assert all(same(found[0], other) for other in found[1:])


def test_the_tile_size_changes_nothing_in_volumes(
    make_model: Callable[..., Path], load: Callable[..., Any], test_data: Path, tmp_path: Path
) -> None:
    image = open_image(test_data / "nuclei3d_embryo" / "train" / "raw" / "08_cell_stage.tif")
    cut = Image.from_array(image.data[0, 0, 20:35, 40:83, 40:79], "ZYX", name="cut")
    model, engine = load(make_model(3, kind="semantic"))
    found = []
    for size in ([], [8, 44, 20], [16, 24, 40]):
        predict_image(model, engine, cut, PredictConfig(outputs=["labels"], tile_size=size), tmp_path, "a")
        found.append(tifffile.imread(tmp_path / "a.tif"))
    assert found[0].shape == (15, 43, 39)
    assert found[0].any()
    assert all(_same_objects(found[0], other) for other in found[1:])


def test_a_mask_without_minimum_size_is_decoded_block_by_block_like_the_whole(
    nuclei_model: Path,
    load: Callable[..., Any],
    nuclei: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thresholds = {"min_size": 0}
    both = PredictConfig(outputs=["labels", "mask"], threshold=thresholds)
    predict_image(*load(nuclei_model), nuclei, both, tmp_path, "whole")

    def no_whole_maps(shape: Any, dtype: Any, folder: Path) -> Any:
        raise AssertionError("whole maps are not needed here")

    monkeypatch.setattr(predict_module, "allocate", no_whole_maps)
    alone = PredictConfig(outputs=["mask"], threshold=thresholds, tile_size=[40, 40])
    predict_image(*load(nuclei_model), nuclei, alone, tmp_path, "blocks")
    assert np.array_equal(
        tifffile.imread(tmp_path / "whole.mask.tif"), tifffile.imread(tmp_path / "blocks.tif")
    )


def test_classes_are_the_most_probable_ones(
    make_model: Callable[..., Path], load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    model, engine = load(make_model(kind="semantic", classes=3))
    config = PredictConfig(outputs=["classes", "probability"], threshold={"min_size": 0}, tile_size=[64, 64])
    predict_image(model, engine, nuclei, config, tmp_path, "a")
    classes = tifffile.imread(tmp_path / "a.classes.tif")
    decoded = model.target().decode(_maps(model, engine, nuclei), model.parameters.override(config.threshold))
    assert classes.dtype == np.uint8
    assert tifffile.imread(tmp_path / "a.probability.tif").shape == (3, *classes.shape)
    assert np.mean(classes == decoded.classes[0]) > 0.999


def test_without_a_choice_the_model_gives_what_it_learned(
    make_model: Callable[..., Path], load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    result = predict_image(*load(make_model(kind="semantic")), nuclei, PredictConfig(), tmp_path, "a")
    assert list(result.outputs) == [MASK]
    assert set(np.unique(tifffile.imread(tmp_path / "a.tif"))) <= {0, 1}


def test_an_output_the_model_can_not_give_is_refused(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no output 'classes': choose among labels, mask, probability"):
        predict_image(*load(nuclei_model), nuclei, PredictConfig(outputs=["classes"]), tmp_path, "a")
    assert list(tmp_path.iterdir()) == []


def test_float_probabilities_are_float16(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    config = PredictConfig(outputs=["probability"], float_probability=True)
    predict_image(*load(nuclei_model), nuclei, config, tmp_path, "float")
    predict_image(*load(nuclei_model), nuclei, PredictConfig(outputs=["probability"]), tmp_path, "byte")
    probability = tifffile.imread(tmp_path / "float.tif")
    assert probability.dtype == np.float16
    assert np.abs(probability.astype(np.float32) * 255 - tifffile.imread(tmp_path / "byte.tif")).max() < 0.6


def test_each_time_point_is_normalised_and_decoded_on_its_own(
    nuclei_model: Path, load: Callable[..., Any], sample_nuclei: Path, tmp_path: Path
) -> None:
    raw = tifffile.imread(sample_nuclei / "raw" / "000.tif")
    series = Image.from_array(np.stack([raw.astype(np.uint16) * 9 + 100, raw[::-1].astype(np.uint16)]), "TYX")
    model, engine = load(nuclei_model)
    predict_image(model, engine, series, PredictConfig(), tmp_path, "series")
    predict_image(model, engine, Image.from_array(raw, "YX"), PredictConfig(), tmp_path, "first")
    predict_image(
        model, engine, Image.from_array(raw[::-1].copy(), "YX"), PredictConfig(), tmp_path, "second"
    )
    labels = tifffile.imread(tmp_path / "series.tif")
    assert labels.shape == (2, *raw.shape)
    for t, name in enumerate(("first", "second")):
        assert np.mean((labels[t] > 0) == (tifffile.imread(tmp_path / f"{name}.tif") > 0)) > 0.999


def test_a_stack_is_predicted_slice_by_slice_on_request(
    nuclei_model: Path, load: Callable[..., Any], test_data: Path, tmp_path: Path
) -> None:
    image = open_image(test_data / "formats" / "zyx_uint8_calibrated_imagej.tif")
    numbers = {}
    for name, joined in (("joined", True), ("apart", False)):
        config = PredictConfig(slice_by_slice=True, threshold={"join_slices": joined})
        predict_image(*load(nuclei_model), image, config, tmp_path, name)
        labels = tifffile.imread(tmp_path / f"{name}.tif")
        assert labels.shape == (6, 263, 263)
        numbers[name] = [set(np.unique(plane)) - {0} for plane in labels]
    objects = {name: set().union(*each) for name, each in numbers.items()}
    assert sum(map(len, numbers["apart"])) == len(objects["apart"]) > 6
    assert 0 < len(objects["joined"]) < len(objects["apart"])


def test_rgb_histology_is_read_by_its_colours(
    make_model: Callable[..., Path], load: Callable[..., Any], test_data: Path, tmp_path: Path
) -> None:
    image = open_image(test_data / "formats" / "yxs_uint8_rgb.png")
    folder = make_model(
        channels=3, recipe={"inputs": [{"channels": [name]} for name in ("blue", "red", "green")]}
    )
    predict_image(*load(folder), image, PredictConfig(), tmp_path, "a")
    assert Provenance.read(tmp_path / "a.json").channels == ["blue", "red", "green"]


def test_pixel_size_is_kept(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    sized = Image.from_array(nuclei.data[0, 0, 0].compute(), "YX", pixel_size_um=(None, 0.25, 0.5))
    for file_format in (OutputFormat.tiff, OutputFormat.zarr):
        result = predict_image(*load(nuclei_model), sized, PredictConfig(format=file_format), tmp_path, "a")
        assert open_image(result.outputs[LABELS]).pixel_size_um == (None, 0.25, 0.5)
    assert Provenance.read(tmp_path / "a.json").pixel_size_um == (None, 0.25, 0.5)


def test_zarr_in_gives_zarr_out_that_shows_while_it_grows(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    source = write_image(tmp_path / "in" / "a.ome.zarr", nuclei.data[0, 0, 0].compute(), axes="YX")
    events = []

    def on_output(path: Path, kind: Output, growing: bool) -> None:
        events.append((path.name, kind, growing, open_image(path).shape))

    config = PredictConfig(outputs=["labels", "probability"])
    out = tmp_path / "out"
    predict_image(*load(nuclei_model), open_image(source), config, out, "a", on_output=on_output)
    predict_image(*load(nuclei_model), nuclei, config, out, "b")
    names = [("a.labels.ome.zarr", LABELS), ("a.probability.ome.zarr", PROBABILITY)]
    assert [event[:3] for event in events] == [(*n, True) for n in names] + [(*n, False) for n in names]
    assert [event[3] for event in events[:2]] == [(1, 1, 1, *nuclei.shape[3:]), (1, 2, 1, *nuclei.shape[3:])]
    for kind in ("labels", "probability"):
        stored = open_image(out / f"a.{kind}.ome.zarr").data.compute()
        assert np.array_equal(np.squeeze(stored), tifffile.imread(out / f"b.{kind}.tif"))


def test_auto_goes_over_to_zarr_for_large_outputs(
    nuclei_model: Path,
    load: Callable[..., Any],
    nuclei: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(output_plan, "AUTO_TIFF_LIMIT", 1000)
    result = predict_image(*load(nuclei_model), nuclei, PredictConfig(), tmp_path, "a")
    assert result.outputs[LABELS].name == "a.ome.zarr"


def test_the_record_says_where_the_prediction_came_from(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    model, engine = load(nuclei_model)
    config = PredictConfig(threshold={"foreground": 0.4}, tile_size=[64, 64])
    result = predict_image(model, engine, nuclei, config, tmp_path, "a")
    record = Provenance.read(tmp_path / "a.json")
    assert record.model.weights_sha256 == model.sha256
    assert record.input is not None
    assert record.input.path == str(nuclei.path)
    assert (record.parameters["foreground"], record.parameters["min_size"]) == (0.4, 20)
    assert (record.config["tile_size"], record.config["outputs"]) == ([64, 64], ["labels"])
    assert (record.n_objects, record.pending) == (result.n_objects, [])
    assert [(o.kind, o.path, o.axes, o.dtype) for o in record.outputs] == [
        ("labels", "a.tif", "YX", "uint16")
    ]
    assert record.seconds > 0


def test_an_all_black_image_has_no_objects(
    nuclei_model: Path, load: Callable[..., Any], tmp_path: Path
) -> None:
    black = Image.from_array(np.zeros((70, 50), np.uint8), "YX")
    result = predict_image(*load(nuclei_model), black, PredictConfig(), tmp_path, "a")
    assert tifffile.imread(result.outputs[LABELS]).shape == (70, 50)


def test_an_image_smaller_than_the_stride_is_predicted(
    nuclei_model: Path, load: Callable[..., Any], tmp_path: Path
) -> None:
    tiny = Image.from_array(np.arange(6, dtype=np.uint8).reshape(2, 3), "YX")
    result = predict_image(*load(nuclei_model), tiny, PredictConfig(), tmp_path, "a")
    assert tifffile.imread(result.outputs[LABELS]).shape == (2, 3)


def test_a_later_prediction_replaces_the_earlier_one_wholly(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    both = PredictConfig(outputs=["labels", "probability"])
    for config in (both, both, PredictConfig(format=OutputFormat.zarr), PredictConfig(outputs=["mask"])):
        predict_image(*load(nuclei_model), nuclei, config, tmp_path, "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.tif"]
    assert tifffile.imread(tmp_path / "a.tif").max() == 1


@pytest.mark.parametrize("name", ["a.tif", "a.json"])
def test_a_file_that_is_no_prediction_is_never_replaced(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(ImageError, match="is already there and does not belong to a prediction"):
        predict_image(*load(nuclei_model), nuclei, PredictConfig(), tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"{}"


@pytest.mark.parametrize("file_format", [OutputFormat.tiff, OutputFormat.zarr])
def test_cancel_leaves_what_was_there_before(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path, file_format: OutputFormat
) -> None:
    model, engine = load(nuclei_model)
    config = PredictConfig(format=file_format, tile_size=[64, 64], again=True)
    result = predict_image(model, engine, nuclei, config, tmp_path, "a")
    before = open_image(result.outputs[LABELS]).data.compute()
    record = (tmp_path / "a.json").read_text()
    seen = []
    context = Context(report=seen.append, cancelled=lambda: len(seen) > 3)
    for stem in ("a", "b"):
        seen.clear()
        with pytest.raises(Cancelled):
            predict_image(model, engine, nuclei, config, tmp_path, stem, context)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", result.outputs[LABELS].name]
    assert (tmp_path / "a.json").read_text() == record
    assert np.array_equal(open_image(result.outputs[LABELS]).data.compute(), before)


def test_progress_goes_from_0_to_1_without_going_back(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    seen = []
    series = Image.from_array(np.stack([nuclei.data[0, 0, 0].compute()] * 2), "TYX")
    config = PredictConfig(tile_size=[64, 64])
    predict_image(*load(nuclei_model), series, config, tmp_path, "a", Context(report=seen.append))
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert len(set(fractions)) > 20


def test_the_few_spots_of_a_sparse_image_are_found(
    nuclei_model: Path, load: Callable[..., Any], sample_nuclei: Path, tmp_path: Path
) -> None:
    nucleus = tifffile.imread(sample_nuclei / "raw" / "000.tif")
    truth = tifffile.imread(sample_nuclei / "seg" / "000.tif")
    (rows, columns) = np.nonzero(truth == np.bincount(truth[truth > 0]).argmax())
    around = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    sparse = np.full((800, 800), 7, np.uint8)
    sparse[300:, 300:][: np.ptp(rows) + 1, : np.ptp(columns) + 1] = np.where(
        truth[around] > 0, np.maximum(nucleus[around], 7), 7
    )
    assert (sparse != 7).mean() < 0.002
    said: list[Any] = []
    result = predict_image(
        *load(nuclei_model),
        Image.from_array(sparse, "YX"),
        PredictConfig(),
        tmp_path,
        "a",
        on_message=lambda *args: said.append(args),
    )
    assert result.n_objects
    assert said == []
    assert dice(tifffile.imread(tmp_path / "a.tif") > 0, sparse > 7) > 0.7


def test_pixels_that_are_no_number_are_taken_as_dark(
    nuclei_model: Path, load: Callable[..., Any], sample_nuclei: Path, tmp_path: Path
) -> None:
    raw = tifffile.imread(sample_nuclei / "raw" / "360.tif").astype(np.float32)
    truth = tifffile.imread(sample_nuclei / "seg" / "360.tif")
    raw[:, :60] = np.nan
    image = Image.from_array(raw, "YX", name="a.tif")
    predict_image(*load(nuclei_model), image, PredictConfig(), tmp_path, "a")
    labels = tifffile.imread(tmp_path / "a.tif")
    assert not labels[:, :55].any()
    assert dice(labels[:, 60:] > 0, truth[:, 60:] > 0) > 0.7


def test_an_image_that_is_the_same_everywhere_is_named(
    nuclei_model: Path, load: Callable[..., Any], tmp_path: Path
) -> None:
    said: list[Any] = []
    image = Image.from_array(np.full((64, 64), 9, np.uint8), "YX", name="a.tif")
    predict_image(
        *load(nuclei_model), image, PredictConfig(), tmp_path, "a", on_message=lambda *args: said.append(args)
    )
    assert said == [("`a.tif` has the same intensity everywhere: nothing can be found in it.", "warning")]


def test_time_points_that_are_the_same_everywhere_are_counted(
    nuclei_model: Path, load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    said: list[Any] = []
    frame = nuclei.data[0, 0, 0].compute()
    series = Image.from_array(np.stack([frame, frame * 0, frame * 0]), "TYX", name="a.tif")
    predict_image(
        *load(nuclei_model),
        series,
        PredictConfig(),
        tmp_path,
        "a",
        on_message=lambda *args: said.append(args),
    )
    assert said == [
        (
            "`a.tif` has the same intensity everywhere at 2 of 3 time points: nothing can be found in them.",
            "warning",
        )
    ]


def test_remarks_are_passed_on(
    make_model: Callable[..., Path], load: Callable[..., Any], nuclei: Image, tmp_path: Path
) -> None:
    said = []
    sized = Image.from_array(
        nuclei.data[0, 0, 0].compute(), "YX", pixel_size_um=(None, 0.5, 0.5), name="a.tif"
    )
    folder = make_model(pixel_size_um=(None, 0.2, 0.2))
    predict_image(
        *load(folder), sized, PredictConfig(), tmp_path, "a", on_message=lambda *args: said.append(args)
    )
    assert len(said) == 1
    assert said[0][1] == "warning"
    assert "`a.tif` has pixels of 0.5 um along Y" in said[0][0]
