"""What is wrong with a curated dataset, and its statistics, ready to be shown."""

from __future__ import annotations

import os
from typing import Any

from segloop.artifacts.dataset.check import check_samples
from segloop.artifacts.dataset.curated_dataset import CuratedDataset
from segloop.core.context import Context


def check_dataset(
    path: str | os.PathLike[str], context: Context | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Check a curated dataset.

    Returns
    -------
    data : dict
        ``problems`` (list of {sample, problem}) and ``statistics`` as plain values.
    lines : list of str
        The same, to be read.

    Raises
    ------
    DatasetError
        If there is no such dataset.
    """
    from dataclasses import asdict

    report = check_samples(CuratedDataset.open(path), context or Context())
    statistics = asdict(report.statistics)
    problems = [{"sample": problem.sample_id, "problem": problem.sentence} for problem in report.problems]
    lines = [str(problem) for problem in report.problems] or ["No problems found."]
    lines += [f"{name.replace('_', ' ')}: {value}" for name, value in statistics.items()]
    return {"problems": problems, "statistics": statistics}, lines
