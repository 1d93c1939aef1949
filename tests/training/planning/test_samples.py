from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile

from advice import advised
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.artifacts.dataset.store import INDEX_FILE
from segloop.config import compose
from segloop.config.train import NetworkConfig, RecipeConfig, TargetConfig, TrainConfig
from segloop.core.context import Context
from segloop.core.errors import DatasetError
from segloop.targets.semantic import SemanticOptions
from segloop.training.planning.samples import choose_dims, survey

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]

SEMANTIC = TargetConfig(kind="semantic")


def test_flat_images_get_a_2d_network(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    found = survey(make_dataset(nuclei), TrainConfig(), Context())

    assert (found.dims, len(found.train), len(found.val)) == (2, 5, 1)


def test_stacks_get_a_3d_network(embryo: Pictures, make_dataset: MakeDataset) -> None:
    found = survey(make_dataset(embryo), TrainConfig(), Context())

    assert found.dims == 3
    assert any(
        "3D network because the images have up to 32 slices" in choice.reason for choice in found.choices
    )


def test_stacks_can_be_learnt_slice_by_slice(embryo: Pictures, make_dataset: MakeDataset) -> None:
    config = TrainConfig(network=NetworkConfig(dimensions=2))

    found = survey(make_dataset(embryo), config, Context())

    assert found.dims == 2
    assert any("slice by slice" in choice.reason for choice in found.choices)


def test_flat_images_are_refused_for_a_3d_network(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    config = TrainConfig(network=NetworkConfig(dimensions=3))

    with pytest.raises(DatasetError, match=r"\.tif has one slice.*set network\.dimensions to 2"):
        survey(make_dataset(nuclei), config, Context())


def test_mixed_dimensions_name_one_of_each() -> None:
    with pytest.raises(DatasetError, match=r"2D images \(flat\.tif\) and stacks \(deep\.tif has 9 slices\)"):
        choose_dims([("flat.tif", 1), ("deep.tif", 9)], 0)


def test_images_with_fewer_channels_are_left_out_with_advice_that_works(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(nuclei)
    first = next(iter(dataset.samples()))
    file = dataset.resolve(first.raw)
    tifffile.imwrite(file, np.stack([tifffile.imread(file)] * 2), imagej=True, metadata={"axes": "CYX"})
    index = json.loads((dataset.path / INDEX_FILE).read_text())
    (dataset.path / INDEX_FILE).write_text(json.dumps({**index, "channels": []}))
    dataset = CuratedDataset.open(dataset.path)

    found = survey(dataset, TrainConfig(), Context())
    assert len(found.train) == 1
    assert len(found.problems) == len(nuclei) - 1

    config = compose.apply(TrainConfig(), [advised(found.problems[0])])
    found = survey(dataset, config, Context())
    assert (len(found.train) + len(found.val), found.problems) == (len(nuclei), ())


def test_a_missing_channel_names_the_file(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(nuclei)

    with pytest.raises(DatasetError, match=r"\.tif has no channel membranes"):
        survey(dataset, TrainConfig(recipe=RecipeConfig(channels=["membranes"])), Context())


def test_an_image_with_other_channels_is_told_of_and_left_out(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(nuclei)
    odd = list(nuclei)[1]
    raw, _ = nuclei[odd]
    path = dataset.resolve(dataset.sample(odd).raw)
    tifffile.imwrite(path, np.stack([raw, raw]), metadata={"axes": "CYX"}, imagej=True)
    for sample in dataset.samples():
        assert sample.verdict is Verdict.accepted

    found = survey(dataset, TrainConfig(recipe=RecipeConfig(channels=["1"])), Context())

    # Only the odd one has a channel 1; all others are told of.
    assert [header.sample.id for header in (*found.train, *found.val)] == [odd]
    assert len(found.problems) == len(nuclei) - 1


def test_undecided_samples_are_not_learnt_from(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(nuclei)
    for sample in list(dataset.samples()):
        dataset.save(sample.edit(verdict=Verdict.undecided), "undecide")

    with pytest.raises(
        DatasetError, match=r"None of the 6 samples .* is accepted .*\(6 undecided, 0 rejected\)"
    ):
        survey(dataset, TrainConfig(), Context())


def test_classes_are_counted(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    pictures = {name: (raw, (labels % 3).astype(np.uint8)) for name, (raw, labels) in nuclei.items()}
    dataset = make_dataset(pictures, label_kind="semantic")

    found = survey(dataset, TrainConfig(target=SEMANTIC), Context())

    assert found.options == SemanticOptions(classes=3)


def test_numbered_objects_are_one_foreground(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    found = survey(make_dataset(nuclei), TrainConfig(target=SEMANTIC), Context())

    assert found.options == SemanticOptions(classes=2)


def test_a_damaged_sample_is_told_and_the_others_are_learnt(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset = make_dataset(nuclei)
    damaged = dataset.path / "samples" / f"{dataset.sample_ids[0]}.json"
    damaged.write_text("{")

    found = survey(CuratedDataset.open(dataset.path), TrainConfig(), Context())

    assert len(found.train) == 4
    assert [str(damaged) in problem for problem in found.problems] == [True]
