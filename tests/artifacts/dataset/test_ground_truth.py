from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segloop.artifacts.dataset import ground_truth
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.ground_truth import Composition, GroundTruth
from segloop.artifacts.dataset.manifest import Region, Sample
from segloop.artifacts.dataset.regions import rasterise, rasterise_all
from segloop.artifacts.dataset.segmentation import FileSource, ImageRef, Segmentation
from segloop.core.errors import DatasetError

SHAPE = (2, 9, 10)
LABELS = arrays(np.uint16, SHAPE, elements=st.integers(0, 4))
BOX = st.tuples(*(st.integers(-2, 11) for _ in range(4)))


def sample(regions=(), base: int = 1, names=("first", "second")) -> Sample:
    """A sample whose merge regions take labels from the segmentation that isn't the base."""
    ref = ImageRef(path="a.tif")
    segmentations = [Segmentation(name=name, source=FileSource(image=ref)) for name in names]
    other = {"segmentation": names[2 - base]}
    merging = [each.model_copy(update=other) if each.segmentation == "other" else each for each in regions]
    return Sample(id="a", raw=ref, segmentations=segmentations, base=names[base - 1], regions=merging)


def compose(first, second, of: Sample, *, instances: bool = True) -> GroundTruth:
    labels = {name: each for name, each in (("first", first), ("second", second)) if each is not None}
    return ground_truth.compose(labels, of, instances=instances)


def box(
    name: str, top: float, left: float, bottom: float, right: float, kind="merge", cut="edge", **more
) -> Region:
    vertices = [(top, left), (top, right), (bottom, right), (bottom, left)]
    if kind == "merge":
        more = {"segmentation": "other", **more}
    return Region(id=name, kind=kind, shape="rectangle", vertices=vertices, cut=cut, **more)


def boxes(*kinds_and_cuts: tuple[str, str]) -> st.SearchStrategy:
    choice = st.tuples(BOX, st.sampled_from(kinds_and_cuts))
    return st.lists(choice, max_size=4).map(
        lambda found: [
            box(str(number), *corner, kind=kind, cut=cut)
            for number, (corner, (kind, cut)) in enumerate(found)
        ]
    )


ANY = boxes(("exclude", "edge"), ("merge", "edge"), ("merge", "object"))


@given(LABELS, LABELS, st.sampled_from([1, 2]), st.booleans())
def test_without_regions_it_is_the_base(seg1, seg2, base: int, instances: bool) -> None:
    truth = compose(seg1, seg2, sample(base=base), instances=instances)
    assert np.array_equal(truth.labels, seg1 if base == 1 else seg2)
    assert truth.labels.dtype == np.int32
    assert truth.valid.all()


@given(LABELS, boxes(("exclude", "edge")))
def test_exclusion_changes_what_is_valid_and_no_label(seg, regions: list[Region]) -> None:
    truth = compose(seg, None, sample(regions))
    assert np.array_equal(truth.labels, seg)
    assert np.array_equal(truth.valid, ~rasterise_all(regions, SHAPE))


@given(LABELS, LABELS, ANY, st.randoms(), st.booleans())
def test_the_order_of_regions_does_not_matter(
    seg1, seg2, regions: list[Region], random, instances: bool
) -> None:
    straight = compose(seg1, seg2, sample(regions), instances=instances)
    shuffled = compose(seg1, seg2, sample(random.sample(regions, len(regions))), instances=instances)
    assert np.array_equal(straight.labels, shuffled.labels)
    assert np.array_equal(straight.valid, shuffled.valid)


@given(LABELS, LABELS, boxes(("merge", "edge")))
def test_cut_at_the_edge_classes_inside_come_from_the_other(seg1, seg2, regions: list[Region]) -> None:
    truth = compose(seg1, seg2, sample(regions), instances=False)
    assert np.array_equal(truth.labels, np.where(rasterise_all(regions, SHAPE), seg2, seg1))


@given(LABELS, LABELS, boxes(("merge", "edge")), st.sampled_from([1, 2]))
def test_cut_at_the_edge_objects_inside_come_from_the_other(
    seg1, seg2, regions: list[Region], base: int
) -> None:
    inside = rasterise_all(regions, SHAPE)
    first, second = (seg1, seg2) if base == 1 else (seg2, seg1)
    labels = compose(seg1, seg2, sample(regions, base)).labels
    assert np.array_equal(labels[~inside], first[~inside])
    assert np.array_equal(labels[inside] > 0, second[inside] > 0)


