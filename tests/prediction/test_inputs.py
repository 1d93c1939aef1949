"""Which files a job predicts, and the names of their predictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from segloop.config.predict import OutputFormat, PredictConfig
from segloop.core.errors import JobError
from segloop.prediction.inputs import check_names, output_name, plan_items, scene_stem
from segloop.targets.output import LABELS, PROBABILITY


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_predictions_keep_the_subfolder_of_their_input(tmp_path: Path) -> None:
    _touch(tmp_path, "in/a.ome.tif", "in/day2/b.png")
    items, problems = plan_items([str(tmp_path / "in")], tmp_path / "out")
    assert [item.stem for item in items] == ["a", "day2/b"]
    assert problems == []


def test_a_pattern_keeps_the_subfolders_below_its_fixed_part(tmp_path: Path) -> None:
    _touch(tmp_path, "in/day1/a.tif", "in/day2/a.tif", "in/day2/b.tif")
    items, _ = plan_items([str(tmp_path / "in" / "*" / "a.tif")], tmp_path / "out")
    assert [item.stem for item in items] == ["day1/a", "day2/a"]


def test_single_files_have_no_subfolder(tmp_path: Path) -> None:
    _touch(tmp_path, "in/day1/a.tif")
    items, _ = plan_items([str(tmp_path / "in" / "day1" / "a.tif")], tmp_path / "out")
    assert [item.stem for item in items] == ["a"]


def test_a_file_named_twice_is_predicted_once(tmp_path: Path) -> None:
    _touch(tmp_path, "a.tif")
    items, _ = plan_items([str(tmp_path), str(tmp_path / "a.tif")], tmp_path / "out")
    assert len(items) == 1


def test_missing_and_empty_inputs_are_reported_and_the_rest_kept(tmp_path: Path) -> None:
    _touch(tmp_path, "a.tif")
    (tmp_path / "empty").mkdir()
    inputs = [str(tmp_path / name) for name in ("missing.tif", "a.tif", "empty")]
    items, problems = plan_items(inputs, tmp_path / "out")
    assert [item.stem for item in items] == ["a"]
    assert ["missing.tif" in problems[0], "empty" in problems[1]] == [True, True]


def test_earlier_predictions_within_the_input_folder_are_no_images(tmp_path: Path) -> None:
    _touch(tmp_path, "a.tif", "predicted/a.tif")
    items, _ = plan_items([str(tmp_path)], tmp_path / "predicted")
    assert [item.path for item in items] == [tmp_path / "a.tif"]


def test_two_inputs_of_one_name_are_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "a.tif", "a.png")
    items, _ = plan_items([str(tmp_path)], tmp_path / "out")
    with pytest.raises(JobError, match=r"`.*a\.png` and `.*a\.tif` would both be written to `a`"):
        check_names(items, tmp_path / "out", PredictConfig())


def test_an_output_over_its_input_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path, "a.tif")
    items, _ = plan_items([str(tmp_path)], tmp_path)
    with pytest.raises(JobError, match=r"a\.tif` would overwrite an input"):
        check_names(items, tmp_path, PredictConfig())


def test_an_output_of_another_name_beside_its_input_is_fine(tmp_path: Path) -> None:
    _touch(tmp_path, "a.tif")
    items, _ = plan_items([str(tmp_path)], tmp_path)
    check_names(items, tmp_path, PredictConfig(format=OutputFormat.zarr))
    check_names(items, tmp_path, PredictConfig(outputs=["labels", "probability"]))


def test_several_outputs_carry_their_kind_in_the_name() -> None:
    both = [LABELS, PROBABILITY]
    assert output_name("d/a", LABELS, both[:1], ".tif") == "d/a.tif"
    assert output_name("d/a", LABELS, both, ".ome.zarr") == "d/a.labels.ome.zarr"


@pytest.mark.parametrize(
    ("scene", "scenes", "expected"),
    [
        (0, ["only"], "a"),
        (1, ["left", "right"], "a_right"),
        (0, ["Image:0", "Image:1"], "a_Image_0"),
        (1, ["same", "same"], "a_1"),
        (0, ["", "x"], "a_0"),
    ],
)
def test_scenes_of_a_file_are_told_apart(scene: int, scenes: list[str], expected: str) -> None:
    assert scene_stem("a", scene, scenes) == expected
