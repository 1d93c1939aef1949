"""Segmentations of other tools: ROI sets of ImageJ become labels, pickles are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from roifile import ROI_TYPE, ImagejRoi
from skimage.measure import find_contours

from segloop.core.errors import ImageError
from segloop.images.imagej_rois import rasterise
from segloop.images.importers import find_import


def write_set(path: Path, rois: list[ImagejRoi]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number, roi in enumerate(rois):
            archive.writestr(f"{number}.roi", roi.tobytes())


def polygon(points: list[tuple[float, float]], name: str = "", position: int = 0) -> ImagejRoi:
    roi = ImagejRoi.frompoints(np.array(points), name=name)
    roi.position = position
    roi.roitype = ROI_TYPE.POLYGON
    return roi


def box(kind: ROI_TYPE, top: int, left: int, bottom: int, right: int) -> ImagejRoi:
    return ImagejRoi(roitype=kind, top=top, left=left, bottom=bottom, right=right)


def test_a_pixel_belongs_to_a_roi_if_its_centre_lies_in_it(tmp_path: Path) -> None:
    square = polygon([(1, 2), (4, 2), (4, 6), (1, 6)])
    triangle = polygon([(6, 0), (10, 0), (10, 4)])
    rectangle = box(ROI_TYPE.RECT, 7, 0, 9, 5)
    circle = box(ROI_TYPE.OVAL, 5, 6, 9, 10)
    write_set(tmp_path / "a.zip", [square, triangle, rectangle, circle])

    labels = rasterise(tmp_path / "a.zip", (1, 10, 10))

    expected = np.zeros((10, 10), int)
    expected[2:6, 1:4] = 1
    for row in range(4):
        expected[row, 6 + row + 1 : 10] = 2
    expected[7:9, 0:5] = 3
    y, x = np.mgrid[:10, :10] + 0.5
    expected[(y - 7) ** 2 + (x - 8) ** 2 <= 4] = 4
    diagonal = np.eye(10, k=6, dtype=bool)  # centres on the edge itself may be in or out
    assert labels.shape == (1, 10, 10)
    np.testing.assert_array_equal(labels[0][~diagonal], expected[~diagonal])


def test_the_outlines_of_real_nuclei_give_their_labels_back(sample_nuclei: Path, tmp_path: Path) -> None:
    truth = tifffile.imread(sorted((sample_nuclei / "seg").glob("*.tif"))[4])
    values = [value for value in np.unique(truth) if value]
    rois = []
    for value in values:
        contour = max(find_contours(np.pad(truth == value, 1), 0.5), key=len)[:, ::-1] - 0.5
        rois.append(polygon([(float(x), float(y)) for x, y in contour]))
    write_set(tmp_path / "nuclei.zip", rois)

    labels = rasterise(tmp_path / "nuclei.zip", (1, *truth.shape))[0]

    for number, value in enumerate(values, 1):
        found, true = labels == number, truth == value
        assert (found & true).sum() / (found | true).sum() > 0.97


def test_a_hole_stays_open_and_what_lies_outside_is_cut_off(tmp_path: Path) -> None:
    outer, inner = [(-2, -2), (6, -2), (6, 6), (-2, 6)], [(1, 1), (3, 1), (3, 3), (1, 3)]
    path: list[float] = []
    for ring in (outer, inner):
        path += [0, *ring[0]]
        for point in ring[1:]:
            path += [1, *point]
        path += [4]
    roi = box(ROI_TYPE.RECT, -2, -2, 6, 6)
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    roi.tofile(tmp_path / "a.roi")

    labels = rasterise(tmp_path / "a.roi", (1, 8, 8))[0]

    expected = np.zeros((8, 8), int)
    expected[:6, :6] = 1
    expected[1:3, 1:3] = 0
    np.testing.assert_array_equal(labels, expected)


def test_in_a_stack_a_roi_lies_in_its_slice(tmp_path: Path) -> None:
    square = [(1, 1), (3, 1), (3, 3), (1, 3)]
    write_set(
        tmp_path / "a.zip", [polygon(square, "one", 2), polygon([(5, 5), (7, 5), (7, 7), (5, 7)], "all")]
    )

    labels = rasterise(tmp_path / "a.zip", (3, 8, 8))

    assert [sorted(set(np.unique(plane)) - {0}) for plane in labels] == [[2], [1, 2], [2]]
    with pytest.raises(ImageError, match="ROI in slice 2, the image has 1 slice"):
        rasterise(tmp_path / "a.zip", (1, 8, 8))


def test_lines_are_left_out_and_a_set_without_areas_is_refused(tmp_path: Path) -> None:
    line = ImagejRoi(roitype=ROI_TYPE.LINE, x1=0, y1=0, x2=5, y2=5)
    write_set(tmp_path / "lines.zip", [line])
    write_set(tmp_path / "far.zip", [polygon([(50, 50), (60, 50), (60, 60)])])

    with pytest.raises(ImageError, match=r"lines\.zip holds lines or points only"):
        rasterise(tmp_path / "lines.zip", (1, 8, 8))
    with pytest.raises(ImageError, match=r"None of the ROIs in .*far\.zip lies inside the image"):
        rasterise(tmp_path / "far.zip", (1, 8, 8))


def test_sets_are_found_in_a_folder_by_the_names_of_their_images(tmp_path: Path) -> None:
    (tmp_path / "plate1").mkdir()
    roi = polygon([(1, 1), (3, 1), (3, 3)])
    for name in ("RoiSet_a2.zip", "a10_RoiSet.zip", "plate1/a3.tif.zip"):
        write_set(tmp_path / name, [roi, roi])
    roi.tofile(tmp_path / "a4.roi")
    with zipfile.ZipFile(tmp_path / "notes.zip", "w") as archive:
        archive.writestr("readme.txt", "no ROIs")

    found = find_import(tmp_path)

    assert found is not None
    assert (found.importer, found.description) == ("imagej_rois", "4 ImageJ ROI sets")
    assert {item.stem for item in found.items} == {"a2", "a10", "plate1/a3", "a4"}
    some = find_import(str(tmp_path / "*RoiSet*.zip"))
    assert some is not None
    assert [item.stem for item in some.items] == ["a10", "a2"]


@pytest.mark.parametrize("name", ["a.tif", "sub/a.tif"])
def test_a_folder_of_images_is_not_imported(tmp_path: Path, name: str) -> None:
    write_set(tmp_path / "a.zip", [polygon([(1, 1), (3, 1), (3, 3)])])
    (tmp_path / name).parent.mkdir(exist_ok=True)
    tifffile.imwrite(tmp_path / name, np.zeros((8, 8), np.uint8))

    assert find_import(tmp_path) is None
    assert find_import(tmp_path / name) is None
    assert find_import(tmp_path / "missing") is None


def test_a_pickle_is_refused_with_the_remedy(tmp_path: Path) -> None:
    np.save(tmp_path / "a_seg.npy", {"masks": np.ones((4, 4))}, allow_pickle=True)

    for source in (tmp_path, tmp_path / "a_seg.npy", str(tmp_path / "*_seg.npy")):
        with pytest.raises(
            ImageError, match=r"a_seg\.npy is a pickle, .* choose File > Save masks as PNG/tif"
        ):
            find_import(source)


def test_a_damaged_set_is_refused(tmp_path: Path) -> None:
    roi = polygon([(1, 1), (3, 1), (3, 3)])
    whole = roi.tobytes()
    for name, content in {
        "short.zip": whole[:30],
        "other.zip": b"Iout",
        "huge.zip": b"\0" * (17 * 2**20),
    }.items():
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("../../x.roi", content)

    for name, problem in {"short": "is damaged", "other": "is damaged", "huge": "is too large"}.items():
        with pytest.raises(ImageError, match=rf"{name}\.zip .*{problem}"):
            rasterise(tmp_path / f"{name}.zip", (1, 8, 8))
