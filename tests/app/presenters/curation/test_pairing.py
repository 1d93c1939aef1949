"""The table of pairs: what the names say, what is wrong, and what the user decides."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.background import FakeBackground
from segloop.app.app import App
from segloop.app.presenters.curation.dataset_creation import DatasetCreation
from segloop.app.presenters.curation.pairing import FolderChoice, PairingPresenter, by_name
from segloop.app.presenters.messages import Messages
from segloop.app.workspace import Workspace
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.errors import DatasetError
from segloop.curation.creating import SplitShares
from segloop.images.write import write_image


def write(folder, *stems, size=16):
    """Write images of one square each."""
    pixels = np.zeros((size, size), np.uint8)
    pixels[2:8, 2:8] = 1
    for stem in stems:
        write_image(folder / f"{stem}.tif", pixels, axes="YX")


@pytest.fixture
def plate(tmp_path):
    """Three pairs by name; an image without partner, two with one partner for both, one of another size."""
    write(tmp_path / "raw", "a1", "a2", "a3", "alone", "b_raw", "b_img", "odd")
    write(tmp_path / "seg", "a1", "a2_cp_masks", "a3", "b_mask", "other")
    write(tmp_path / "seg", "odd", size=12)
    return tmp_path


@pytest.fixture
def background():
    return FakeBackground()


@pytest.fixture
def pairing(background):
    return PairingPresenter(background)


def choice(plate, *more, **details):
    return FolderChoice(str(plate / "raw"), (("", str(plate / "seg")), *more), **details)


def row(pairing, name):
    return next(each for each in pairing.rows if each.raw is not None and each.raw.name == f"{name}.tif")


def names(pairs):
    return [pair.raw.stem for pair in pairs]


def test_the_table_says_of_each_file_whether_and_why_it_is_paired(pairing, background, plate):
    pairing.look(choice(plate))
    assert pairing.summary == "Pairing the files…"
    background.finish()
    found = [(row.raw.stem if row.raw else "", row.status) for row in pairing.rows]
    assert sorted(found) == [
        ("", "ambiguous"),
        ("", "unmatched"),
        ("a1", "paired"),
        ("a2", "paired"),
        ("a3", "paired"),
        ("alone", "unmatched"),
        ("b_img", "ambiguous"),
        ("b_raw", "ambiguous"),
        ("odd", "unequal"),
    ]
    assert [status for _, status in found[-3:]] == ["paired"] * 3  # what needs attention comes first
    assert row(pairing, "a1").why == "same name"
    assert row(pairing, "a2").why == "same name without _cp_masks"
    assert "12 × 12 pixels" in row(pairing, "odd").why
    assert pairing.summary == "3 pairs, 2 without a partner, 3 with several candidates, 1 of another size"
    assert names(pairing.pairs()) == ["a1", "a2", "a3"]


def test_an_unticked_pair_is_left_out(pairing, background, plate):
    pairing.look(choice(plate))
    background.finish()
    pairing.use(row(pairing, "a2").raw, False)
    assert names(pairing.pairs()) == ["a1", "a3"]
    assert pairing.summary.startswith("2 pairs, 1 not ticked")
    pairing.use(row(pairing, "a2").raw, True)
    assert names(pairing.pairs()) == ["a1", "a2", "a3"]


def test_a_file_without_partner_is_paired_by_hand_with_one_that_is_free(pairing, background, plate):
    pairing.look(choice(plate))
    background.finish()
    assert pairing.choices(row(pairing, "a1")) == ()
    free = ["b_mask", "odd", "other"]
    assert [file.stem for file in pairing.choices(row(pairing, "alone"))] == free

    pairing.choose(row(pairing, "alone").raw, plate / "seg" / "other.tif")
    background.finish()

    chosen = row(pairing, "alone")
    assert (chosen.status, chosen.why) == ("paired", "chosen by hand")
    assert all(
        plate / "seg" / "other.tif" not in each.segmentations.values()
        for each in pairing.rows
        if not each.raw
    )
    assert [file.stem for file in pairing.choices(row(pairing, "b_raw"))] == ["b_mask", "odd"]
    assert "alone" in names(pairing.pairs())
    pairing.choose(row(pairing, "b_img").raw, plate / "seg" / "odd.tif")
    background.finish()
    assert row(pairing, "b_img").status == "unequal"
    assert "b_img" not in names(pairing.pairs())


def test_a_rule_replaces_the_names(pairing, background, tmp_path):
    write(tmp_path / "raw", "w1_s1", "w1_s2")
    write(tmp_path / "seg", "s1_of_w1", "s2_of_w1")
    pairing.look(choice(tmp_path))
    background.finish()
    assert "rule" in pairing.problem
    with pytest.raises(DatasetError, match="None of the 2 raw images"):
        pairing.pairs()
    pairing.look(choice(tmp_path, rule="re:(w.)_(s.)=(?P<second>s.)_of_(w.)"))
    background.finish()
    assert not pairing.rows  # the groups are compared in their order
    pairing.look(choice(tmp_path, rule="w1_*=*_of_w1"))
    background.finish()
    assert [each.why for each in pairing.rows] == ["rule w1_*=*_of_w1"] * 2


def test_any_number_of_segmentations_go_by_their_names(pairing, background, plate):
    write(plate / "cellpose", "a1", "a2")
    write(plate / "stardist", "a2")
    pairing.look(
        choice(plate, ("cellpose", str(plate / "cellpose")), ("", str(plate / "stardist")), ("x", ""))
    )
    background.finish()
    found = {pair.raw.stem: list(pair.segmentations) for pair in pairing.pairs()}
    assert pairing.describe(row(pairing, "a1")) == "a1.tif, no seg3"
    assert found == {"a1": ["seg", "cellpose"], "a2": ["seg", "cellpose", "seg3"], "a3": ["seg"]}


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([("a/b", "x")], "'a/b' can't be the name of a segmentation"),
        ([("mine", "x"), ("Mine", "y")], "Two segmentations are named Mine: rename one."),
        ([("seg2", "x"), ("", "y")], "Two segmentations are named seg2: rename one."),
    ],
)
def test_names_that_cannot_be_used_are_said(pairing, rows, sentence):
    with pytest.raises(DatasetError, match=sentence):
        by_name(rows)
    pairing.look(FolderChoice("raw", tuple(rows)))
    assert sentence in pairing.summary


@pytest.mark.parametrize("seg", ["", "seg"])
def test_without_a_folder_there_is_no_table_and_no_reproach_until_create(pairing, background, seg):
    pairing.look(FolderChoice("", (("", seg),)))
    assert (pairing.summary, background.waiting) == ("", {})
    with pytest.raises(DatasetError, match="No folder with the raw images is chosen"):
        pairing.pairs()


def test_without_a_segmentation_all_images_are_to_be_labelled(pairing, background, plate):
    pairing.look(FolderChoice(choice(plate).raw, (("", ""),)))
    background.finish()
    n_images = len(pairing.rows)
    assert pairing.summary == f"{n_images} images to label"
    assert {pairing.describe(row) for row in pairing.rows} == {"to be drawn"}
    assert len(pairing.pairs()) == n_images


def test_the_newest_folders_count(pairing, background, plate):
    pairing.look(choice(plate))
    pairing.look(FolderChoice("", (("", ""),)))
    background.finish()
    assert (pairing.rows, pairing.searching) == ((), False)


def test_the_axes_decide_how_large_an_image_is(pairing, background, tmp_path):
    import tifffile

    for folder, shape in (("raw", (5, 16, 16)), ("seg", (5, 16, 16))):
        (tmp_path / folder).mkdir()
        tifffile.imwrite(tmp_path / folder / "a.tif", np.ones(shape, np.uint8))
    pairing.look(choice(tmp_path, axes="CYX"))
    background.finish()
    assert row(pairing, "a").status == "unequal"
    pairing.look(choice(tmp_path, axes="ZYX"))
    background.finish()
    assert row(pairing, "a").status == "paired"


def test_a_pair_made_by_hand_keeps_its_further_segmentations(pairing, background, plate):
    write(plate / "cellpose", "alone", "a1")
    pairing.look(choice(plate, ("cellpose", str(plate / "cellpose"))))
    background.finish()
    pairing.choose(row(pairing, "alone").raw, plate / "seg" / "other.tif")
    background.finish()
    (pair,) = [pair for pair in pairing.pairs() if pair.raw.stem == "alone"]
    assert [path.name for path in pair.segmentations.values()] == ["other.tif", "alone.tif"]


def test_only_ticked_pairs_become_samples(background, plate, tmp_path):
    creation = DatasetCreation(App(Workspace(tmp_path / "study")), background, Messages())
    made = []
    creation.created.connect(lambda path, problems: made.append((path, problems)))
    creation.pairing.look(choice(plate, ("second", str(plate / "seg"))))
    background.finish()
    creation.pairing.use(row(creation.pairing, "a3").raw, False)
    creation.pairing.choose(row(creation.pairing, "alone").raw, plate / "seg" / "other.tif")
    background.finish()
    assert not (tmp_path / "study" / "datasets").exists()

    creation.from_pairs("mine", SplitShares())
    background.finish()

    ((path, problems),) = made
    dataset = CuratedDataset.open(path)
    assert dataset.sample_ids == ("a1", "a2", "alone")
    assert problems == ()
    assert [each.name for each in dataset.sample("a1").segmentations] == ["seg", "second"]
