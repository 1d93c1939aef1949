from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region
from segloop.config.train import NormalisationConfig, TrainConfig
from segloop.core.context import Context
from segloop.core.errors import Cancelled, DatasetError
from segloop.images.image import Image
from segloop.images.normalisation import normalise, percentile_ranges
from segloop.targets import make_target
from segloop.training.cache import CachedSample
from segloop.training.patches import read_patch
from segloop.training.planning.samples import survey
from segloop.training.prepare import keep_in_memory, prepare

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


def run(dataset: CuratedDataset, root: Path, **config: Any) -> tuple[list[CachedSample], list[str]]:
    """Return the entries of all samples and what was said."""
    found = survey(dataset, TrainConfig(**config), Context())
    said: list[str] = list(found.problems)
    target = make_target("instance", dims=found.dims)
    headers = [*found.train, *found.val]
    return prepare(dataset, headers, target, NormalisationConfig(), root, Context(), said.append), said


def exclude(dataset: CuratedDataset, sample_id: str, *corners: tuple[float, float]) -> CuratedDataset:
    region = Region(id="r1", kind="exclude", shape="polygon", vertices=corners)
    dataset.save(dataset.sample(sample_id).edit(regions=(region,)), "exclude")
    return CuratedDataset.open(dataset.path)


def rewrite_labels(dataset: CuratedDataset, sample_id: str, change: Callable[[Any], Any]) -> None:
    path = dataset.label_file(dataset.sample(sample_id)).path
    tifffile.imwrite(path, change(tifffile.imread(path)))


