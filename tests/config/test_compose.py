"""Hydra composes, typed objects come out, files bring them back."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from segloop.config.compose import apply, compose, from_dict, load, save, to_dict, to_yaml
from segloop.config.device import DeviceKind
from segloop.config.from_python import resolve
from segloop.config.knob import knobs
from segloop.config.parameters import ParameterSet, parameter
from segloop.config.predict import PredictConfig
from segloop.config.registries import NETWORKS
from segloop.config.train import NetworkConfig, NetworkSize, TargetConfig, TrainConfig
from segloop.core.errors import ConfigError

CHANGED = [
    "dataset=/data/my set",
    "network.size=large",
    "target=semantic",
    "target.classes=3",
    "recipe.channels=[dapi,'1']",
    "patch.size=[64,96]",
    "optimiser.learning_rate=3e-4",
    "augmentation.flips=false",
    "stop.max_minutes=2.5",
    "device.kind=cpu",
]


@pytest.mark.parametrize("schema", [TrainConfig, PredictConfig])
def test_without_overrides_the_defaults_come_out(schema: type) -> None:
    assert compose(schema) == resolve(schema())


def test_overrides_reach_typed_fields() -> None:
    config = compose(TrainConfig, CHANGED)
    assert config.dataset == "/data/my set"
    assert config.network.size is NetworkSize.large
    assert config.target.kind == "semantic"
    assert config.target.options == {"classes": 3}
    assert config.recipe.channels == ["dapi", "1"]
    assert config.patch.size == [64, 96]
    assert config.optimiser.learning_rate == 3e-4
    assert config.augmentation.flips is False
    assert config.stop.max_minutes == 2.5
    assert config.device.kind is DeviceKind.cpu


def test_a_prediction_can_give_several_outputs() -> None:
    config = compose(PredictConfig, ["outputs=[labels,probability]", "threshold.foreground=0.4"])
    assert config.outputs == ["labels", "probability"]
    assert config.threshold == {"foreground": 0.4}


def test_composing_twice_gives_independent_configs() -> None:
    first = compose(TrainConfig)
    first.recipe.channels.append("dapi")
    assert compose(TrainConfig).recipe.channels == []


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("network.siz=large", r"no network\.siz: choose among size, dimensions"),
        ("+extra.key=1", "no setting 'extra'"),
        ("network.size=huge", r"network\.size.*'huge'.*small, medium, large"),
        ("optimiser.learning_rate=fast", r"optimiser\.learning_rate.*'fast'"),
        ("patch=5", "patch"),
        ("seed=-1", "seed=-1 is out of bounds"),
        ("stop.max_minutes=nan", r"stop\.max_minutes=nan is out of bounds"),
        ("patch.size=[64,0]", r"patch\.size=0 .* at least 1"),
        ("target=nonsense", "no target 'nonsense': choose one of instance, semantic"),
        ("network=nonsense", "no network 'nonsense': choose one of unet, monai"),
        ("network.name=nonsense", "no network 'nonsense': choose one of unet, monai"),
        ("augmentation/more=[nonsense]", "no augmentation 'nonsense': choose one of affine"),
        (
            "augmentation.more={nonsense:{}}",
            "no augmentation 'nonsense': choose one of affine",
        ),
        (
            "augmentation.more.blur.wide=1",
            r"no augmentation\.more\.blur\.wide: choose among sigma, probability",
        ),
        ("augmentation.more=3", r"augmentation\.more"),
        ("augmentation.more.blur=3", r"augmentation\.more\.blur=3 is not valid"),
        ("loss.distance=nonsense", "no loss 'nonsense': choose one of binary_dice, class_dice, distance"),
        ("loss.distance={name:class_dice,power:2}", r"no loss\.distance\.power: choose among name"),
        ("loss.distance.power=2", r"loss\.distance needs a name"),
        ("nonsense", "nonsense"),
        ("dataset=${nowhere}", "dataset.*nowhere"),
    ],
)
def test_a_bad_override_is_refused_in_one_line_that_names_it(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        compose(TrainConfig, [override])
    assert "\n" not in str(caught.value)


def test_overrides_on_top_of_a_config_keep_the_rest() -> None:
    config = compose(TrainConfig, CHANGED)
    changed = apply(config, ["network.size=small", "target=instance"])
    assert changed.network.size is NetworkSize.small
    assert changed.target.kind == "instance"
    assert changed.patch.size == [64, 96]
    assert config.network.size is NetworkSize.large


def test_overrides_on_top_of_a_config_are_checked() -> None:
    with pytest.raises(ConfigError, match="seed=-1"):
        apply(TrainConfig(), ["seed=-1"])
    with pytest.raises(ConfigError, match="siz"):
        apply(TrainConfig(), ["network.siz=small"])


def test_a_saved_config_comes_back_equal(tmp_path: Path) -> None:
    config = compose(TrainConfig, CHANGED)
    save(config, tmp_path / "config.yaml")
    assert load(TrainConfig, tmp_path / "config.yaml") == config


def test_a_config_comes_back_equal_from_plain_values() -> None:
    config = compose(PredictConfig, ["outputs=[mask]", "tile_size=[256,256]", "channels=[dapi]"])
    values = to_dict(config)
    assert values["outputs"] == ["mask"]
    assert from_dict(PredictConfig, values) == config


def test_the_yaml_spells_out_every_knob() -> None:
    import yaml

    config = TrainConfig()
    tree = yaml.safe_load(to_yaml(config))
    assert (tree["target"], tree["loss"]) == ({"kind": "auto"}, {})
    for found in knobs(config):
        if isinstance(found.value, dict):
            continue
        node = tree
        for part in found.path.split("."):
            node = node[part]
        assert node == getattr(found.value, "name", found.value)


def test_a_short_config_takes_defaults_for_the_rest(tmp_path: Path) -> None:
    (tmp_path / "short.yaml").write_text("network:\n  size: medium\n")
    config = load(TrainConfig, tmp_path / "short.yaml")
    assert config.network.size is NetworkSize.medium
    assert config.stop == TrainConfig().stop


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network: {siz: large}", r"network\.siz"),
        ("network: {size: huge}", "huge"),
        ("seed: -4", "seed=-4"),
        ("network: [1, 2", "YAML"),
        ("- 1\n- 2", "bad.yaml"),
        ("5", "YAML"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load(TrainConfig, path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        load(TrainConfig, tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    "path", ["/data/${x}/nuclei", "/data/${oc.env:HOME}", "C:\\${x}", "\\\\server\\${y}"]
)
def test_a_saved_config_is_taken_literally(tmp_path: Path, path: str) -> None:
    config = resolve(TrainConfig(dataset=path))
    save(config, tmp_path / "config.yaml")

    loaded = load(TrainConfig, tmp_path / "config.yaml")

    assert loaded == config
    assert from_dict(TrainConfig, to_dict(config)) == config
    assert apply(loaded, ["seed=3"]).dataset == path


def test_a_file_that_is_a_list_is_no_config(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a\n- b\n")

    with pytest.raises(ConfigError, match=r"list\.yaml is not a readable YAML config"):
        load(TrainConfig, tmp_path / "list.yaml")


def test_options_stand_beside_the_name_of_the_target(tmp_path: Path) -> None:
    config = resolve(TrainConfig(target=TargetConfig("semantic", {"classes": 3})))

    assert to_dict(config)["target"] == {"kind": "semantic", "classes": 3}
    assert from_dict(TrainConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["target=semantic", "target.classes=100"], r"target\.classes=100 is out of bounds: .* 0 and 64"),
        (["target=semantic", "target.classes=many"], r"target\.classes=many is not valid: .* whole number"),
        (["target=semantic", "target.clases=3"], r"no target\.clases: choose among classes"),
        (["target=instance", "target.classes=3"], r"no target\.classes: there are none to choose"),
        (["target.kind=nonsense"], "no target 'nonsense': choose one of instance, semantic"),
    ],
)
def test_an_option_that_the_target_lacks_is_refused(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose(TrainConfig, overrides)
    with pytest.raises(ConfigError, match=message):
        apply(TrainConfig(), overrides)


def test_another_target_starts_with_its_own_options() -> None:
    config = TrainConfig(target=TargetConfig("semantic", {"classes": 3}))

    assert apply(config, ["target=semantic"]).target == config.target
    assert apply(config, ["target=instance"]).target == TargetConfig("instance")


def test_the_config_of_a_run_from_before_targets_had_options_is_read() -> None:
    config = load(TrainConfig, Path(__file__).parent / "config_v1.yaml")

    assert config.target == TargetConfig("instance")
    assert config.network.size is NetworkSize.small


CHOSEN = [
    "network=monai.UNet",
    "network.dropout=0.2",
    "network.dimensions=2",
    "augmentation/more=[blur,elastic]",
    "augmentation.more.elastic.magnitude=5",
    "loss.foreground=binary_dice",
    "loss.distance.name=distance",
]


def test_items_of_registries_are_chosen_as_hydra_groups_with_their_options(tmp_path: Path) -> None:
    config = compose(TrainConfig, CHOSEN)

    assert config.network == NetworkConfig(
        "monai.UNet", dimensions=2, options={"dropout": 0.2, "num_res_units": 0}
    )
    assert config.augmentation.more == {
        "blur": {"sigma": 1.0, "probability": 0.3},
        "elastic": {"spacing": 24.0, "magnitude": 5.0, "probability": 0.5},
    }
    assert config.loss == {"foreground": "binary_dice", "distance": "distance"}
    assert apply(TrainConfig(), CHOSEN) == config
    save(config, tmp_path / "config.yaml")
    assert load(TrainConfig, tmp_path / "config.yaml") == config


def test_the_options_of_an_item_stand_beside_its_name_in_yaml(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "network: {name: monai.SegResNet, init_filters: 16, size: large}\naugmentation: {more: {affine: }}\n"
    )

    config = load(TrainConfig, tmp_path / "own.yaml")

    assert config.network.options == {"init_filters": 16, "dropout_prob": 0.0}
    assert config.network.size is NetworkSize.large
    assert config.augmentation.more["affine"]["rotate"] == 0.3
    assert "init_filters: 16" in to_yaml(config)


def test_another_network_starts_with_its_own_options_and_keeps_what_all_have_in_common() -> None:
    config = compose(TrainConfig, CHOSEN)

    changed = apply(config, ["network=monai.SegResNet", "augmentation/more=elastic"])

    assert changed.network.name == "monai.SegResNet"
    assert changed.network.dimensions == 2
    assert set(changed.network.options) == {"init_filters", "dropout_prob"}
    assert changed.augmentation.more == {"elastic": config.augmentation.more["elastic"]}


class Hidden:
    """Has an option that would hide a setting of all networks."""

    class options_type(ParameterSet):  # noqa: N801 - the name that registries look for
        size: int = parameter(1, "Size", "Of something.")


def test_an_option_must_not_hide_a_setting_of_all_networks() -> None:
    with (
        NETWORKS.registered("hidden", Hidden()),
        pytest.raises(ConfigError, match="'hidden' can't be used: its option 'size'"),
    ):
        compose(TrainConfig, ["network=hidden"])


@pytest.mark.parametrize("override", ["patch.size=[", "a b", "=3", "patch.size={", "tile_size=" + "[" * 3000])
@pytest.mark.parametrize("use", [compose, lambda schema, overrides: apply(schema(), overrides)])
def test_what_is_no_override_is_told_with_an_example(override: str, use: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"can't be read: write name=value, such as") as caught:
        use(PredictConfig, [override])
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("schema", "override"),
    [
        (PredictConfig, "tile_size=[1,2,3,4]"),
        (PredictConfig, "tile_size=[64]"),
        (TrainConfig, "patch.size=[9]"),
    ],
)
def test_a_size_has_two_or_three_axes(schema: Any, override: str) -> None:
    with pytest.raises(ConfigError, match=r"numbers: give 2 or 3, or none"):
        compose(schema, [override])


def test_a_misspelt_setting_is_told_with_the_like() -> None:
    with pytest.raises(ConfigError, match=r"no setting 'tile_sise': choose tile_size"):
        compose(PredictConfig, ["tile_sise=[64,64]"])


_BOMBS = {
    "references": "a: &a [1]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(9)),
    "many keys": "".join(f"key{i}: 1\n" for i in range(50_000)),
    "many megabytes": "a: " + "x" * (11 << 20),
    "many values on a line": "a: [" + "1," * 400_000 + "1]",
    "depth": "a: " + "[" * 400_000,
    "indented depth": "\n".join(" " * i + "a:" for i in range(200)),
    "no text": "\0\0",
    "an object": "a: !!python/object/apply:os.getcwd []",
    "a scalar": "hello",
    "twice": "seed: 1\nseed: 2",
}


@pytest.mark.parametrize("kind", _BOMBS)
def test_a_config_from_a_stranger_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(_BOMBS[kind])
    begun = time.process_time()
    with pytest.raises(ConfigError, match=r"config\.yaml") as caught:
        load(TrainConfig, path)
    assert time.process_time() - begun < 5
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
