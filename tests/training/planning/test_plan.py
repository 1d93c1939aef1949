from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from segloop.app.training import plan_training
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.run.plan import TrainingPlan
from segloop.cli.command import segloop
from segloop.config import compose
from segloop.config.train import TrainConfig
from segloop.core.errors import DatasetError
from segloop.training.planning.hardware import Hardware
from segloop.training.planning.plan import plan

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]

CPU = Hardware("cpu", threads=2, reason="Device cpu.")


def planned(dataset: CuratedDataset, overrides: Sequence[str] = (), hardware: Hardware = CPU) -> TrainingPlan:
    config = compose.compose(TrainConfig, [f"dataset={dataset.path}", *overrides])
    return plan(dataset, config, hardware)


def test_a_plan_says_what_it_rests_on(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    found = planned(make_dataset(nuclei))

    counts = [len(np.unique(labels[labels > 0])) for _, labels in nuclei.values()]
    assert (found.train_objects, found.val_objects) == (sum(counts[:-1]), counts[-1])
    assert f"Learns from 5 samples ({sum(counts[:-1])} objects)" in found.notes[0]
    names = [choice.name for choice in found.choices]
    assert names == [
        *["Samples", "Target", "Dimensions", "Channels", "Pixel size", "Network"],
        *["Patch size", "Batch size", "Epoch", "Device", "Duration"],
    ]
    assert all(choice.value and choice.reason.endswith(".") for choice in found.choices)
    assert (found.warnings, found.problems) == ((), ())


def test_a_plan_follows_the_settings(embryo: Pictures, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(embryo)

    flat, deep = planned(dataset, ["network.dimensions=2"]), planned(dataset)

    assert (flat.dimensions, len(flat.patch_size), flat.network["dims"]) == (2, 2, 2)
    assert (deep.dimensions, len(deep.patch_size), deep.network["dims"]) == (3, 3, 3)
    assert deep.patch_size[0] <= 32


@pytest.mark.parametrize(
    ("overrides", "hardware", "minutes", "words"),
    [
        (["stop.max_minutes=15"], CPU, 15, "stop.max_minutes ends it after 15 min"),
        (["stop.max_steps=10", "stop.max_minutes=15"], CPU, None, "10 steps (by stop.max_steps)"),
        (["stop.max_epochs=1", "stop.max_minutes=15"], CPU, None, "20 steps (by stop.max_epochs)"),
    ],
)
def test_a_plan_says_how_long_it_takes_and_why(
    nuclei: Pictures,
    make_dataset: MakeDataset,
    overrides: list[str],
    hardware: Hardware,
    minutes: float | None,
    words: str,
) -> None:
    found = planned(make_dataset(nuclei), overrides, hardware)

    assert words in found.notes[-1]
    assert found.expected_minutes == minutes if minutes else 0 < found.expected_minutes < 1


def test_a_larger_network_takes_longer_and_a_gpu_less_time(
    nuclei: Pictures, make_dataset: MakeDataset
) -> None:
    dataset, steps = make_dataset(nuclei), ["stop.max_steps=1000", "stop.max_minutes=1000"]

    small = planned(dataset, steps).expected_minutes
    large = planned(dataset, [*steps, "network.size=large"]).expected_minutes
    gpu = planned(dataset, steps, Hardware("cuda", True)).expected_minutes

    assert gpu < small < large


def test_no_validation_sample_is_a_warning(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    one = dict(list(nuclei.items())[:1])

    found = planned(make_dataset(one, val=[]))

    assert found.val_samples == ()
    assert "no samples left to validate on" in found.warnings[0]
    assert "validates on none" in found.notes[0]


def test_samples_that_cannot_be_used_are_named(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(nuclei)
    missing = dataset.resolve(dataset.sample(next(iter(nuclei))).raw)
    missing.unlink()

    found = planned(dataset)

    assert len(found.train_samples) == 4
    assert str(missing) in found.problems[0]


def test_the_command_shows_the_plan_that_the_run_then_uses(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    settings = ["patch.size=[32,32]", "patch.batch_size=2", "patch.per_epoch=4", "stop.max_steps=2"]
    arguments = ["train", str(dataset.path), *settings]

    shown = CliRunner().invoke(segloop, [*arguments, "--plan", "--json"])
    trained = CliRunner().invoke(segloop, [*arguments, "--out", str(tmp_path / "run")])

    assert (shown.exit_code, trained.exit_code) == (0, 0), shown.output + trained.output
    before = TrainingPlan.from_dict(json.loads(shown.stdout))
    kept = TrainingPlan.from_dict(json.loads((tmp_path / "run" / "plan.json").read_text()))
    assert kept.model_copy(update={"parameters": {}}) == before


def test_the_command_prints_a_line_per_choice(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    result = CliRunner().invoke(segloop, ["train", str(make_dataset(nuclei).path), "--plan"])

    assert result.exit_code == 0
    assert "Patch size  " in result.stdout
    assert len(result.stdout.splitlines()) >= 10


def test_a_plan_for_nothing_says_so(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(nuclei)
    for sample in list(dataset.samples()):
        dataset.save(sample.edit(verdict="rejected"), "reject")

    with pytest.raises(DatasetError, match="None of the 6 samples"):
        planned(dataset)


def test_a_plan_is_made_without_importing_torch(nuclei: Pictures, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(nuclei)
    program = (
        "import sys\n"
        "from segloop.app.training import make_config, plan_training\n"
        f"plan = plan_training(make_config({str(dataset.path)!r}), import_torch=False)\n"
        "print(plan.device.kind, [name for name in ('torch', 'lightning', 'monai') if name in sys.modules])\n"
    )

    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    torch_plan = plan_training(TrainConfig(dataset=str(dataset.path)))
    assert result.stdout.split() == [torch_plan.device.kind, "[]"]
