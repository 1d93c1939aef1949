"""OME-TIFFs over several files, and those that promise planes they lack: right pixels or a named fault."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.errors import ImageError
from segloop.images.image import Image
from segloop.images.listing import image_files
from segloop.images.pairing import pair_by_stem
from segloop.images.read import open_image, scene_names

ALL = slice(None)
SIDE = 24
NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def noise(*shape: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 250, shape).astype(np.uint8)


def read_all(image: Image) -> np.ndarray:
    return np.stack(
        [image.block(t, range(image.n_channels), ALL, ALL, ALL) for t in range(image.n_timepoints)]
    )


def header(
    images: Sequence[tuple[str, dict[str, int], str]], uuid: str = "urn:uuid:1", order: str = "XYZCT"
) -> str:
    """OME-XML of images, each a name, sizes other than 1, and its TiffData elements."""
    body = ""
    for number, (name, sizes, data) in enumerate(images):
        size = {"X": SIDE, "Y": SIDE, "Z": 1, "C": 1, "T": 1, **sizes}
        attributes = " ".join(f'Size{axis}="{n}"' for axis, n in size.items())
        channels = "".join(
            f'<Channel ID="Channel:{number}:{c}" SamplesPerPixel="1"/>' for c in range(size["C"])
        )
        body += (
            f'<Image ID="Image:{number}" Name="{name}"><Pixels ID="Pixels:{number}" DimensionOrder="{order}" '
            f'Type="uint8" PhysicalSizeX="0.5" PhysicalSizeY="0.5" {attributes}>{channels}{data}'
            "</Pixels></Image>"
        )
    return f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="{NAMESPACE}" UUID="{uuid}">{body}</OME>'


def data_in(file: str, uuid: str = "", *, ifd: int = 0, count: int = 1, first: str = "") -> str:
    return (
        f'<TiffData IFD="{ifd}" PlaneCount="{count}" {first}><UUID FileName="{file}">{uuid}</UUID></TiffData>'
    )


def write(path: Path, pages: np.ndarray, xml: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pages, description=xml, metadata=None, ome=False, photometric="minisblack")
    return path


def four_fields(folder: Path, uuids: Sequence[str]) -> list[np.ndarray]:
    """Four fields, each in a file of its own whose header describes all four."""
    fields = [noise(SIDE, SIDE, seed=number) for number in range(4)]
    described = [(f"field {n}", {}, data_in(f"f{n}.ome.tif", uuids[n])) for n in range(4)]
    for number, pixels in enumerate(fields):
        write(folder / f"f{number}.ome.tif", pixels, header(described, uuids[number] or "urn:uuid:x"))
    return fields


# Writers differ in what they put into the UUIDs; FileName alone must do.
UUIDS = {
    "distinct": [f"urn:uuid:{n}" for n in range(4)],
    "shared": ["urn:uuid:1"] * 4,
    "empty": [""] * 4,
}


@pytest.mark.parametrize("uuids", UUIDS.values(), ids=UUIDS)
@pytest.mark.parametrize("opened", range(4))
def test_each_field_of_a_set_has_its_own_pixels_from_whichever_file(
    tmp_path: Path, uuids: list[str], opened: int
) -> None:
    fields = four_fields(tmp_path, uuids)
    file = tmp_path / f"f{opened}.ome.tif"
    assert scene_names(file) == ("field 0", "field 1", "field 2", "field 3")
    for number, pixels in enumerate(fields):
        image = open_image(file, number)
        assert image.scene == f"field {number}"
        assert image.pixel_size_um == (None, 0.5, 0.5)
        assert np.array_equal(read_all(image)[0, 0, 0], pixels)


@pytest.mark.parametrize("uuids", UUIDS.values(), ids=UUIDS)
def test_a_file_of_a_set_opens_at_its_own_field(tmp_path: Path, uuids: list[str]) -> None:
    fields = four_fields(tmp_path, uuids)
    for number, pixels in enumerate(fields):
        image = open_image(tmp_path / f"f{number}.ome.tif")
        assert image.scene == f"field {number}"
        assert np.array_equal(read_all(image)[0, 0, 0], pixels)


@pytest.mark.parametrize("uuids", UUIDS.values(), ids=UUIDS)
def test_a_set_counts_once_in_a_folder(tmp_path: Path, uuids: list[str]) -> None:
    four_fields(tmp_path / "set", uuids)
    tifffile.imwrite(tmp_path / "set" / "other.ome.tif", noise(3, 8, 8), metadata={"axes": "ZYX"})
    assert [file.name for file in image_files(tmp_path / "set")] == ["f0.ome.tif", "other.ome.tif"]
    assert [file.name for file in image_files(tmp_path / "set" / "*.tif")] == ["f0.ome.tif", "other.ome.tif"]
    assert image_files(tmp_path / "set" / "f2.ome.tif") == [tmp_path / "set" / "f2.ome.tif"]


@pytest.mark.parametrize("masks", ["single", "set"])
@pytest.mark.parametrize("uuids", UUIDS.values(), ids=UUIDS)
def test_each_field_of_a_set_becomes_a_sample_with_its_own_mask(
    tmp_path: Path, uuids: list[str], masks: str
) -> None:
    fields = four_fields(tmp_path / "raw", uuids)
    found = four_fields(tmp_path / "seg", uuids)
    if masks == "single":
        for number, pixels in enumerate(found):
            (tmp_path / "seg" / f"f{number}.ome.tif").unlink()
            tifffile.imwrite(tmp_path / "seg" / f"f{number}_mask.tif", pixels)

    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")
    dataset = CuratedDataset.create(tmp_path / "dataset", pairing.pairs, accept_all=True)

    assert (len(pairing.pairs), pairing.problems) == (4, ())
    for number, sample in enumerate(sorted(dataset.samples(), key=lambda sample: sample.id)):
        assert np.array_equal(read_all(dataset.raw(sample))[0, 0, 0], fields[number])
        assert np.array_equal(dataset.ground_truth(sample).labels[0], found[number])


def test_the_files_of_one_image_pair_as_one(tmp_path: Path) -> None:
    slices = noise(3, SIDE, SIDE)
    data = "".join(data_in(f"z{z}.ome.tif", f"urn:uuid:{z}", first=f'FirstZ="{z}"') for z in range(3))
    field = data_in("f0.ome.tif", "urn:uuid:9")
    for name, uuid, pixels in [*((f"z{z}", z, slices[z]) for z in range(3)), ("f0", 9, noise(SIDE, SIDE))]:
        described = [("stack", {"Z": 3}, data), ("field", {}, field)]
        write(tmp_path / "raw" / f"{name}.ome.tif", pixels, header(described, f"urn:uuid:{uuid}"))
    (tmp_path / "seg").mkdir()
    for name in ("z0", "f0"):
        tifffile.imwrite(tmp_path / "seg" / f"{name}.tif", noise(SIDE, SIDE))

    pairing = pair_by_stem(tmp_path / "raw", tmp_path / "seg")

    assert [pair.raw.name for pair in pairing.pairs] == ["f0.ome.tif", "z0.ome.tif"]
    assert pairing.problems == ()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations("ZCT").map(lambda axes: "XY" + "".join(axes)),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4)),
    shuffle=st.randoms(use_true_random=False),
    n_files=st.integers(2, 3),
)
def test_planes_go_where_the_header_says(
    tmp_path: Path, order: str, sizes: tuple[int, int, int], shuffle: object, n_files: int
) -> None:
    """Planes strewn over files at random are put together as declared."""
    stack = noise(*sizes, SIDE, SIDE)
    places = [(t, c, z) for t in range(sizes[0]) for c in range(sizes[1]) for z in range(sizes[2])]
    shuffle.shuffle(places)  # type: ignore[attr-defined]
    pages: list[list[np.ndarray]] = [[noise(SIDE, SIDE)] for _ in range(n_files)]
    data = ""
    for number, (t, c, z) in enumerate(places):
        file = number % n_files
        place = f'FirstT="{t}" FirstC="{c}" FirstZ="{z}"'
        data += data_in(f"p{file}.ome.tif", f"urn:uuid:{file}", ifd=len(pages[file]), first=place)
        pages[file].append(stack[t, c, z])
    image_sizes = dict(zip("TCZ", sizes, strict=True))
    for number in range(n_files):
        write(
            tmp_path / f"p{number}.ome.tif",
            np.stack(pages[number]),
            header([("all", image_sizes, data)], f"urn:uuid:{number}", order),
        )
    image = open_image(tmp_path / f"p{n_files - 1}.ome.tif", 0)
    assert np.array_equal(read_all(image), stack)
    t, c, z = (n - 1 for n in sizes)
    assert np.array_equal(
        image.block(t, [c, 0], slice(z, z + 1), slice(3, 9), slice(5, 6)),
        stack[t, [c, 0], z : z + 1, 3:9, 5:6],
    )


def test_dask_slicing_of_a_set_equals_numpys(tmp_path: Path) -> None:
    stack = noise(4, SIDE, SIDE)
    data = "".join(data_in(f"z{n}.ome.tif", f"urn:uuid:{n}", first=f'FirstZ="{n}"') for n in range(4))
    for number in range(4):
        write(
            tmp_path / f"z{number}.ome.tif",
            stack[number],
            header([("z", {"Z": 4}, data)], f"urn:uuid:{number}"),
        )
    volume = open_image(tmp_path / "z1.ome.tif").data[0, 0]
    assert np.array_equal(volume[1, ::3, -2].compute(), stack[1, ::3, -2])
    assert np.array_equal(volume[[3, 0], 5][:, ::-2].compute(), stack[[3, 0], 5][:, ::-2])


def test_a_missing_file_of_a_set_is_named(tmp_path: Path) -> None:
    four_fields(tmp_path, UUIDS["distinct"])
    (tmp_path / "f2.ome.tif").unlink()
    assert open_image(tmp_path / "f0.ome.tif", 1).scene == "field 1"
    with pytest.raises(ImageError, match=r"f0\.ome\.tif is one of several files .*f2\.ome\.tif is missing"):
        open_image(tmp_path / "f0.ome.tif", 2)


@pytest.mark.parametrize(("declared", "held"), [(12, 8), (2, 1), (5, 4)])
def test_planes_that_a_single_file_lacks_are_never_black(tmp_path: Path, declared: int, held: int) -> None:
    xml = header([("a", {"Z": declared}, f'<TiffData IFD="0" PlaneCount="{declared}"/>')])
    file = write(tmp_path / "a.ome.tif", noise(held, SIDE, SIDE), xml)
    with pytest.raises(ImageError, match=f"declares {declared} planes, of which {held} exist.*Z {held + 1}"):
        open_image(file)


def test_an_image_without_any_plane_does_not_vanish_from_the_scenes(tmp_path: Path) -> None:
    images = [("first", {}, '<TiffData IFD="0"/>'), ("gone", {}, '<TiffData IFD="7"/>')]
    file = write(tmp_path / "a.ome.tif", noise(1, SIDE, SIDE), header(images))
    assert scene_names(file) == ("first", "gone")
    assert open_image(file, "first").scene == "first"
    with pytest.raises(ImageError, match="declares 1 planes, of which 0 exist"):
        open_image(file, "gone")


def test_planes_missing_in_another_file_are_named(tmp_path: Path) -> None:
    data = data_in("a.ome.tif", "urn:uuid:a", count=2) + data_in(
        "b.ome.tif", "urn:uuid:b", count=2, first='FirstZ="2"'
    )
    write(tmp_path / "a.ome.tif", noise(2, SIDE, SIDE), header([("a", {"Z": 4}, data)], "urn:uuid:a"))
    write(tmp_path / "b.ome.tif", noise(1, SIDE, SIDE), header([("a", {"Z": 4}, data)], "urn:uuid:b"))
    with pytest.raises(ImageError, match="declares 4 planes, of which 3 exist; the first missing one is Z 4"):
        open_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("uuid", ["urn:uuid:own", ""])
@pytest.mark.parametrize("original_stays", [True, False])
def test_a_renamed_single_file_reads_its_own_pixels(tmp_path: Path, uuid: str, original_stays: bool) -> None:
    pixels = noise(3, SIDE, SIDE)
    xml = header([("a", {"Z": 3}, data_in("old.ome.tif", uuid, count=3))], "urn:uuid:own")
    write(tmp_path / "new.ome.tif", pixels, xml)
    if original_stays:
        write(tmp_path / "old.ome.tif", noise(3, SIDE, SIDE, seed=5), xml)
    assert np.array_equal(read_all(open_image(tmp_path / "new.ome.tif"))[0, 0], pixels)


@pytest.mark.parametrize(
    "name",
    [
        "../secret.tif",
        "/etc/secret.tif",
        "a/../../secret.tif",
        "C:\\secret.tif",
        "..\\secret.tif",
        "\\\\host\\x.tif",
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    tifffile.imwrite(tmp_path / "secret.tif", noise(SIDE, SIDE))
    data = data_in("a.ome.tif", "urn:uuid:a") + data_in(name, "urn:uuid:b", first='FirstZ="1"')
    file = write(
        tmp_path / "in" / "a.ome.tif", noise(SIDE, SIDE), header([("a", {"Z": 2}, data)], "urn:uuid:a")
    )
    with pytest.raises(ImageError, match=r"a\.ome\.tif refers to the file .* outside its own folder"):
        open_image(file)


def test_a_companion_file_holds_the_header(tmp_path: Path) -> None:
    pixels = [noise(SIDE, SIDE, seed=n) for n in range(2)]
    data = data_in("a.ome.tif", "urn:uuid:a") + data_in("b.ome.tif", "urn:uuid:b", first='FirstZ="1"')
    (tmp_path / "x.companion.ome").write_text(header([("pair", {"Z": 2}, data)]))
    reference = '<BinaryOnly MetadataFile="x.companion.ome" UUID="u"/>'
    only = f'<OME xmlns="{NAMESPACE}" UUID="urn:uuid:{{}}">{reference}</OME>'
    for name, plane in zip("ab", pixels, strict=True):
        write(tmp_path / f"{name}.ome.tif", plane, only.format(name))
    assert np.array_equal(read_all(open_image(tmp_path / "b.ome.tif"))[0, 0], np.stack(pixels))
    assert [file.name for file in image_files(tmp_path)] == ["a.ome.tif"]
    (tmp_path / "x.companion.ome").unlink()
    with pytest.raises(ImageError, match=r"a\.ome\.tif needs the file x\.companion\.ome, which is missing"):
        open_image(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    "sizes", [{"Z": 0}, {"C": -1}, {"Z": 10**9, "T": 10**9}], ids=["none", "negative", "huge"]
)
def test_impossible_sizes_are_damage(tmp_path: Path, sizes: dict[str, int]) -> None:
    data = data_in("a.ome.tif", "urn:uuid:a") + data_in("b.ome.tif", "urn:uuid:b")
    file = write(tmp_path / "a.ome.tif", noise(SIDE, SIDE), header([("a", sizes, data)]))
    with pytest.raises(ImageError, match=r"a\.ome\.tif has damaged OME metadata"):
        open_image(file)


def test_a_copied_folder_works_like_the_original(tmp_path: Path) -> None:
    fields = four_fields(tmp_path / "one", UUIDS["distinct"])
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    shutil.rmtree(tmp_path / "one")
    assert np.array_equal(read_all(open_image(tmp_path / "two" / "f1.ome.tif", 3))[0, 0, 0], fields[3])
