"""`mpmm baselines`: on what a configuration draws, and on a run's own patches."""

import json

import pytest
from click.testing import CliRunner
from small_runs import small_config

from mpmm.commands import baselines, evaluate
from mpmm.errors import RunError
from mpmm.results.scores import Scores
from mpmm.runs import fit

NAMES = ["KNN (k=5)", "RBF-SVM", "random forest"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return small_config(tmp_path_factory.mktemp("scene"))


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return fit(config, run=tmp_path_factory.mktemp("runs") / "run", progress=False).folder


def told(*arguments):
    result = CliRunner().invoke(baselines.command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_configuration_alone_is_scored_and_nothing_written(config):
    before = sorted(config.parent.iterdir())
    result = told(config)
    assert result.exit_code == 0
    for name in NAMES:
        assert name in result.output
    assert sorted(config.parent.iterdir()) == before


def test_scores_of_a_run_are_written_and_shown_beside_its_own(run, config):
    assert told(config, "--run", run).exit_code == 0
    written = json.loads((run / "baselines.json").read_text())
    split = json.loads((run / "split.json").read_text())
    assert list(written) == [part for part in ("validation", "test") if split["counts"][part]]
    for part, rows in written.items():
        assert list(rows) == NAMES
        assert {Scores.from_dict(plain).samples for plain in rows.values()} == {split["counts"][part]}
    shown = CliRunner().invoke(evaluate.command, [str(run)]).output
    for name in NAMES:
        assert name in shown


def test_the_same_patches_with_and_without_a_run(run, config):
    shared = [line for line in told(config).output.splitlines() if any(name in line for name in NAMES)]
    again = told("--run", run).output
    for line in shared:
        assert "fitted" in line or line in again


def test_other_patches_than_the_runs_are_refused(run, config):
    other = config.with_name("other.toml")
    other.write_text(config.read_text().replace("[patches]", "[patches]\nseed = 77", 1))
    with pytest.raises(RunError, match="was trained with other"):
        told(other, "--run", run)


def test_neither_is_wrong_usage():
    assert told().exit_code == 2


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        told("--run", tmp_path)
