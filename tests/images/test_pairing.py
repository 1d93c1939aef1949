from __future__ import annotations

import tempfile
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segloop.core.errors import ImageError, PairingError
from segloop.images.names import is_named_as, stem_of
from segloop.images.pairing import Pair, pair_by_stem


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.tif", "a"),
        ("a.ome.tif", "a"),
        ("a.OME.TIFF", "a"),
        ("a.ome.zarr", "a"),
        ("a.zarr", "a"),
        ("plate.1.well.2.png", "plate.1.well.2"),
        ("a.b", "a.b"),
        ("x/y/a.czi", "a"),
    ],
)
def test_stems(name: str, stem: str) -> None:
    assert stem_of(name) == stem


def test_pairs_go_by_stem_whatever_the_suffix_and_order(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a10.ome.tif", "raw/a9.png", "seg/a9.tif", "seg/a10.zarr/x")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert pairing.problems == ()
    assert pairing.pairs == (
        Pair("a9", tmp_path / "raw/a9.png", tmp_path / "seg/a9.tif"),
        Pair("a10", tmp_path / "raw/a10.ome.tif", tmp_path / "seg/a10.zarr"),
    )


def test_equal_numbers_of_unequal_names_are_never_paired_by_order(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a1.tif", "raw/a2.tif", "seg/a2.tif", "seg/a3.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["a2"]
    assert len(pairing.problems) == 2
    assert str(tmp_path / "raw/a1.tif") in pairing.problems[0]
    assert str(tmp_path / "seg/a3.tif") in pairing.problems[1]


def test_subfolders_keep_equal_stems_apart(tmp_path: Path) -> None:
    touch(tmp_path, "raw/p1/a.tif", "raw/p2/a.tif", "seg/p1/a.tif", "seg/p2/a.tif")
    pairs = pair_by_stem(tmp_path / "raw", tmp_path / "seg").pairs
    assert [(pair.stem, pair.seg) for pair in pairs] == [
        ("p1/a", tmp_path / "seg/p1/a.tif"),
        ("p2/a", tmp_path / "seg/p2/a.tif"),
    ]


def test_globs_count_subfolders_from_their_first_wildcard(tmp_path: Path) -> None:
    touch(tmp_path, "raw/p1/a.tif", "seg/p1/a.tif")
    pairing = pair_by_stem(str(tmp_path / "raw" / "**" / "*.tif"), str(tmp_path / "seg" / "*" / "a.tif"))
    assert [pair.stem for pair in pairing.pairs] == ["p1/a"]


def test_lists_and_single_files(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/b.tif", "seg/a.tif", "seg/b.tif")
    raw = [tmp_path / "raw/b.tif", tmp_path / "raw/a.tif"]
    assert [pair.stem for pair in pair_by_stem(raw, tmp_path / "seg").pairs] == ["a", "b"]
    assert [pair.stem for pair in pair_by_stem(tmp_path / "raw/a.tif", tmp_path / "seg/a.tif").pairs] == ["a"]


def test_a_list_of_relative_paths_keeps_its_subfolders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["p1/a.tif", "p2/a.tif"]
    touch(tmp_path, *(f"{side}/{name}" for side in ("raw", "seg") for name in names))
    monkeypatch.chdir(tmp_path / "raw")
    pairing = pair_by_stem(names, [f"../seg/{name}" for name in names])
    assert pairing.problems == ()
    assert [(pair.stem, pair.raw.as_posix()) for pair in pairing.pairs] == [
        ("p1/a", "p1/a.tif"),
        ("p2/a", "p2/a.tif"),
    ]


def test_a_list_over_several_drives_goes_by_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_on_windows(_: object) -> str:
        raise ValueError("Paths don't have the same drive")

    touch(tmp_path, "c/raw/a.tif", "d/raw/b.tif", "seg/a.tif", "seg/b.tif")
    monkeypatch.setattr("os.path.commonpath", as_on_windows)
    pairing = pair_by_stem([tmp_path / "c/raw/a.tif", tmp_path / "d/raw/b.tif"], tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["a", "b"]


def test_ambiguous_stem_is_reported_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/a.png", "raw/b.tif", "seg/a.tif", "seg/b.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["b"]
    assert len(pairing.problems) == 1
    assert "2 raw images are named a" in pairing.problems[0]
    assert str(tmp_path / "raw/a.png") in pairing.problems[0]


def test_second_segmentation_is_optional_image_by_image(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/b.tif", "seg/a.tif", "seg/b.tif", "seg2/b.tif", "seg2/c.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg", {"other": tmp_path / "seg2"})
    assert [pair.others for pair in pairing.pairs] == [{}, {"other": tmp_path / "seg2/b.tif"}]
    assert len(pairing.problems) == 2
    assert "raw/a.tif" in pairing.problems[0].replace("\\", "/")
    assert "used without the segmentation other" in pairing.problems[0]
    assert "seg2/c.tif" in pairing.problems[1].replace("\\", "/")


@pytest.mark.parametrize(
    ("raw", "seg"),
    [
        ("cell1", "cell001"),
        ("cell1", "cell1_b"),
        ("Cell1", "cell1"),
        ("cell1", "sub/cell1"),
        ("nuclei_01", "nuclei-01"),
    ],
)
def test_near_match_is_hinted_at_but_not_paired(tmp_path: Path, raw: str, seg: str) -> None:
    touch(tmp_path, f"raw/{raw}.tif", "raw/x.tif", f"seg/{seg}.tif", "seg/x.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["x"]
    assert f"the nearest is {tmp_path / 'seg' / seg}.tif" in pairing.problems[0]


@pytest.mark.parametrize(("raw", "seg"), [("cell{}", "cell{}_b"), ("cell{}_x1", "cell{}_x2")])
def test_thousands_of_files_without_a_partner_are_told_of_in_seconds(
    tmp_path: Path, raw: str, seg: str
) -> None:
    for folder, name in (("raw", raw), ("seg", seg)):
        (tmp_path / folder).mkdir()
        for number in range(1000):
            (tmp_path / folder / f"{name.format(number)}.tif").touch()
    started = time.process_time()
    with pytest.raises(PairingError, match=f"the nearest is .*{seg.format(0)}.tif"):
        pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert time.process_time() - started < 8


def test_no_pair_at_all(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "seg/b.tif")
    with pytest.raises(
        PairingError, match=r"None of the 1 raw images .* rename them .*rule for pairing"
    ) as error:
        pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert str(tmp_path / "raw") in str(error.value)


def test_same_folder_for_both(tmp_path: Path) -> None:
    touch(tmp_path, "a.tif", "b.tif")
    with pytest.raises(PairingError, match="choose different folders"):
        pair_by_stem(tmp_path, tmp_path)
    with pytest.raises(PairingError, match="choose different folders"):
        pair_by_stem(tmp_path / "a.tif", tmp_path / "a.tif")


def test_empty_folder(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif")
    (tmp_path / "seg").mkdir()
    with pytest.raises(ImageError, match="holds no images"):
        pair_by_stem(tmp_path / "raw", tmp_path / "seg")


def test_bundled_sample_pairs_completely(sample_nuclei: Path) -> None:
    pairing = pair_by_stem(sample_nuclei / "raw", sample_nuclei / "seg")
    assert len(pairing.pairs) == 29
    assert pairing.problems == ()


# Names as tools and people write them: the raw image, its segmentation.
NAMES = [
    ("{}", "{}_cp_masks"),
    ("{}", "{}_cp_mask"),
    ("{}", "{}_seg"),
    ("{}", "{}_mask"),
    ("{}", "{}-masks"),
    ("{}", "{}.label"),
    ("{}", "{}_labels"),
    ("{}", "{}_gt"),
    ("{}", "{}_Simple Segmentation"),
    ("{}", "{}_Object Identities"),
    ("{}", "mask_{}"),
    ("{}", "Count Masks of {}"),
    ("{}_raw", "{}"),
    ("{}_raw", "{}_mask"),
    ("{}_img", "{}_masks"),
    ("{}_image", "{}_label"),
    ("img_{}", "mask_{}"),
    ("{}_dapi", "{}"),
    ("{}_DAPI", "{}_mask"),
    ("{}_ch01", "{}_seg"),
    ("{}", "{}_nuclei_masks"),
    ("images/{}", "masks/{}"),
    ("images/{}", "labels/{}_cp_masks"),
    ("{}/raw", "{}/mask"),
    ("{}/image", "{}/label"),
]
stems = st.lists(
    st.from_regex(r"[a-z]{2}[0-9]{1,3}(_[a-z][0-9]{2})?", fullmatch=True), min_size=2, max_size=5, unique=True
).filter(lambda found: len({stem.split("_")[0] for stem in found}) == len(found))


@settings(max_examples=60)
@given(stems=stems, names=st.sampled_from(NAMES), one_folder=st.booleans())
def test_the_usual_names_are_paired_in_one_folder_or_two(
    stems: list[str], names: tuple[str, str], one_folder: bool
) -> None:
    """Each raw image gets the segmentation of its own name, whatever else lies beside."""
    raw_name, seg_name = names
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        raw_folder, seg_folder = (root, root) if one_folder else (root / "left", root / "right")
        expected = {}
        for stem in stems:
            raw = raw_folder / f"{raw_name.format(stem)}.tif"
            seg = seg_folder / f"{seg_name.format(stem)}.png"
            touch(root, str(raw), str(seg))
            expected[raw] = seg
        if one_folder and not is_named_as(seg_name.format("x1"), "labels"):
            return  # then nothing but the folder tells them apart
        if one_folder and any(is_named_as(raw_name.format(stem), "labels") for stem in stems):
            return
        pairing = pair_by_stem(raw_folder, seg_folder)
    assert {pair.raw: pair.seg for pair in pairing.pairs} == expected
    assert pairing.problems == ()
    assert all(pair.rule.startswith("same name without ") for pair in pairing.pairs)
    for pair, (raw, seg, why) in zip(pairing.pairs, pairing.rows(), strict=True):
        assert (raw, seg, why) == (str(pair.raw), str(pair.seg), pair.rule)


@pytest.mark.parametrize(
    ("raws", "segs"),
    [
        (["a_dapi", "a_gfp"], ["a_mask"]),
        (["a"], ["a_mask", "a_seg"]),
        (["a", "a_raw"], ["a_mask"]),
        (["a_dapi", "a_gfp"], ["a"]),
    ],
)
def test_several_candidates_are_named_and_not_paired(
    tmp_path: Path, raws: list[str], segs: list[str]
) -> None:
    touch(tmp_path, *(f"raw/{name}.tif" for name in ["x", *raws]))
    touch(tmp_path, *(f"seg/{name}.tif" for name in ["x", *segs]))
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [pair.stem for pair in pairing.pairs] == ["x"]
    assert len(pairing.unpaired) == len(raws) + len(segs)
    assert all(one.ambiguous for one in pairing.unpaired)
    assert all(str(one.path) in one.problem for one in pairing.unpaired)
    assert [row[2] for row in pairing.rows()[1:]] == ["several candidates"] * len(pairing.unpaired)


def test_equal_names_come_before_shortened_ones(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.tif", "raw/a_raw.tif", "seg/a.tif", "seg/a_raw.tif")
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    assert [(pair.raw.name, pair.seg.name) for pair in pairing.pairs] == [
        ("a.tif", "a.tif"),
        ("a_raw.tif", "a_raw.tif"),
    ]


@pytest.mark.parametrize(
    ("rule", "raws", "segs", "pairs"),
    [
        (
            "*_t1=*_truth2",
            ["a_t1", "b_t1", "a_t2"],
            ["b_truth2", "a_truth2"],
            [("a_t1", "a_truth2"), ("b_t1", "b_truth2")],
        ),
        ("*_t1.tif=*_x.png", ["a_t1"], ["a_x"], [("a_t1", "a_x")]),
        ("img??=seg??", ["img01", "img02"], ["seg02", "seg01"], [("img01", "seg01"), ("img02", "seg02")]),
        (
            "*/one=*/two",
            ["w1/one", "w2/one"],
            ["w1/two", "w2/two"],
            [("w1/one", "w1/two"), ("w2/one", "w2/two")],
        ),
        (r"re:(\w)_c(\d)=s(\d)(\w)", ["a_c1"], ["s1a"], []),
        (r"re:(\w+)_c\d=(\w+)_s\d", ["a_c1", "b_c2"], ["a_s5", "b_s7"], [("a_c1", "a_s5"), ("b_c2", "b_s7")]),
        (r"re:(\w+)(?=_c)_c=(\w+)_s", ["a_c"], ["a_s"], [("a_c", "a_s")]),
    ],
)
@pytest.mark.parametrize("one_folder", [True, False])
def test_a_rule_of_the_user_replaces_the_usual_ones(
    tmp_path: Path,
    rule: str,
    raws: list[str],
    segs: list[str],
    pairs: list[tuple[str, str]],
    one_folder: bool,
) -> None:
    folders = (tmp_path, tmp_path) if one_folder else (tmp_path / "raw", tmp_path / "seg")
    touch(folders[0], *(f"{name}.tif" for name in raws))
    touch(folders[1], *(f"{name}.tif" for name in segs))
    if not pairs:
        with pytest.raises(PairingError):
            pair_by_stem(*folders, rule=rule)
        return
    pairing = pair_by_stem(*folders, rule=rule)
    found = [
        tuple(
            path.relative_to(folder).with_suffix("").as_posix()
            for path, folder in zip((p.raw, p.seg), folders, strict=True)
        )
        for p in pairing.pairs
    ]
    assert found == pairs
    assert {pair.rule for pair in pairing.pairs} == {f"rule {rule}"}


@pytest.mark.parametrize("rule", ["*_raw", "a=b", "*=*_?", "re:(a=(b", "=*", "*=*=*=*", ""])
def test_a_rule_that_is_none_is_refused_with_an_example(tmp_path: Path, rule: str) -> None:
    touch(tmp_path, "raw/a.tif", "seg/a.tif")
    with pytest.raises(PairingError, match=r"is not a rule for pairing.*\*_raw=\*_mask"):
        pair_by_stem(tmp_path / "raw", tmp_path / "seg", rule=rule)


@pytest.mark.parametrize(
    "outputs",
    [["labels", "probability"], ["mask", "classes", "probability"], ["probability", "labels", "mask"]],
)
def test_a_folder_of_predictions_is_a_folder_of_labels(tmp_path: Path, outputs: list[str]) -> None:
    touch(tmp_path, "raw/p/a.tif", "raw/p/b.tif")
    for name in "ab":
        touch(tmp_path, f"seg/p/{name}.json", *(f"seg/p/{name}.{output}.tif" for output in outputs))
    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    best = next(output for output in ("labels", "classes", "mask") if output in outputs)
    assert pairing.problems == ()
    assert [(pair.stem, pair.seg.name) for pair in pairing.pairs] == [
        ("p/a", f"a.{best}.tif"),
        ("p/b", f"b.{best}.tif"),
    ]


letters = st.text(
    st.characters(categories=["Ll"], min_codepoint=0xC0, max_codepoint=0x17F), min_size=1, max_size=4
)


@settings(max_examples=40)
@given(name=letters, brackets=st.sampled_from(["", "[1]", "[a-z]", "{x}", "(2)"]))
def test_composed_and_decomposed_names_and_brackets_pair(name: str, brackets: str) -> None:
    """As from a Mac and from Linux; folders with brackets are no patterns."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / f"data {brackets}"
        touch(
            root,
            f"raw/{unicodedata.normalize('NFC', name)}.tif",
            f"seg/{unicodedata.normalize('NFD', name)}.tif",
        )
        for seg in (
            root / "seg",
            root / "seg" / "*.tif",
            root / "seg" / f"{unicodedata.normalize('NFD', name)}.tif",
        ):
            pairing = pair_by_stem(root / "raw" / "*.tif", seg)
            assert len(pairing.pairs) == 1
            assert pairing.problems == ()
