"""What is found in datasets that were spoiled on purpose, and nothing in one that was not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from segloop.app.sample import make_sample_dataset
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.cli.command import run
from segloop.curation.quality.findings import Kind
from segloop.curation.quality.measures import (
    measure_channel,
    objects_in_pieces,
    objects_without_signal,
    small_picture,
)
from segloop.curation.quality.survey import Quality, survey_dataset
from segloop.images.pairing import pair_by_stem
from segloop.images.write import write_image


def sample(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (100, 120) of noise with bright squares of 100 pixels, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((100, 120), np.uint16)
    for number in range(1, 21):
        y, x = 5 + 20 * ((number - 1) // 5), 5 + 22 * ((number - 1) % 5)
        y, x = y + rng.integers(-4, 5), x + rng.integers(-4, 5)
        labels[y : y + 10, x : x + 10] = number
    raw = 100 + 5 * rng.normal(size=labels.shape) + 300 * (labels > 0) * rng.uniform(0.5, 1, labels.shape)
    return raw.astype(np.uint16), labels


def dataset(
    folder: Path, samples: dict[str, tuple[np.ndarray, np.ndarray]], **options: object
) -> CuratedDataset:
    for name, (raw, labels) in samples.items():
        write_image(folder / "raw" / f"{name}.tif", raw, axes="YX" if raw.ndim == 2 else "ZYX")
        write_image(folder / "seg" / f"{name}.tif", labels, axes="YX" if raw.ndim == 2 else "ZYX")
    pairs = pair_by_stem(folder / "raw", folder / "seg").pairs
    return CuratedDataset.create(folder / "dataset", pairs, accept_all=True, **options)  # type: ignore[arg-type]


def found(quality: Quality) -> list[tuple[Kind, str]]:
    return [(each.kind, each.sample) for each in quality.findings]


def test_each_kind_of_fault_is_found_and_named(tmp_path: Path) -> None:
    samples = {f"good{number}": sample(number) for number in range(4)}
    raw, labels = sample(10)
    samples["empty"] = raw, np.zeros_like(labels)
    raw, labels = sample(11)
    labels[labels == 7] = 3
    samples["pieces"] = raw, labels
    raw, labels = sample(12)
    labels[0, 0] = 99
    raw[0, 0] = 400
    samples["speck"] = raw, labels
    raw, labels = sample(13)
    raw[labels == 4] = 100
    samples["dark"] = raw, labels
    raw, labels = sample(14)
    samples["overexposed"] = np.minimum(raw, 250), labels
    raw, labels = sample(15)
    raw[50, 60] = 60_000
    samples["hot"] = raw, labels
    raw, labels = sample(0)
    samples["copy"] = raw + 1, labels
    made = dataset(tmp_path, samples, val=0.0)

    quality = survey_dataset(made)

    assert found(quality) == [
        (Kind.copy, "copy"),
        (Kind.empty, "empty"),
        (Kind.pieces, "pieces"),
        (Kind.specks, "speck"),
        (Kind.no_signal, "dark"),
        (Kind.overexposed, "overexposed"),
        (Kind.hot, "hot"),
    ]
    said = {each.sample: each.sentence for each in quality.findings}
    assert said["copy"] == "Nearly the same image as good0."
    assert said["pieces"].startswith("Object 3 is in several pieces")
    assert said["speck"] == "1 object below 5 pixels, a twentieth of the usual size."
    assert said["dark"] == "Object 4 is no brighter than the pixels around."
    assert said["hot"].startswith("1 pixel of ")


def test_a_copy_in_another_split_is_the_most_serious(tmp_path: Path) -> None:
    samples = {"a": sample(0), "b": sample(0), "c": sample(2)}
    made = dataset(tmp_path, samples, val=0.0)
    made.set_split("b", "val")
    (leak,) = survey_dataset(made).findings
    assert (leak.kind, leak.sample, leak.other) == (Kind.leak, "a", "b")
    assert "b, which is in val (a is in train)" in leak.sentence


def test_rejected_samples_are_left_out_and_unreadable_ones_named(tmp_path: Path) -> None:
    made = dataset(tmp_path, {"a": sample(0), "b": sample(0), "c": sample(2)}, val=0.0)
    made.save(made.sample("b").edit(verdict=Verdict.rejected), "reject")
    (tmp_path / "raw" / "c.tif").write_bytes(b"no image")
    quality = survey_dataset(made)
    assert [each.id for each in quality.measures] == ["a"]
    assert quality.findings == ()
    assert quality.problems[0].startswith("c: ")


def test_the_bundled_images_are_no_copies_and_have_no_damage(tmp_path: Path) -> None:
    quality = survey_dataset(make_sample_dataset(tmp_path / "nuclei", accept_all=True))
    assert {kind for kind, _ in found(quality)} <= {Kind.no_signal, Kind.pieces, Kind.specks}
    assert quality.problems == ()


def test_of_classes_the_balance_is_reported(tmp_path: Path) -> None:
    raw, labels = sample(0)
    classes = np.where(labels > 10, 2, np.minimum(labels, 1)).astype(np.uint8)
    made = dataset(tmp_path, {"a": (raw, classes)}, val=0.0, label_kind="semantic")
    quality = survey_dataset(made)
    assert quality.summary()["class_shares"] == {"1": 1000 / 12000, "2": 1000 / 12000}
    assert quality.findings == ()


def test_stacks_are_measured_too(tmp_path: Path) -> None:
    planes = [sample(0), sample(1)]
    raw, labels = (np.stack([each[part] for each in planes]) for part in (0, 1))
    labels[1] = np.where(labels[1] > 0, labels[1] + 50, 0)
    quality = survey_dataset(dataset(tmp_path, {"a": (raw, labels)}, val=0.0))
    assert (quality.measures[0].n_objects, quality.findings) == (40, ())


@pytest.mark.parametrize("value", [0.0, np.nan, 7.0])
def test_images_without_contrast_have_no_picture_and_no_hot_pixels(value: float) -> None:
    pixels = np.full((1, 40, 50), value, np.float32)
    assert not small_picture(pixels).any()
    assert measure_channel("c", pixels).n_hot == 0


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 31, 33), (1, 400, 90)])
def test_small_pictures_are_alike_only_if_the_images_are(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(0)
    one, other = (gaussian_filter(rng.normal(size=shape), 1).astype(np.float32) for _ in range(2))
    same = (small_picture(one) * small_picture(2 * one + 5)).sum()
    assert same == pytest.approx(1, abs=1e-5)
    assert abs((small_picture(one) * small_picture(other)).sum()) < 0.9


def test_pieces_that_touch_at_a_corner_are_one() -> None:
    labels = np.zeros((1, 6, 6), int)
    labels[0, 0, 0] = labels[0, 1, 1] = 1
    labels[0, 3, 3] = labels[0, 5, 5] = 2
    labels[0, 4, 4] = 3
    assert objects_in_pieces(labels) == (2,)


def test_brightness_says_nothing_where_objects_are_not_brighter() -> None:
    raw, labels = sample(0)
    raw, labels = raw[None].astype(np.float32), labels[None]
    assert objects_without_signal(labels, raw[None]) == ()
    assert objects_without_signal(labels, -raw[None]) == ()
    assert objects_without_signal(np.zeros_like(labels), raw[None]) == ()


def test_the_command_prints_and_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, labels = sample(2)
    labels[labels == 5] = 0
    samples = {"b": sample(0), "a": sample(0), "c": (raw, labels)}
    made = dataset(tmp_path, samples, val=0.0, name="a&<b>")
    page = tmp_path / "quality.html"
    assert run(["dataset", "stats", str(made.path), "--report", str(page)]) == 0
    assert "Near copies of each other: " in capsys.readouterr().out
    html = page.read_text()
    assert "Quality of a&amp;&lt;b&gt;" in html
    assert "<b>" not in html
    assert "<script" not in html
    assert "objects in a sample" in html

    assert run(["dataset", "stats", str(made.path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["n_samples"], data["n_objects"]) == (3, 59)
    assert data["findings"][0]["kind"] == "copy"
