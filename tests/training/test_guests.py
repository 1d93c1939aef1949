"""Networks and augmentations that are registered from outside go through training, card and prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segloop
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.model.model import Model
from segloop.config.parameters import ParameterSet, parameter
from segloop.core.errors import ConfigError, ModelError
from segloop.images.normalisation import normalise
from segloop.images.recipe_operations import RECIPE_OPERATIONS
from segloop.networks import NETWORKS
from segloop.training.augmentations import AUGMENTATIONS, Augmentation, Patch, build_pipeline
from training_fixtures import QUICK, TINY, ToyNetwork, config, train

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


class MirrorOptions(ParameterSet):
    """The one option of the toy."""

    often: bool = parameter(False, "Often", "Mirror every patch.")


class ToyMirror:
    """Mirrors along X, and notes how often."""

    spatial = True
    options_type = MirrorOptions

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, dims: int, arguments: Mapping[str, Any]) -> Augmentation:
        assert arguments == {"often": True}

        def mirror(patch: Patch, seed: int) -> Patch:
            self.calls += 1
            return {name: tensor.flip(-1) for name, tensor in patch.items()}

        return mirror


def test_guests_go_through_training_card_prediction_and_provenance(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    mirror = ToyMirror()
    wanted = ["network.name=toy", "augmentation.more={mirror:{often:true}}", "stop.max_epochs=20"]
    wanted += ["target=semantic", "optimiser.learning_rate=0.03"]
    with NETWORKS.registered("toy", ToyNetwork), AUGMENTATIONS.registered("mirror", mirror):
        run = train(config(make_dataset(nuclei), TINY, *wanted), tmp_path / "run")

        model = Model.load(run.path)
        model.verify()
        network = model.network()

    assert mirror.calls >= 6
    assert run.plan is not None
    assert run.plan.network["name"] == model.card.network["name"] == "toy"
    assert network(torch.rand(1, 1, 7, 9)).shape == (1, 1, 7, 9)
    kept = model.card.provenance["config"]
    assert (kept["network"]["name"], kept["augmentation"]["more"]) == ("toy", {"mirror": {"often": True}})


class Contrast:
    """The difference of two channels, times a factor: an operation of an installed package."""

    n_channels = (2, 2)

    class options_type(ParameterSet):  # noqa: N801 - the name that registries look for
        factor: float = parameter(1.0, "Factor", "Of the difference.", minimum=0, maximum=10)

    def __call__(self, channels: np.ndarray, factor: float) -> np.ndarray:
        return factor * (channels[0] - channels[1])


def test_a_recipe_of_operations_is_trained_kept_and_enforced(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    stained = {name: (np.stack([raw, raw.T, raw[::-1]]), seg) for name, (raw, seg) in nuclei.items()}
    recipe = "recipe.channels=['0','contrast(2, 1, factor=2.5)','merge(0, 1, how=max)','blank()']"
    more = [recipe, "target=semantic", "optimiser.learning_rate=0.01", "stop.max_epochs=4"]

    with RECIPE_OPERATIONS.registered("contrast", Contrast()):
        dataset = make_dataset(stained, raw_axes="CYX")
        run = train(config(dataset, [*QUICK, *more]), tmp_path / "run")
        model = Model.load(run.path)
        model.verify()
        card = model.card
        raw = stained[next(iter(stained))][0]
        probability = segloop.Model.load(run.path).predict(raw, axes="CYX", outputs=["probability"])
        ranges = np.percentile(raw, [1, 99.8], axis=(1, 2)).T
        scaled = normalise(raw[:, None], ranges.astype(np.float32), -1, 4)[:, 0]
        with torch.inference_mode():
            inputs = torch.from_numpy(
                np.stack([scaled[0], 2.5 * (scaled[2] - scaled[1]), scaled[:2].max(0), 0 * scaled[0]])
            )
            expected = torch.sigmoid(model.network()(inputs[None]))[0, 0]
        with pytest.raises(ModelError, match=r"no channel Channel 2 .* the model expects 3"):
            segloop.Model.load(run.path).predict(raw[:2], axes="CYX")

    assert card.recipe.channels == ["Channel 0", "Channel 2", "Channel 1"]
    assert [each.operation for each in card.recipe.inputs] == ["pick", "contrast", "merge", "blank"]
    assert card.network["in_channels"] == 4
    assert run.plan is not None
    assert run.plan.channels[1] == 'contrast("Channel 2", "Channel 1", factor=2.5)'
    np.testing.assert_allclose(probability["probability"] / 255, expected, atol=0.005)
    with pytest.raises(ModelError, match=r"no recipe operation .contrast.: .* install the package"):
        Model.load(run.path)


def test_a_name_that_nobody_brings_is_refused_before_training(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)

    with pytest.raises(ConfigError, match="no augmentation 'melt': choose one of affine, elastic, blur"):
        train(config(dataset, TINY, "augmentation.more={melt:{}}"), tmp_path / "a")
    with pytest.raises(ConfigError, match="no network 'toy'"):
        train(config(dataset, TINY, "network.name=toy"), tmp_path / "b")


def test_an_argument_that_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no augmentation\.more\.elastic\.wobble: choose among spacing, "):
        build_pipeline({"elastic": {"wobble": 3}}, 2)


@pytest.mark.parametrize("name", ["affine", "elastic", "blur"])
@pytest.mark.parametrize("dims", [2, 3])
def test_built_in_augmentations_change_a_patch_and_keep_its_shape(name: str, dims: int) -> None:
    pipeline = build_pipeline({name: {"probability": 1.0}}, dims)
    (augment,) = (*pipeline.spatial, *pipeline.intensity)
    shape = (12, 40, 40)[-dims:]
    labels = np.zeros(shape, np.float32)
    labels[..., 10:30, 12:28] = 7
    patch = {
        "image": torch.rand(1, *shape),
        "labels": torch.from_numpy(labels)[None],
        "valid": torch.ones(1, *shape),
    }

    changed, again, other = augment(patch, 1), augment(patch, 1), augment(patch, 2)

    assert all(changed[key].shape == patch[key].shape for key in patch)
    assert not torch.equal(changed["image"], patch["image"])
    assert torch.equal(changed["image"], again["image"])
    assert not torch.equal(changed["image"], other["image"])
    assert set(np.unique(changed["labels"])) <= {0, 7}
