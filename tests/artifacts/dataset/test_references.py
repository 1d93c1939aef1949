from __future__ import annotations

from pathlib import Path

from segloop.artifacts.dataset.references import from_reference, to_reference


def test_an_image_beside_the_dataset_is_relative() -> None:
    assert to_reference("/data/study/raw/a.tif", Path("/data/study/sets/nuclei")) == "../../raw/a.tif"


def test_an_image_in_the_dataset_is_relative() -> None:
    assert to_reference("/data/nuclei/raw/a.tif", Path("/data/nuclei")) == "raw/a.tif"


def test_an_image_far_away_is_absolute() -> None:
    path = Path("/images/a.tif").absolute()
    assert to_reference(path, Path("/data/nuclei")) == path.as_posix()
    assert (
        to_reference("/d/raw/a.tif", Path("/d/1/2/3/4/nuclei")) == Path("/d/raw/a.tif").absolute().as_posix()
    )


def test_a_reference_leads_back(tmp_path: Path) -> None:
    image, folder = tmp_path / "raw" / "a.tif", tmp_path / "nuclei"
    assert from_reference(to_reference(image, folder), folder, "") == image


def test_a_dataset_moved_alone_finds_its_images_at_its_old_home(tmp_path: Path) -> None:
    image, home = tmp_path / "raw" / "a.tif", tmp_path / "nuclei"
    image.parent.mkdir()
    image.write_text("")
    moved = tmp_path / "elsewhere" / "deep" / "nuclei"
    assert from_reference(to_reference(image, home), moved, home.as_posix()) == image
