"""The report stands alone and shows what it was given."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segloop.core.errors import ImageError
from segloop.evaluation.baseline import otsu_labels
from segloop.evaluation.report import ReportRow, write_report
from segloop.evaluation.scores import pool, score_image

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would find: elements, addresses, text; refuses tags that do not close."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.text = ""
        self.captions: list[str] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID and not (self.get_starttag_text() or "").endswith("/>"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "style":
            assert "url(" not in data
            assert "@import" not in data
            return
        self.text += data
        if self._open and self._open[-1] == "figcaption":
            self.captions.append(data)


@pytest.fixture(scope="module")
def rows(sample_nuclei: Path) -> list[ReportRow]:
    """Two real images with smoothed Otsu as the prediction."""
    made = []
    for name in ("000", "105"):
        raw, truth = (tifffile.imread(sample_nuclei / kind / f"{name}.tif")[None] for kind in ("raw", "seg"))
        made.append(ReportRow(f"plate<1>/{name}", raw[None], truth, otsu_labels(raw), note="Dice 0.9"))
    return made


def scores_of(rows: list[ReportRow], instances: bool = True, baseline: bool = False) -> dict[str, object]:
    scores = [score_image(row.prediction, row.truth, instances=instances, valid=row.valid) for row in rows]
    return pool(scores, scores if baseline else ())


def test_the_page_loads_nothing_and_runs_nothing(rows: list[ReportRow], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, title="Nuclei", figures=rows, curves={}, scores=scores_of(rows))
    page = Page(path)
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
    assert page.addresses
    assert all(address.startswith("data:image/") for address in page.addresses)


def test_each_image_shows_image_truth_prediction_and_difference(
    rows: list[ReportRow], tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    write_report(path, title="Nuclei", figures=rows, curves={}, scores=scores_of(rows))
    page = Page(path)
    assert page.tags["img"] == 8
    assert [c for c in page.captions if c in ("image", "truth", "prediction", "difference")] == [
        "image",
        "truth",
        "prediction",
        "difference",
    ] * 2
    assert "plate<1>/000" in page.text
    assert all(word in page.text for word in ("agreement", "missed", "extra", "outlined"))
    assert "excluded" not in page.text


def test_scores_stand_beside_the_baseline(rows: list[ReportRow], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    scores = scores_of(rows, baseline=True)
    scores["baseline"]["instance"]["pq"] = 0.1234  # type: ignore[index]
    write_report(path, title="Nuclei", figures=[], curves={}, scores=scores)
    page = Page(path)
    assert "0.123" in page.text
    assert f"{scores['semantic']['dice']:.3f}" in page.text  # type: ignore[index]
    assert "Otsu" in page.text
    assert page.tags["polyline"] == 2


def test_without_a_baseline_none_is_mentioned(rows: list[ReportRow], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, title="Nuclei", figures=[], curves={}, scores=scores_of(rows))
    assert "aseline" not in Page(path).text


def test_masks_are_reported_without_objects(rows: list[ReportRow], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, title="M", figures=rows, curves={}, scores=scores_of(rows, instances=False))
    page = Page(path)
    assert "AP" not in page.text
    assert "outlined" not in page.text
    assert page.tags["img"] == 8


def test_losses_share_a_chart_and_so_do_scores(rows: list[ReportRow], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    curves = {
        "train_loss": [(0, 2.0), (1, 1.0)],
        "val_loss": [(0, 2.1), (1, 1.2)],
        "val_dice": [(0, 0.2), (1, 0.8)],
        "learning_rate": [(0, 1e-3), (1, 1e-4)],
        "empty": [],
    }
    scores = scores_of(rows, instances=False)
    write_report(path, title="T", figures=[], curves=curves, scores=scores)
    page = Page(path)
    assert page.tags["svg"] == 3
    assert page.tags["polyline"] == 4
    assert "val loss" in page.captions or "val loss" in page.text


def test_a_stack_shows_its_middle_slice_and_its_projection(test_data: Path, tmp_path: Path) -> None:
    folder = test_data / "nuclei3d_embryo" / "train"
    raw = next((folder / "raw").glob("*.tif"))
    truth = tifffile.imread(folder / "seg" / raw.name)
    row = ReportRow("embryo", tifffile.imread(raw)[None], truth, truth)
    path = tmp_path / "report.html"
    write_report(path, title="3D", figures=[row], curves={}, scores=scores_of([row]))
    page = Page(path)
    assert page.tags["img"] == 8
    assert "image, slice 26 of 51" in page.captions
    assert "image, maximum projection" in page.captions


def test_excluded_parts_and_a_missing_image_are_said(rows: list[ReportRow], tmp_path: Path) -> None:
    valid = np.ones(rows[0].truth.shape, bool)
    valid[:, :50] = False
    row = ReportRow("a", None, rows[0].truth, rows[0].prediction, valid=valid)
    path = tmp_path / "report.html"
    write_report(path, title="T", figures=[row], curves={}, scores=scores_of([row]))
    page = Page(path)
    assert "excluded" in page.text
    assert "no raw image" in page.text
    assert page.tags["img"] == 3


def test_classes_have_a_colour_for_the_wrong_one(tmp_path: Path) -> None:
    truth = np.array([[[1, 2], [0, 2]]])
    row = ReportRow("a", None, truth, truth[..., ::-1])
    path = tmp_path / "report.html"
    scores = scores_of([row], instances=False)
    write_report(path, title="T", figures=[row], curves={}, scores=scores, classes=True)
    assert "other class" in Page(path).text


def test_config_and_problems_are_shown_as_text(rows: list[ReportRow], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(
        path,
        title="<b>bold</b>",
        figures=[],
        curves={},
        scores=scores_of(rows),
        config_yaml="dataset: </pre><script>alert(1)</script>\n",
        problems=["a<b>.tif is missing."],
    )
    page = Page(path)
    assert page.tags["script"] == page.tags["b"] - 4 == 0
    assert "<script>alert(1)</script>" in page.text
    assert "a<b>.tif is missing." in page.text
    assert page.tags["details"] == 1


def test_thirty_large_noisy_images_stay_below_ten_megabytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 65535, (1, 1, 1024, 1024), dtype=np.uint16)
    labels = np.kron(np.arange(1, 1025).reshape(32, 32), np.ones((32, 32), int))[None]
    row = ReportRow("noise", image, labels, labels)
    path = tmp_path / "report.html"
    write_report(path, title="T", figures=[row], curves={}, scores=scores_of([row]))
    assert path.stat().st_size * 30 < 10e6


def test_a_folder_that_is_missing_is_named(rows: list[ReportRow], tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nowhere.*choose a folder"):
        write_report(
            tmp_path / "nowhere" / "r.html", title="T", figures=[], curves={}, scores=scores_of(rows)
        )
