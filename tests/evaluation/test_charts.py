"""Charts are well-formed SVG with axes, ticks, labels and the lines in the right place."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from segloop.evaluation.charts import MOST_POINTS, line_chart


def parsed(chart: str) -> ElementTree.Element:
    return ElementTree.fromstring(chart)


def points(line: ElementTree.Element) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in line.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def ticks(figure: ElementTree.Element, anchor: str) -> list[str]:
    return [
        text.text or ""
        for text in figure.iter("text")
        if text.attrib.get("class") == "tick" and text.attrib["text-anchor"] == anchor
    ]


def test_a_line_rises_to_the_right_and_up() -> None:
    figure = parsed(line_chart({"a": [(0, 0.0), (1, 0.5), (2, 1.0)]}, x_label="epoch", y_label="score"))
    drawn = points(next(figure.iter("polyline")))
    assert [x for x, _ in drawn] == sorted(x for x, _ in drawn)
    assert [y for _, y in drawn] == sorted((y for _, y in drawn), reverse=True)


def test_axes_are_labelled_and_ticks_are_round() -> None:
    figure = parsed(
        line_chart({"a": [(1, 0.13), (50, 1.37)]}, x_label="epoch", y_label="loss <mean>", size=(500, 300))
    )
    labels = [text.text for text in figure.iter("text") if text.attrib["class"] == "label"]
    assert labels == ["epoch", "loss <mean>"]
    assert ticks(figure, "end") == ["0", "0.5", "1", "1.5"]
    assert ticks(figure, "middle") == ["10", "20", "30", "40", "50"]


def test_everything_stays_inside_the_picture() -> None:
    lines = {"a": [(0, -3e-5), (7, 8e-5)], "b": [(3, 2e-5)]}
    figure = parsed(line_chart(lines, x_label="x", y_label="y", size=(540, 300)))
    for line in figure.iter("polyline"):
        for x, y in points(line):
            assert 0 < x < 540
            assert 0 < y < 300


def test_few_epochs_have_whole_ticks() -> None:
    figure = parsed(line_chart({"a": [(0, 1.0), (1, 2.0), (2, 3.0)]}, x_label="epoch", y_label="y"))
    assert ticks(figure, "middle") == ["0", "1", "2"]


def test_each_line_is_named_with_its_colour() -> None:
    chart = line_chart(
        {"one & two": [(0, 1.0), (1, 2.0)], "b": [(0, 2.0), (1, 1.0)]}, x_label="x", y_label="y"
    )
    figure = parsed(chart)
    names = ["".join(span.itertext()) for span in figure.iter("span")]
    assert names == ["one & two", "b"]
    strokes = [line.attrib["stroke"] for line in figure.iter("polyline")]
    assert [mark.attrib["style"] for mark in figure.iter("i")] == [
        f"background:{stroke}" for stroke in strokes
    ]
    assert len(set(strokes)) == 2


@pytest.mark.parametrize("value", [0.0, 3.0, -2.5])
def test_a_single_point_is_a_dot(value: float) -> None:
    figure = parsed(line_chart({"a": [(4, value)]}, x_label="epoch", y_label="y"))
    assert len(list(figure.iter("circle"))) == 1


def test_values_that_are_not_finite_are_left_out() -> None:
    figure = parsed(line_chart({"a": [(0, 1.0), (1, float("nan")), (2, 2.0)]}, x_label="x", y_label="y"))
    assert len(points(next(figure.iter("polyline")))) == 2


def test_nothing_to_draw_gives_no_chart() -> None:
    assert line_chart({"a": [], "b": [(0, float("inf"))]}, x_label="x", y_label="y") == ""


def test_long_lines_are_thinned_between_first_and_last() -> None:
    long = [(float(i), float(i % 7)) for i in range(100_000)]
    thinned = points(next(parsed(line_chart({"a": long}, x_label="x", y_label="y")).iter("polyline")))
    whole = points(
        next(parsed(line_chart({"a": [long[0], long[-1]]}, x_label="x", y_label="y")).iter("polyline"))
    )
    assert len(thinned) == MOST_POINTS
    assert (thinned[0][0], thinned[-1][0]) == pytest.approx((whole[0][0], whole[-1][0]), abs=20)