@given(LABELS, LABELS, ANY)
def test_no_object_gets_the_number_of_another(seg1, seg2, regions: list[Region]) -> None:
    labels = compose(seg1, seg2, sample(regions)).labels
    for number in np.unique(labels[labels > 0]):
        pixels = labels == number
        source = seg1 if number <= seg1.max() else seg2
        assert len(np.unique(source[pixels])) == 1


def whole_objects(base, other, inside) -> np.ndarray:
    """Straightforward reading of the rule for ``cut="object"``, object by object: base > 0, merged in < 0."""
    result = np.zeros(base.shape, int)
    for number in range(1, int(base.max()) + 1):
        pixels = base == number
        if (pixels & inside).sum() <= (pixels & ~inside).sum():
            result[pixels] = number
    stays = result > 0
    for number in range(1, int(other.max()) + 1):
        pixels = other == number
        if (pixels & inside).sum() > (pixels & ~inside).sum():
            result[pixels & ~(stays & ~inside)] = -number
    return result


@given(LABELS, LABELS, boxes(("merge", "object")))
def test_objects_go_whole_to_the_side_with_most_of_them(seg1, seg2, regions: list[Region]) -> None:
    labels = compose(seg1, seg2, sample(regions)).labels
    expected = whole_objects(seg1, seg2, rasterise_all(regions, SHAPE))
    assert np.array_equal(labels > 0, expected != 0)
    assert np.array_equal(labels[expected > 0], expected[expected > 0])
    assert (labels[expected < 0] > seg1.max()).all()


BLOCK = st.tuples(*(st.tuples(st.integers(0, size - 1), st.integers(1, size)) for size in SHAPE)).map(
    lambda found: tuple(slice(first, first + length) for first, length in found)
)


@given(LABELS, LABELS, ANY, BLOCK, st.booleans(), st.sampled_from((0, 2**31 - 5, 2**31)))
def test_a_block_composed_alone_is_that_of_the_whole(
    seg1, seg2, regions: list[Region], block, instances: bool, above: int
) -> None:
    """Whatever a block must know of the rest, with one slice at a time in memory."""
    if instances:
        seg1, seg2 = (np.where(each > 0, each.astype(np.uint32) + above, 0) for each in (seg1, seg2))
    labels, of = {"first": seg1, "second": seg2}, sample(regions)
    whole = ground_truth.compose(labels, of, instances=instances)
    parts = Composition(labels, of, instances=instances, slices_at_once=1)
    part = parts.block(block)
    assert np.array_equal(part.labels, whole.labels[block])
    assert np.array_equal(part.valid, whole.valid[block])


def test_an_object_halved_by_the_region_stays_with_the_base() -> None:
    seg = np.zeros((1, 4, 8), np.uint8)
    seg[0, 1, 2:6] = 1
    half = box("r", -1, -1, 5, 3, cut="object")
    truth = compose(seg, np.zeros_like(seg), sample([half]))
    assert np.array_equal(truth.labels, seg)
    assert not compose(np.zeros_like(seg), seg, sample([half])).labels.any()


def test_merged_objects_get_new_numbers_in_the_order_of_their_old_ones() -> None:
    base = np.zeros((1, 4, 8), np.uint8)
    base[0, 0, 0] = 7
    other = np.zeros_like(base)
    other[0, 2, 1], other[0, 2, 3], other[0, 2, 5] = 30, 2, 30
    labels = compose(base, other, sample([box("r", 1, 0, 3, 7)])).labels
    assert (labels[0, 0, 0], labels[0, 2, 3], labels[0, 2, 1], labels[0, 2, 5]) == (7, 8, 9, 9)


def test_merged_objects_get_numbers_even_if_the_highest_is_taken() -> None:
    highest = np.iinfo(np.int32).max
    base, other = np.zeros((1, 4, 8), np.uint32), np.zeros((1, 4, 8), np.uint32)
    base[0, 0, :3] = highest, 5, highest
    other[0, 2, 1], other[0, 2, 3] = 30, 2
    labels = compose(base, other, sample([box("r", 1, 0, 3, 7)])).labels
    assert labels[0, 0, :3].tolist() == [2, 1, 2]
    assert (labels[0, 2, 3], labels[0, 2, 1]) == (3, 4)


