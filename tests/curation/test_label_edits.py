"""Edits of labels: each compared with a slow way to say the same, on drawn and on real labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import disk
from skimage.measure import label
from tifffile import imread

from segloop.artifacts.dataset.label_changes import LabelChange
from segloop.curation import label_edits


def applied(labels: np.ndarray, change: LabelChange) -> np.ndarray:
    """Return a changed copy, and check that the change is what it says it is."""
    result = labels.copy()
    assert (result.reshape(-1)[change.indices] == change.before).all()
    assert (change.before != change.after).all()
    assert (np.diff(change.indices) > 0).all()
    change.apply(result)
    taken_back = result.copy()
    change.reversed().apply(taken_back)
    assert np.array_equal(taken_back, labels)
    return result


def two_glued_discs() -> np.ndarray:
    """Return one object of two overlapping discs, and another one of its own."""
    labels = np.zeros((1, 40, 60), np.uint32)
    labels[0][disk((20, 18), 10)] = 3
    labels[0][disk((20, 36), 10)] = 3
    labels[0, 2:6, 50:58] = 9
    return labels


@st.composite
def label_images(draw: st.DrawFn) -> np.ndarray:
    """Draw small label images with objects of any shape, in one slice or several."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(1, 9, 11), (4, 7, 8)]))
    return (rng.integers(0, 4, shape) * (rng.random(shape) > 0.3)).astype(np.uint32)


@given(label_images(), st.integers(1, 4))
def test_delete_and_join_change_these_objects_only(labels: np.ndarray, number: int) -> None:
    assert np.array_equal(
        applied(labels, label_edits.delete(labels, number)), np.where(labels == number, 0, labels)
    )
    joined = applied(labels, label_edits.join(labels, [number, 1, 2]))
    assert np.array_equal(joined, np.where(np.isin(labels, [1, 2]), number, labels))


@settings(max_examples=200)
@given(label_images(), st.sampled_from(["fill_holes", "smooth", "grow", "shrink", "interpolate"]))
def test_shape_edits_leave_other_objects_alone(labels: np.ndarray, name: str) -> None:
    result = applied(labels, getattr(label_edits, name)(labels, 2))
    others = (labels != 2) & (labels != 0)
    assert np.array_equal(result[others], labels[others])
    assert set(np.unique(result)) <= {*np.unique(labels).tolist(), 0}
    if name in ("fill_holes", "grow", "interpolate"):
        assert (result[labels == 2] == 2).all()
    if name == "shrink":
        assert (labels[result == 2] == 2).all()


@pytest.mark.parametrize("name", ["delete", "fill_holes", "smooth", "grow", "shrink", "interpolate"])
@pytest.mark.parametrize("number", [0, 77])
def test_an_edit_of_the_background_or_of_no_object_changes_nothing(name: str, number: int) -> None:
    labels = two_glued_discs()
    change = getattr(label_edits, name)(labels, number)
    assert np.array_equal(applied(labels, change), labels)


def test_a_line_cuts_two_glued_discs() -> None:
    labels = two_glued_discs()
    result = applied(labels, label_edits.cut(labels, 0, [(5, 27), (35, 27)]))
    assert np.array_equal(result > 0, labels > 0)
    left, right = result[0, 20, 18], result[0, 20, 36]
    assert {left, right} == {3, 10}
    assert (result[0, :, :26][labels[0, :, :26] == 3] == left).all()
    assert (result[0, :, 29:][labels[0, :, 29:] == 3] == right).all()
    assert (result[labels == 9] == 9).all()


@pytest.mark.parametrize("path", [[(20, 18), (20, 20)], [(0, 0), (39, 0)], [(20, 10), (20, 10)]])
def test_a_line_that_does_not_cross_an_object_cuts_nothing(path: list[tuple[int, int]]) -> None:
    labels = two_glued_discs()
    assert len(label_edits.cut(labels, 0, path)) == 0


