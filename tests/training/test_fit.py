from __future__ import annotations

import csv
import os
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from advice import advised
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Region, Verdict
from segloop.artifacts.job.events import MetricsEvent, ProgressEvent
from segloop.artifacts.job.job import JobFolder
from segloop.artifacts.job.state import JobState
from segloop.artifacts.model.model import Model
from segloop.artifacts.run.run import Run
from segloop.config.train import TrainConfig
from segloop.core.errors import ConfigError, DatasetError, ModelError, RunError
from segloop.training.cache import cache_folder, prune
from segloop.training.extras import Extras
from segloop.training.fit import fit
from training_fixtures import (
    ENDLESS,
    QUICK,
    TINY,
    TickingClock,
    config,
    epochs_done,
    messages,
    require_learnt,
    state,
    stopping_when,
    train,
    weights,
)

Pictures = dict[str, Any]
MakeDataset = Callable[..., CuratedDataset]


def test_it_learns_objects(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    run = train(config(make_dataset(nuclei), QUICK), tmp_path / "run")

    require_learnt(run)
    card = Model.load(run.path).card
    assert (card.axes, card.target.name, card.recipe.channels) == ("YX", "instance", ["Channel 0"])
    assert card.parameters["min_size"] > 0
    assert set(run.metrics()) >= {"train_loss", "val_loss", "val_dice", "val_ap50", "learning_rate"}


def test_it_learns_foreground(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    run = train(config(make_dataset(nuclei), QUICK, "target=semantic"), tmp_path / "run")

    require_learnt(run)
    assert Model.load(run.path).card.target.options == {"classes": 2}
    assert "val_ap50" not in run.metrics()


def test_it_learns_classes(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    sizes = {name: np.bincount(labels.ravel()) for name, (_, labels) in nuclei.items()}
    pictures = {
        name: (raw, np.where(labels > 0, 1 + (sizes[name][labels] > 300), 0).astype(np.uint8))
        for name, (raw, labels) in nuclei.items()
    }
    dataset = make_dataset(pictures, label_kind="semantic")

    run = train(config(dataset, QUICK, "target=semantic"), tmp_path / "run")

    require_learnt(run)
    assert Model.load(run.path).card.target.options == {"classes": 3}


def test_it_learns_volumes(embryo: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    overrides = ["patch.size=[8,32,32]", "patch.batch_size=2", "patch.per_epoch=16", "stop.max_epochs=4"]

    run = train(config(make_dataset(embryo), overrides), tmp_path / "run")

    require_learnt(run)
    assert Model.load(run.path).card.axes == "ZYX"


def test_it_learns_stacks_slice_by_slice(embryo: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    run = train(config(make_dataset(embryo), TINY, "network.dimensions=2"), tmp_path / "run")

    assert Model.load(run.path).card.axes == "YX"
    Model.load(run.path).verify()


def test_the_run_holds_all_that_was_promised(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dataset = make_dataset(nuclei)

    run = train(config(dataset, TINY, "seed=5"), tmp_path / "run")

    assert sorted(path.name for path in run.path.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "events.jsonl",
        "log.txt",
        "metrics.csv",
        "model",
        "plan.json",
        "previews",
        "task.json",
    ]
    assert sorted(path.name for path in run.checkpoints_dir.iterdir()) == ["best.ckpt", "last.ckpt"]
    assert run.config == config(dataset, TINY, "seed=5", "target=instance")
    assert run.plan.patch_size == (32, 32)
    assert "Finished after 9 steps in 3 epochs" in run.log_file.read_text()
    provenance = Model.load(run.path).card.provenance
    assert provenance["dataset"]["train_samples"] == 5
    assert provenance["packages"]["torch"] == metadata.version("torch")
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_run_may_be_the_folder_one_is_in(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".run").mkdir()
    monkeypatch.chdir(tmp_path / ".run")

    run = train(config(make_dataset(nuclei), TINY), ".")

    assert run.path == (tmp_path / ".run").resolve()
    assert Model.load(run.path).card.name == "run"


def test_events_tell_what_metrics_csv_holds(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    run = train(config(make_dataset(nuclei), TINY), tmp_path / "run")

    told = {event.epoch: event.values["train_loss"] for event in run.job.events_of(MetricsEvent)}
    assert told == pytest.approx(dict(run.metrics()["train_loss"]), rel=1e-4)
    assert list(told) == [1, 2, 3]
    progress = [event for event in run.job.events_of(ProgressEvent) if "Epoch" in event.message]
    assert progress[-1].done == progress[-1].total
    assert all(event.seconds_left is not None and event.seconds_left >= 0 for event in progress)
    with run.metrics_file.open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_checkpoints_hold_no_code(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    run = train(config(make_dataset(nuclei), TINY), tmp_path / "run")

    for path in (run.last_checkpoint, run.best_checkpoint):
        assert "state_dict" in torch.load(path, weights_only=True)


def test_a_number_of_steps_gives_the_same_model_on_a_slow_computer(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    steps = ["patch.size=[48,48]", "patch.batch_size=4", "patch.per_epoch=16", "stop.max_steps=30"]

    first, same, other = (
        train(
            config(dataset, steps, f"seed={seed}"), tmp_path / name, extras=Extras(clock=TickingClock(tick))
        )
        for seed, name, tick in ((1, "fast", 1e-6), (1, "slow", 0.3), (2, "other", 1e-6))
    )

    assert first.metrics()["val_loss"] == same.metrics()["val_loss"]
    assert len(first.metrics()["val_loss"]) >= 4
    assert all(torch.equal(weights(first)[name], weights(same)[name]) for name in weights(first))
    assert not all(torch.equal(weights(first)[name], weights(other)[name]) for name in weights(first))


def test_a_computer_too_slow_for_the_steps_says_that_the_result_depends_on_it(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    stop = ["stop.max_steps=1000", "stop.max_epochs=1000", "stop.max_minutes=0.2"]

    run = train(
        config(make_dataset(nuclei), TINY, *stop), tmp_path / "run", extras=Extras(clock=TickingClock(0.5))
    )

    assert run.job.state() is JobState.finished
    assert "before its 1,000 steps" in messages(run, "warning")[-1]


def test_callbacks_and_loggers_of_the_caller_are_used(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    seen: list[float] = []

    class Watcher(pl.Callback):
        def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
            seen.append(float(trainer.callback_metrics["train_loss"]))

    logger = CSVLogger(tmp_path, name="logs", version="1")

    run = train(config(make_dataset(nuclei), TINY), tmp_path / "run", extras=Extras([Watcher()], [logger]))

    losses = [value for _, value in run.metrics()["train_loss"]]
    assert seen == pytest.approx(losses[-1:], rel=1e-4)
    with (tmp_path / "logs" / "1" / "metrics.csv").open() as file:
        logged = [float(row["train_loss"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx(losses, rel=1e-4)


def test_the_same_seed_learns_the_same(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(nuclei)

    # Of the last epoch: which of them is kept as the model depends on when there was time to validate.
    first, same, other = (
        state(train(config(dataset, TINY, f"seed={seed}"), tmp_path / name))
        for seed, name in ((1, "a"), (1, "b"), (2, "c"))
    )

    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_labels_under_exclusion_change_no_bit_of_the_model(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    corners = ((5.0, 5.0), (5.0, 70.0), (60.0, 50.0), (60.0, 5.0))
    region = Region(id="r", kind="exclude", shape="polygon", vertices=corners)
    spoilt = {}
    for name, (raw, labels) in nuclei.items():
        changed = labels.copy()
        changed[10:40, 10:40] = labels.max() + 1
        spoilt[name] = (raw, changed)
    models = []
    for folder, pictures in (("clean", nuclei), ("spoilt", spoilt)):
        dataset = make_dataset(pictures, name=folder)
        for sample in list(dataset.samples()):
            dataset.save(sample.edit(regions=(region,)), "exclude")
        # By steps, since time may change the learning rate on a busy computer.
        models.append(weights(train(config(dataset, TINY, "stop.max_steps=6"), tmp_path / f"run-{folder}")))

    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])


def test_the_time_limit_ends_it(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    limits = config(make_dataset(nuclei), ENDLESS, "stop.max_minutes=0.05")

    run = train(limits, tmp_path / "run", extras=Extras(clock=TickingClock(0.05)))

    assert run.job.state() is JobState.finished
    assert "val_dice" in run.metrics()
    with pytest.raises(RunError, match=r"raise stop\.max_minutes"):
        fit(run.path)


def test_patience_ends_it(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    # With a number of steps, the epochs that are validated do not depend on how busy the machine is.
    stuck = ["optimiser.learning_rate=1e-7", "stop.patience=2", "stop.max_epochs=100", "stop.max_steps=300"]

    run = train(config(make_dataset(nuclei), TINY, *stuck), tmp_path / "run")

    assert len(run.metrics()["train_loss"]) < 100
    assert any("no better validation since epoch" in text for text in messages(run, "info"))


def test_it_starts_from_a_model(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = make_dataset(nuclei)
    first = train(config(dataset, QUICK), tmp_path / "first")
    scratch = first.metrics()["train_loss"][0][1]

    second = train(config(dataset, QUICK, f"init={first.path}", "stop.max_epochs=1"), tmp_path / "second")

    assert second.metrics()["train_loss"][0][1] < 0.8 * scratch


def test_a_model_for_another_target_is_refused(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei)
    first = train(config(dataset, TINY), tmp_path / "first")

    with pytest.raises(ModelError, match=r"learned the target instance .* the training is for semantic"):
        train(config(dataset, TINY, f"init={first.path}", "target=semantic"), tmp_path / "second")

    assert JobFolder(tmp_path / "second").state() is JobState.failed


def test_a_model_for_other_channels_is_refused(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    first = train(config(make_dataset(nuclei), TINY), tmp_path / "first")
    colour = {name: (np.stack([raw, raw, raw]), labels) for name, (raw, labels) in nuclei.items()}
    dataset = make_dataset(colour, name="colour", raw_axes="CYX")

    with pytest.raises(ModelError, match=r"has 1 channel \(Channel 0\), the training has 3") as caught:
        train(config(dataset, TINY, f"init={first.path}"), tmp_path / "second")

    init = [f"init={first.path}", advised(str(caught.value))]
    assert train(config(dataset, TINY, *init), tmp_path / "third").job.state() is JobState.finished


def test_no_foreground_at_all_is_said(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    empty = {name: (raw, np.zeros_like(labels)) for name, (raw, labels) in nuclei.items()}

    with pytest.raises(DatasetError, match="any foreground outside of exclude regions"):
        train(config(make_dataset(empty), TINY), tmp_path / "run")

    run = Run.open(tmp_path / "run")
    assert run.job.state() is JobState.failed
    assert "foreground" in messages(run, "error")[0]
    assert "foreground" in run.log_file.read_text()


def test_without_validation_samples_some_training_ones_validate(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    run = train(config(make_dataset(nuclei, val=[]), TINY), tmp_path / "run")

    assert "1 of the training samples validate instead" in messages(run, "warning")[0]
    assert "val_dice" in run.metrics()


def test_a_single_sample_is_learnt_without_validation(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = make_dataset(nuclei, val=[])
    for sample in list(dataset.samples())[1:]:
        dataset.save(sample.edit(verdict=Verdict.rejected), "reject")

    run = train(config(dataset, TINY), tmp_path / "run")

    assert "no samples left to validate on" in messages(run, "warning")[0]
    assert "val_dice" not in run.metrics()
    Model.load(run.path).verify()


def test_images_smaller_than_the_stride_are_learnt(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    small = {name: (raw[40:47, 40:46], labels[40:47, 40:46]) for name, (raw, labels) in nuclei.items()}
    automatic = ["patch.batch_size=2", "patch.per_epoch=4", "stop.max_epochs=1"]

    with suppress(RunError):  # two steps may be too few to find anything
        train(config(make_dataset(small, label_kind="instances"), automatic), tmp_path / "run")

    run = Run.open(tmp_path / "run")
    assert any("larger than the images (7 × 6 at most)" in text for text in messages(run, "warning"))
    Model.load(run.path).verify()


def test_a_taken_folder_is_left_as_it_is(nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("keep")

    with pytest.raises(RunError, match="not empty"):
        train(config(make_dataset(nuclei), TINY), tmp_path / "run")

    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_no_folder_is_made_for_a_missing_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="nowhere"):
        train(TrainConfig(dataset=str(tmp_path / "nowhere")), tmp_path / "run")

    assert not (tmp_path / "run").exists()


def test_a_dataset_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No dataset is named"):
        train(TrainConfig(), tmp_path / "run")


def test_a_training_for_days_keeps_its_images_in_the_cache(
    nuclei: Pictures, make_dataset: MakeDataset, tmp_path: Path
) -> None:
    aged_in: list[int] = []

    def three_epochs_after_ageing(job: JobFolder) -> bool:
        epoch = epochs_done(job)
        if epoch and not aged_in:
            for entry in cache_folder().iterdir():
                os.utime(entry, (1, 1))
            aged_in.append(epoch)
        return bool(aged_in) and epoch >= aged_in[0] + 3

    with stopping_when(tmp_path / "run", three_epochs_after_ageing):
        train(config(make_dataset(nuclei), ENDLESS), tmp_path / "run")

    assert len(list(cache_folder().iterdir())) == len(nuclei)
    assert prune(cache_folder(), [], limit_bytes=0) == []
