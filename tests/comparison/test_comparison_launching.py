"""Jobs in processes of their own: a small training over ranks, one that fails, and one that goes on."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from comparison_runs import done_here

from mpmm.comparison import Study
from mpmm.comparison.launching import launch
from mpmm.errors import RunError
from mpmm.settings import load_config


def small(folder, config, **training: object) -> tuple[Study, list[str]]:
    settings = load_config(config)
    settings = replace(settings, training=replace(settings.training, **training))
    said: list[str] = []
    return Study(folder, settings, True, lambda label, text: said.append(label)), said


@pytest.mark.mpi
def test_trains_over_ranks_scores_and_uses_both_again(tmp_path, config):
    study, said = small(tmp_path, config, epochs=1)
    layout = replace(study.config.layout, name="sharded")
    record = study.trained("ranks", replace(study.config, layout=layout), ranks=2)
    assert (record.status, record.ranks, len(record.epochs)) == ("finished", 2, 1)
    assert len(record.samples) == 2
    timed = study.evaluated("ranks", "validation", patches=20)
    assert timed.scores.samples == 20
    assert timed.seconds > 0
    assert said == ["training", "scoring"]
    study.trained("ranks", replace(study.config, layout=layout), ranks=2)
    assert study.evaluated("ranks", "validation", patches=20) == timed
    assert said == ["training", "scoring"]


def test_a_run_that_was_cut_off_is_taken_up_from_its_checkpoint(tmp_path, config, monkeypatch):
    monkeypatch.setattr("mpmm.comparison.study.launch", done_here)
    study, _ = small(tmp_path, config, epochs=2)
    study.trained("cut", study.config, steps=3)
    summary = tmp_path / "runs" / "cut" / "run.json"
    plain = json.loads(summary.read_text())
    summary.write_text(json.dumps({**plain, "finished": False}))
    record = study.trained("cut", study.config)
    assert (record.status, len(record.steps)) == ("finished", 3)


def test_a_job_that_fails_is_told_with_its_reason(tmp_path, config):
    study, _ = small(tmp_path, config)
    patches = replace(study.config.patches, size=3)
    with pytest.raises(RunError, match=r"error: .* \| hint: "):
        study.trained("small", replace(study.config, patches=patches))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "step 3\nerror: the disk is full\nhint: make room\n---\na rank called\nabort\nby prterun",
            "the disk",
        ),
        ("", "it said nothing"),
    ],
)
def test_what_mpirun_says_of_an_abort_does_not_hide_the_reason(tmp_path, said, reason):
    """Of a job over ranks the last four lines were told: that some rank had called abort, and never why."""
    mpirun = tmp_path / "mpirun"
    mpirun.write_text(f"#!/bin/sh\nprintf '{said}'\nexit 3\n")
    mpirun.chmod(0o755)
    with pytest.raises(RunError, match=f"job on 5 rank.s. ended with 3: .*{reason}"):
        launch(tmp_path / "job.json", 5, [str(mpirun)])