@given(label_images(), st.lists(st.tuples(st.integers(-2, 10), st.integers(-2, 12)), min_size=2, max_size=4))
def test_a_cut_divides_objects_and_nothing_else(labels: np.ndarray, path: list[tuple[int, int]]) -> None:
    result = applied(labels, label_edits.cut(labels, 0, path))
    assert np.array_equal(result > 0, labels > 0)
    crossed = label_edits.objects_on(labels, 0, path)
    assert np.array_equal(result[~np.isin(labels, crossed)], labels[~np.isin(labels, crossed)])
    for number in np.unique(result[result > 0]):
        assert len(np.unique(labels[result == number])) == 1
    for number in crossed:
        parts = result[labels == number]
        assert (parts == number).sum() == np.bincount(parts).max()


def test_real_nuclei_are_cut_along_any_line_through_their_middle(sample_nuclei: Path) -> None:
    labels = imread(sorted((sample_nuclei / "seg").glob("*.tif"))[0])[np.newaxis].astype(np.uint32)
    for number in np.unique(labels)[1:6]:
        y, x = (float(np.mean(places)) for places in np.nonzero(labels[0] == number))
        change = label_edits.cut(labels, 0, [(y - 200, x - 150), (y + 200, x + 150)])
        result = applied(labels, change)
        pieces = np.unique(result[labels == number])
        assert len(pieces) >= 2
        assert all(label(result[0] == piece, connectivity=2).max() == 1 for piece in pieces)


def test_a_cut_goes_through_all_slices_of_an_object() -> None:
    labels = np.zeros((5, 20, 20), np.uint32)
    labels[1:4, 5:15, 5:15] = 1
    result = applied(labels, label_edits.cut(labels, 2, [(0, 10), (19, 10)]))
    for z in (1, 2, 3):
        assert len(np.unique(result[z, 5:15, 5:15])) == 2
    assert np.array_equal(result[1], result[3])


def test_holes_are_filled_slice_by_slice() -> None:
    labels = np.zeros((2, 12, 12), np.uint32)
    labels[:, 2:10, 2:10] = 4
    labels[0, 4:6, 4:6] = 0
    labels[0, 7:9, 7:9] = 6
    result = applied(labels, label_edits.fill_holes(labels, 4))
    assert (result[0, 4:6, 4:6] == 4).all()
    assert (result[0, 7:9, 7:9] == 6).all()


def test_grow_and_shrink_move_the_outline_by_a_pixel_but_not_the_edge_of_the_image() -> None:
    labels = np.zeros((1, 10, 10), np.uint32)
    labels[0, 0:5, 2:7] = 1
    grown = applied(labels, label_edits.grow(labels, 1))
    assert (grown == 1).sum() == 25 + 5 + 5 + 5
    shrunk = applied(labels, label_edits.shrink(labels, 1))
    assert np.array_equal(np.argwhere(shrunk[0]), [(y, x) for y in range(4) for x in range(3, 6)])


def test_smoothing_removes_a_spike_and_keeps_the_size() -> None:
    labels = np.zeros((1, 60, 60), np.uint32)
    labels[0][disk((30, 30), 15)] = 1
    labels[0, 30, 45:55] = 1
    result = applied(labels, label_edits.smooth(labels, 1))
    assert not result[0, 30, 48:].any()
    assert (result == 1).sum() == pytest.approx(np.pi * 15**2, rel=0.05)


def test_interpolated_slices_are_between_those_drawn() -> None:
    labels = np.zeros((7, 60, 60), np.uint32)
    labels[1][disk((30, 30), 20)] = 5
    labels[5][disk((30, 30), 10)] = 5
    labels[3, 30:33, 30:33] = 8
    result = applied(labels, label_edits.interpolate(labels, 5))
    radii = [np.sqrt((result[z] == 5).sum() / np.pi) for z in (2, 3, 4)]
    assert radii == pytest.approx([17.5, 15, 12.5], abs=0.6)
    assert (result[3, 30:33, 30:33] == 8).all()
    assert not result[0].any()
    assert not result[6].any()


