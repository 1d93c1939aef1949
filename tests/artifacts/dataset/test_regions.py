from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import draw

from segloop.artifacts.dataset.manifest import Region
from segloop.artifacts.dataset.regions import rasterise

SHAPE = (3, 40, 50)


def region(shape: str, vertices, **more) -> Region:
    return Region(id="r", kind="exclude", shape=shape, vertices=vertices, **more)


def corners(row: float, column: float, row_radius: float, column_radius: float, angle: float = 0) -> list:
    """Bounding corners as napari stores those of an ellipse, turned by an angle in radians."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    plain = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * (row_radius, column_radius)
    return (plain @ turn.T + (row, column)).tolist()


def drawn(pixels, shape=SHAPE) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[:, pixels[0], pixels[1]] = True
    return mask


@given(st.lists(st.tuples(st.floats(-20, 60), st.floats(-20, 70)), min_size=3, max_size=8))
@pytest.mark.parametrize("shape", ["polygon", "path"])
def test_polygons_are_as_skimage_draws_them(shape: str, vertices: list[tuple[float, float]]) -> None:
    rows, columns = np.array(vertices).T
    mask = rasterise(region(shape, vertices), SHAPE)
    if np.linalg.matrix_rank(np.array(vertices) - vertices[0]) == 2:
        assert np.array_equal(mask, drawn(draw.polygon(rows, columns, SHAPE[1:])))
    else:
        assert not mask.any()


def test_a_rectangle_is_the_polygon_of_its_corners() -> None:
    mask = rasterise(region("rectangle", corners(10, 12, 4, 6)), SHAPE)
    assert np.array_equal(mask, drawn(draw.rectangle((6, 6), (14, 18))))


@given(st.floats(-5, 45), st.floats(-5, 55), st.floats(0.5, 20), st.floats(0.5, 20))
def test_an_upright_ellipse_is_as_skimage_draws_it(y: float, x: float, height: float, width: float) -> None:
    given_corners = corners(y, x, height, width)
    centre = np.mean(given_corners, axis=0)
    radii = (given_corners[3][0] - given_corners[0][0]) / 2, (given_corners[1][1] - given_corners[0][1]) / 2
    mask = rasterise(region("ellipse", given_corners), SHAPE)
    assert np.array_equal(mask, drawn(draw.ellipse(*centre, *radii, shape=SHAPE[1:])))


@pytest.mark.parametrize("start", range(4))
@pytest.mark.parametrize("degrees", [-80, -30, 0, 10, 45, 60, 90, 135, 200])
def test_a_turned_ellipse_is_as_skimage_draws_it(degrees: int, start: int) -> None:
    turned = corners(20.3, 25.1, 12.2, 5.4, np.deg2rad(degrees))
    mask = rasterise(region("ellipse", turned[start:] + turned[:start]), SHAPE)
    expected = draw.ellipse(20.3, 25.1, 12.2, 5.4, SHAPE[1:], rotation=np.deg2rad(degrees))
    assert np.array_equal(mask, drawn(expected))


def test_whole_radii_leave_the_rim_out_whatever_the_first_corner() -> None:
    upright = corners(20, 20, 6, 3)
    expected = drawn(draw.ellipse(20, 20, 6, 3, SHAPE[1:]))
    for start in range(4):
        assert np.array_equal(
            rasterise(region("ellipse", upright[start:] + upright[:start]), SHAPE), expected
        )


@pytest.mark.parametrize("shape", ["polygon", "ellipse"])
def test_what_lies_outside_is_cut_off(shape: str) -> None:
    vertices = corners(2, 45, 10, 12, 0.4)
    moved = (np.array(vertices) + 50).tolist()
    whole = rasterise(region(shape, moved), (1, 150, 150))
    assert np.array_equal(rasterise(region(shape, vertices), (1, 40, 50)), whole[:, 50:90, 50:100])


def test_a_region_outside_has_no_pixels() -> None:
    assert not rasterise(region("polygon", corners(-50, 500, 5, 5)), SHAPE).any()
    assert not rasterise(region("ellipse", corners(-50, 500, 5, 5)), SHAPE).any()


@pytest.mark.parametrize(
    ("first", "last", "slices"),
    [
        (None, None, [0, 1, 2]),
        (1, 1, [1]),
        (0, 1, [0, 1]),
        (None, 0, [0]),
        (2, 9, [2]),
        (-3, 0, [0]),
        (2, 1, []),
    ],
)
def test_both_ends_of_the_z_range_belong_to_it(
    first: int | None, last: int | None, slices: list[int]
) -> None:
    mask = rasterise(region("rectangle", corners(10, 10, 3, 3), z_first=first, z_last=last), SHAPE)
    assert np.flatnonzero(mask.any(axis=(1, 2))).tolist() == slices


@pytest.mark.parametrize(
    "vertices", [[], [(1, 1)], [(1, 1), (9, 9)], [(1, 1), (5, 5), (9, 9), (3, 3)], [(4, 4)] * 4]
)
@pytest.mark.parametrize("shape", ["polygon", "rectangle", "ellipse", "path"])
def test_a_shape_without_area_has_no_pixels(shape: str, vertices: list[tuple[int, int]]) -> None:
    assert not rasterise(region(shape, vertices), SHAPE).any()