def test_objects_of_a_semantic_segmentation_are_its_connected_components() -> None:
    other = np.zeros((1, 5, 12), np.uint8)
    other[0, 1:3, 1:3] = other[0, 1:3, 8:10] = 2
    labels = compose(
        np.zeros_like(other), other, sample([box("r", 0, 0, 4, 5, cut="object")]), instances=False
    ).labels
    assert np.array_equal(labels > 0, (other > 0) & (np.arange(12) < 5))
    assert set(np.unique(labels)) == {0, 2}


def test_numbers_too_large_for_the_result_are_replaced_in_their_order() -> None:
    seg = np.array([[[0, 4_000_000_000, 5, 4_000_000_000]]], np.uint32)
    assert compose(seg, None, sample()).labels.tolist() == [[[0, 2, 1, 2]]]


def test_segmentations_of_different_size_cannot_merge() -> None:
    with pytest.raises(DatasetError, match=r"sample a differ in shape.*remove the merge regions"):
        compose(np.ones((1, 4, 4), int), np.ones((1, 4, 5), int), sample([box("r", 0, 0, 2, 2)]))


def test_segmentations_are_left_as_they_are() -> None:
    seg1, seg2 = np.full(SHAPE, 1, np.int32), np.full(SHAPE, 2, np.int32)
    compose(seg1, seg2, sample([box("r", 0, 0, 5, 5), box("e", 0, 0, 5, 5, kind="exclude")]))
    assert (seg1 == 1).all()
    assert (seg2 == 2).all()


def test_otsus_nuclei_are_merged_whole_into_the_annotation(dataset: CuratedDataset) -> None:
    chosen = dataset.sample("015")
    annotation, otsu = dataset.labels(chosen, "seg"), dataset.labels(chosen, "otsu")
    region = box("r", 60.2, 70.4, 190.6, 200.3, cut="object", segmentation="otsu")
    dataset.save(chosen.edit(regions=[region]), "merge")
    truth = dataset.ground_truth(dataset.sample("015"))
    inside = rasterise(region, annotation.shape)
    expected = whole_objects(annotation, otsu, inside)
    assert np.array_equal(truth.labels > 0, expected != 0)
    assert len(np.unique(truth.labels)) == len(np.unique(expected))
    assert (expected < 0).any()


@pytest.mark.parametrize("name", ["nuclei3d_embryo", "nuclei3d_ovule"])
def test_a_stack_is_excluded_slice_by_slice(test_data: Path, tmp_path: Path, name: str) -> None:
    from segloop.images.pairing import pair_by_stem

    folder = test_data / name / "train"
    stack = CuratedDataset.create(tmp_path / "d", pair_by_stem(folder / "raw", folder / "seg").pairs)
    only = next(stack.samples())
    region = box("r", 20, 30, 60, 80, kind="exclude", z_first=10, z_last=12)
    stack.save(only.edit(regions=[region]), "exclude")
    truth = stack.ground_truth(stack.sample(only.id))
    file = tifffile.imread(next((folder / "seg").glob("*.tif")))
    assert np.array_equal(truth.labels, file)
    assert np.flatnonzero((~truth.valid).any(axis=(1, 2))).tolist() == [10, 11, 12]
    assert (~truth.valid).sum() == 3 * 41 * 51


def test_stack_merge_takes_objects_in_three_dimensions(test_data: Path, tmp_path: Path) -> None:
    from segloop.images.pairing import Pair

    folder = test_data / "nuclei3d_ovule" / "train"
    raw, seg = next((folder / "raw").glob("*.tif")), next((folder / "seg").glob("*.tif"))
    annotation = tifffile.imread(seg)
    tifffile.imwrite(tmp_path / "none.tif", np.zeros_like(annotation), metadata={"axes": "ZYX"})
    stack = CuratedDataset.create(
        tmp_path / "d", [Pair("a", raw, tmp_path / "none.tif", {"annotation": seg})]
    )
    region = box("r", 10.5, 10.5, 60.5, 70.5, cut="object", segmentation="annotation", z_first=20, z_last=60)
    stack.save(stack.sample("a").edit(regions=[region]), "merge")
    found = stack.ground_truth(stack.sample("a")).labels > 0
    inside = rasterise(region, annotation.shape)
    total, within = (
        np.bincount(annotation.ravel()),
        np.bincount(annotation[inside], minlength=annotation.max() + 1),
    )
    kept = [number for number in range(1, len(total)) if 2 * within[number] > total[number]]
    assert kept
    assert np.array_equal(found, np.isin(annotation, kept))
