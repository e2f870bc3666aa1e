"""Comparisons over runs that are written, not trained, or trained without a process of their own.

from comparison_runs import Written, a_study, done_here
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from report_runs import ended_run, scores_of

from mpmm.comparison import Study
from mpmm.comparison.launching import launch
from mpmm.preparation import restore
from mpmm.results import RunFolder, write_json
from mpmm.runs import job
from mpmm.settings import config_from_json, load_config


class Written:
    """Does jobs by writing what they would leave: runs with known figures, scores with known errors."""

    def __init__(self) -> None:
        self.jobs: list[str] = []

    def __call__(self, file: Path, ranks: int) -> None:
        job = json.loads(file.read_text())
        self.jobs.append(file.stem)
        run = Path(job["run"])
        if job["kind"] == "train":
            ended_run(run, config_from_json(json.dumps(job["config"]), "job"), ranks)
            return
        prepared = restore(RunFolder(run))
        wrong = {"validation": 4, "test": 8}[job["part"]]
        scores = scores_of(prepared, job["part"], wrong).to_dict()
        write_json(Path(job["result"]), {"scores": scores, "seconds": 2.5, "ranks": ranks})


def done_here(file: Path, ranks: int, launcher: Sequence[str] = ()) -> None:
    """In place of `launch`: a job over ranks is started as ever, a job of one process is done in this one.

    To start Python and import all that a training needs takes longer than these small jobs do.
    """
    if ranks > 1:
        launch(file, ranks, launcher)
        return
    with pytest.raises(SystemExit) as ended:
        job.main(file)
    assert ended.value.code == 0


def a_study(folder: Path, config: Path, quick: bool = True) -> Study:
    return Study(folder, load_config(config), quick, lambda label, text: None)