def test_the_object_under_the_mouse() -> None:
    labels = two_glued_discs()
    assert label_edits.object_at(labels, (0, 20.4, 18.2)) == 3
    assert label_edits.object_at(labels, (0, 0, 0)) == 0
    assert label_edits.object_at(labels, (0, -1, 5)) == 0
    assert label_edits.object_at(labels, (1, 20, 18)) == 0
    assert label_edits.new_number(labels) == 10


def disc_image(shape=(60, 70), centre=(30, 34), radius=14) -> tuple[np.ndarray, np.ndarray]:
    """Return a blurred, noisy image of a disc, and its mask."""
    mask = np.zeros(shape, bool)
    mask[disk(centre, radius, shape=shape)] = True
    noise = np.random.default_rng(0).normal(0, 4, shape)
    return ndimage.gaussian_filter(100.0 * mask, 1.5) + noise, mask


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the intersection over union."""
    return np.count_nonzero(one & other) / np.count_nonzero(one | other)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("radius", [11, 13, 14, 17])
@pytest.mark.parametrize("centre", [(30, 34), (3, 34)], ids=["inside", "at the edge of the image"])
def test_an_outline_snaps_to_the_edge(centre, radius, dtype) -> None:
    image, mask = disc_image(centre=centre)
    drawn = np.zeros((3, *mask.shape), np.uint32)
    for z, (y, x) in enumerate([(0, 0), (1, 1), (0, -1)]):
        drawn[z][disk((centre[0] + y, centre[1] + x), radius, shape=mask.shape)] = 5
    stack = np.stack([np.clip(image, 0, None)] * 3).astype(dtype)
    snapped = applied(drawn, label_edits.snap(drawn, [stack], 5))
    for z in range(3):
        assert overlap(snapped[z] == 5, mask) > 0.93
        assert radius == 14 or overlap(snapped[z] == 5, mask) > overlap(drawn[z] == 5, mask)


@given(label_images(), st.integers(1, 4), st.integers(1, 2))
def test_snapping_moves_an_outline_by_a_few_pixels_and_no_other_object(labels, number, n_channels) -> None:
    image = np.random.default_rng(0).random((n_channels, *labels.shape))
    change = label_edits.snap(labels, list(image), number)
    result = applied(labels, change)
    others = (labels != number) & (labels > 0)
    assert np.array_equal(result[others], labels[others])
    assert set(np.unique(result[~others])) <= {0, number}
    assert (result == number).any(axis=(1, 2)).tolist() == (labels == number).any(axis=(1, 2)).tolist()
    near = np.stack([ndimage.binary_dilation(plane, iterations=4) for plane in labels == number])
    assert not (result == number)[~near].any()


def test_real_nuclei_drawn_too_small_are_snapped_to_the_annotation(sample_nuclei: Path) -> None:
    before, after = [], []
    for name in ("000.tif", "015.tif"):
        truth, image = (imread(sample_nuclei / part / name)[np.newaxis] for part in ("seg", "raw"))
        drawn = truth.astype(np.uint32)
        for number in np.unique(truth)[1:]:
            inside = ndimage.binary_erosion(truth == number, np.ones((1, 3, 3)), iterations=2)
            drawn[(truth == number) & ~inside] = 0
        for number in np.unique(drawn)[1:]:
            label_edits.snap(drawn, [image], number).apply(drawn)
            was = ndimage.binary_erosion(truth == number, np.ones((1, 3, 3)), iterations=2)
            before.append(overlap(was, truth == number))
            after.append(overlap(drawn == number, truth == number))
    assert np.median(after) > np.median(before) + 0.1
    assert np.mean(np.array(after) > np.array(before)) > 0.8