def same_pixels(one: CachedSample, other: CachedSample) -> bool:
    a, b = one.arrays(), other.arrays()
    names = ("raw", "maps", "valid", "labels", "foreground", "sizes", "counting")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_an_entry_holds_pixels_and_encoded_labels(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    samples, said = run(make_dataset(nuclei), tmp_path / "cache")

    assert (len(samples), said) == (len(nuclei), [])
    for sample in samples:
        raw, labels = nuclei[sample.id]
        arrays = sample.arrays()
        np.testing.assert_array_equal(arrays.raw[0, 0], raw)
        np.testing.assert_array_equal(arrays.labels[0], labels)
        maps = make_target("instance").encode(labels[None]).maps
        np.testing.assert_allclose(arrays.maps / 255, maps, atol=0.5 / 255 + 1e-6)
        assert arrays.valid.shape == (1, *sample.shape)
        assert (labels[tuple(arrays.foreground[:, 1:].T)] > 0).all()


def test_where_little_counts_its_places_are_kept(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name = next(iter(nuclei))
    height, width = nuclei[name][0].shape
    dataset = make_dataset(nuclei)
    for excluded, expected in ((height * 0.3, 0), (height * 0.8, 1)):
        exclude(dataset, name, (-1, -1), (-1, width), (excluded, width), (excluded, -1))
        samples, _ = run(dataset, tmp_path / "cache")
        counting = {each.id: each.arrays().counting for each in samples}
        assert [each for each, places in counting.items() if len(places)] == [name] * expected
    assert (counting[name][:, 1] > height * 0.8).all()
    assert counting[name].shape == (int((height - 1) * width - np.floor(height * 0.8) * width), 3)


def test_intensities_are_scaled_as_in_prediction(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    sample = run(make_dataset(nuclei), tmp_path / "cache")[0][0]
    raw, _ = nuclei[sample.id]

    ranges = percentile_ranges(Image.from_array(raw), 0, (0,), 1.0, 99.8)

    ours = normalise(sample.arrays().raw, np.array(sample.ranges, np.float32), -1, 4)
    np.testing.assert_array_equal(ours, normalise(raw[None, None], ranges, -1, 4))


def test_nothing_is_made_twice(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(nuclei)
    run(dataset, tmp_path / "cache")
    made = {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("*.npy")}

    run(dataset, tmp_path / "cache")

    assert {path: path.stat().st_ino for path in (tmp_path / "cache").rglob("*.npy")} == made


def test_an_edit_renews_just_its_sample(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(nuclei)
    before = {sample.id: sample.folder for sample in run(dataset, tmp_path / "cache")[0]}
    edited = next(iter(nuclei))

    dataset = exclude(dataset, edited, (0, 0), (0, 40), (40, 40), (40, 0))

    after = {sample.id: sample.folder for sample in run(dataset, tmp_path / "cache")[0]}
    assert {name for name in after if after[name] != before[name]} == {edited}


def test_a_changed_file_renews_just_its_sample(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    before = {sample.id: sample.folder for sample in run(dataset, tmp_path / "cache")[0]}
    changed = next(iter(nuclei))

    rewrite_labels(dataset, changed, lambda labels: np.where(labels == labels.max(), 0, labels))

    after = {sample.id: sample.folder for sample in run(dataset, tmp_path / "cache")[0]}
    assert {name for name in after if after[name] != before[name]} == {changed}


def test_a_corrected_version_renews_just_its_sample_and_undo_finds_the_old_entry(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    before = {sample.id: sample.folder for sample in run(dataset, tmp_path / "cache")[0]}
    changed = next(iter(nuclei))
    labels = dataset.labels(dataset.sample(changed))

    dataset.correct_labels(changed, "seg", np.where(labels == labels.max(), 0, labels))

    after = {sample.id: sample for sample in run(dataset, tmp_path / "cache")[0]}
    assert {name for name in after if after[name].folder != before[name]} == {changed}
    assert after[changed].arrays().labels.max() < labels.max()
    dataset.undo()
    assert {sample.id: sample.folder for sample in run(dataset, tmp_path / "cache")[0]} == before


def test_a_damaged_entry_is_made_anew(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(nuclei)
    sample = run(dataset, tmp_path / "cache")[0][0]
    (sample.folder / "maps.npy").unlink()

    again = run(dataset, tmp_path / "cache")[0][0]

    assert again.folder == sample.folder
    assert again.arrays().maps.shape == (2, *again.shape)


def test_labels_under_exclusion_change_no_bit_of_what_is_learnt(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name = next(iter(nuclei))
    dataset = exclude(make_dataset(nuclei), name, (10, 10), (15, 80), (70, 60), (60, 5))
    before = next(s for s in run(dataset, tmp_path / "cache")[0] if s.id == name)
    excluded = ~before.arrays().valid[0, 0]
    rng = np.random.default_rng(0)

    def scramble(labels: Any) -> Any:
        assert (labels[excluded] > 0).any()
        return np.where(excluded, rng.integers(0, labels.max() + 3, labels.shape), labels).astype(
            labels.dtype
        )

    rewrite_labels(dataset, name, scramble)

    after = next(s for s in run(dataset, tmp_path / "cache")[0] if s.id == name)
    assert after.folder != before.folder
    assert same_pixels(before, after)


def test_the_distance_does_not_count_in_an_object_that_exclusion_touches(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name = next(iter(nuclei))
    dataset = exclude(make_dataset(nuclei), name, (10, 10), (15, 80), (70, 60), (60, 5))

    arrays = next(s for s in run(dataset, tmp_path / "cache")[0] if s.id == name).arrays()

    labels = nuclei[name][1][None]
    cut = [n for n in np.unique(labels)[1:] if 0 < arrays.valid[0][labels == n].sum() < (labels == n).sum()]
    assert cut
    for number in cut:
        assert not arrays.valid[1][labels == number].any()


def test_a_sample_that_is_all_excluded_is_left_out(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name = next(iter(nuclei))
    dataset = exclude(make_dataset(nuclei), name, (-9, -9), (-9, 200), (200, 200), (200, -9))

    samples, said = run(dataset, tmp_path / "cache")

    assert len(samples) == len(nuclei) - 1
    assert said == [f"Left out: all of {name}.tif is excluded: remove an exclude region to learn from it."]


def test_an_all_black_image_is_left_out(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    name, (raw, labels) = next(iter(nuclei.items()))
    dataset = make_dataset({**nuclei, name: (np.zeros_like(raw), labels)})

    samples, said = run(dataset, tmp_path / "cache")

    assert len(samples) == len(nuclei) - 1
    assert len(said) == 1
    assert f"{name}.tif has the same intensity everywhere" in said[0]


def test_pixels_that_are_no_number_are_learnt_as_dark(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name, (raw, labels) = next(iter(nuclei.items()))
    holed = raw.astype(np.float32)
    holed[:20], holed[30, 30], holed[31, 31] = np.nan, np.inf, -np.inf
    samples, said = run(make_dataset({**nuclei, name: (holed, labels)}), tmp_path / "cache")

    sample = next(sample for sample in samples if sample.id == name)
    image, _, _ = read_patch(sample, (0, 0, 0), sample.shape, NormalisationConfig())
    assert said == []
    assert np.isfinite(image).all()
    assert not image[0, 0, :20].any()


def test_a_sample_whose_shapes_differ_is_left_out(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name = next(iter(nuclei))
    dataset = make_dataset(nuclei)
    rewrite_labels(dataset, name, lambda labels: labels[:50])

    samples, said = run(dataset, tmp_path / "cache")

    assert len(samples) == len(nuclei) - 1
    assert len(said) == 1
    assert f"{name}.tif is 1 × 96 × 96 but its segmentation is 1 × 50 × 96" in said[0]


def test_a_missing_file_is_named_and_left_out(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    name = next(iter(nuclei))
    dataset = make_dataset(nuclei)
    dataset.label_file(dataset.sample(name)).path.unlink()

    samples, said = run(dataset, tmp_path / "cache")

    assert len(samples) == len(nuclei) - 1
    assert len(said) == 1
    assert f"{name}.tif" in said[0]


def test_a_cache_that_cannot_be_written_says_so(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file in the way")

    with pytest.raises(DatasetError, match=r"cache can't be written .* set SEGLOOP_HOME"):
        run(make_dataset(nuclei), tmp_path / "cache")


def test_a_stop_request_ends_it(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(nuclei)
    found = survey(dataset, TrainConfig(), Context())
    stopped = Context(cancelled=lambda: True)

    with pytest.raises(Cancelled):
        prepare(
            dataset, found.train, make_target("instance"), NormalisationConfig(), tmp_path, stopped, print
        )


def test_what_does_not_fit_into_memory_is_mapped_from_disk(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = run(make_dataset(nuclei), tmp_path / "cache")[0]
    monkeypatch.setattr("segloop.training.prepare._MEMORY_SHARE", 0)

    mapped = keep_in_memory(samples)

    assert all(isinstance(sample.arrays().raw, np.memmap) for sample in mapped)
    assert all(same_pixels(a, b) for a, b in zip(samples, mapped, strict=True))


def test_a_volume_is_read_whole(embryo: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    samples, said = run(make_dataset(embryo), tmp_path / "cache")

    assert said == []
    for sample in samples:
        np.testing.assert_array_equal(sample.arrays().raw[0], embryo[sample.id][0])


def test_slices_of_a_stack_are_encoded_one_by_one_for_a_2d_network(
    embryo: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(embryo)
    found = survey(dataset, TrainConfig(), Context())
    flat = make_target("instance", dims=2)

    sample = prepare(dataset, found.train, flat, NormalisationConfig(), tmp_path, Context(), print)[0]

    labels = embryo[sample.id][1]
    plane = int(np.argmax((labels > 0).sum((1, 2))))
    maps = flat.encode(labels[plane : plane + 1]).maps
    np.testing.assert_allclose(sample.arrays().maps[:, plane] / 255, maps[:, 0], atol=0.5 / 255 + 1e-6)
