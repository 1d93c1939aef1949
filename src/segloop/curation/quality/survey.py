"""The quality of a dataset: all samples measured, and what to look at."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.artifacts.dataset.manifest import Verdict
from segloop.core.context import Context
from segloop.core.errors import SegloopError
from segloop.curation.quality.findings import Finding, find
from segloop.curation.quality.measures import SampleMeasures, all_sizes, measure_sample

FORMAT, VERSION = "segloop-dataset-quality", 1


@dataclass(frozen=True)
class Quality:
    """What was found out about a dataset.

    Attributes
    ----------
    name : str
        Of the dataset.
    measures : tuple of SampleMeasures
        Of the samples that are not rejected and can be read.
    findings : tuple of Finding
        What to look at, most serious first.
    problems : tuple of str
        A sentence for each sample that can't be read.
    """

    name: str
    measures: tuple[SampleMeasures, ...]
    findings: tuple[Finding, ...]
    problems: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """Return the same as plain values, for JSON."""
        sizes = all_sizes(self.measures)
        classes: Counter[int] = Counter()
        for each in self.measures:
            classes.update(each.class_pixels)
        n_valid = sum(each.n_valid for each in self.measures)
        return {
            "format": FORMAT,
            "version": VERSION,
            "dataset": self.name,
            "n_samples": len(self.measures),
            "splits": dict(Counter(each.split for each in self.measures)),
            "n_objects": int(sizes.size),
            "object_size_percentiles": (
                dict(zip(("5", "50", "95"), np.percentile(sizes, (5, 50, 95)).tolist(), strict=True))
                if sizes.size
                else None
            ),
            "class_shares": {str(name): count / n_valid for name, count in sorted(classes.items())},
            "samples": [_plain(each) for each in self.measures],
            "findings": [
                {"kind": each.kind.name, "sample": each.sample, "other": each.other, "text": each.sentence}
                for each in self.findings
            ],
            "problems": list(self.problems),
        }


def survey_dataset(dataset: CuratedDataset, context: Context | None = None) -> Quality:
    """Measure all samples of a dataset that are not rejected.

    Parameters
    ----------
    dataset : CuratedDataset
        What to measure.
    context : Context, optional
        Progress and cancel.

    Raises
    ------
    Cancelled
        If the context says so.
    """
    measures: list[SampleMeasures] = []
    problems: list[str] = []
    ids = dataset.sample_ids
    for sample_id in (context or Context()).track(ids, len(ids), "Measuring the samples"):
        try:
            sample = dataset.sample(sample_id)
            if sample.verdict is not Verdict.rejected:
                measures.append(measure_sample(dataset, sample))
        except SegloopError as error:
            problems.append(f"{sample_id}: {error}")
    return Quality(dataset.name, tuple(measures), tuple(find(measures)), tuple(problems))


def _plain(each: SampleMeasures) -> dict[str, Any]:
    return {
        "sample": each.id,
        "split": each.split,
        "verdict": each.verdict,
        "n_objects": each.n_objects,
        "median_object_size": float(np.median(each.sizes)) if each.sizes.size else None,
        "channels": [
            {"name": channel.name, "low": channel.low, "median": channel.median, "high": channel.high}
            for channel in each.channels
        ],
    }
