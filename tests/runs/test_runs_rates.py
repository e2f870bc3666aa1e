"""Learning rates of a run follow the step's number, so that a pause changes no bit of what comes out."""

import csv
import io
import itertools
import math

import pytest
from bugs.bug_scenes import plain
from rich.console import Console

from mpmm.errors import RunError
from mpmm.results import RunFolder
from mpmm.runs import TrainOptions, fit, go_on

COSINE = 'schedule = "cosine"\nwarm_up = 2\nfocus = 2.0\nlabel_smoothing = 0.1\nclip_norm = 0.5\n'


PLATEAU = 'schedule = "plateau"\nevery = 1\nfactor = 0.5\nrate = 0.1\n'


def drops(path) -> int:
    return RunFolder.open(path).read_checkpoint("last").state["counters"]["drops"]


def sha256(run) -> str:
    return run.summary_["parameters_sha256"]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = plain(tmp_path_factory.mktemp("rates"))
    path.write_text(path.read_text().replace("batch = 30\n", f"batch = 30\n{COSINE}"))
    return path


def test_a_run_that_goes_on_has_the_rates_of_one_that_was_never_interrupted(config, tmp_path):
    whole = fit(config, run=tmp_path / "whole", progress=False)
    fit(config, run=tmp_path / "paused", steps=3, progress=False)
    assert sha256(go_on(tmp_path / "paused", epochs=2).run) == sha256(whole)


@pytest.fixture(scope="module")
def waiting(config):
    """Six epochs; each without a lower validation loss than all before halves the next one's rate."""
    path = config.with_name("waiting.toml")
    text = config.read_text().replace(COSINE, PLATEAU)
    path.write_text(text.replace("epochs = 2", "epochs = 6"))
    return path


def logged_rates(run) -> list[float]:
    """The learning rate of each epoch, which the table of epochs has too."""
    with (run.folder / "metrics.csv").open() as table:
        rates = [float(row["rate"]) for row in csv.DictReader(table)]
    assert rates == [epoch["rate"] for epoch in run.history_]
    return rates


def test_a_run_that_goes_on_waits_for_the_loss_as_if_it_had_never_been_interrupted(waiting, tmp_path):
    whole = fit(waiting, run=tmp_path / "whole", progress=False)
    fit(waiting, run=tmp_path / "paused", steps=11, progress=False)
    assert 0 < drops(tmp_path / "paused") <= drops(tmp_path / "whole")
    screen = Console(file=io.StringIO(), width=200)
    resumed = go_on(tmp_path / "paused", TrainOptions(console=screen), epochs=6).run
    assert sha256(resumed) == sha256(whole)
    assert logged_rates(resumed) == logged_rates(whole)
    shown = shown_rates(screen.file.getvalue())
    changes = itertools.pairwise(logged_rates(whole))
    assert shown == [f"{rate:.3g}" if rate != before else "" for before, rate in changes][-len(shown) :]


def shown_rates(text: str) -> list[str]:
    """What the line of each epoch says of the learning rate."""
    lines = [line for line in text.splitlines() if line.startswith("epoch ")]
    return [line.partition("  rate ")[2].partition(" ")[0] for line in lines]


def test_a_drop_is_logged_with_the_epoch_that_has_it(waiting, tmp_path):
    run = fit(waiting, run=tmp_path / "run", progress=False)
    expected, lowest = [0.1], math.inf
    for epoch in run.history_[:-1]:
        expected.append(expected[-1] * (1.0 if epoch["validation_loss"] < lowest else 0.5))
        lowest = min(lowest, epoch["validation_loss"])
    assert logged_rates(run) == expected
    assert expected[-1] < 0.1


def test_a_rate_that_waits_for_a_validation_there_is_not_is_refused(config, tmp_path):
    path = config.with_name("unvalidated.toml")
    text = config.read_text().replace(COSINE, PLATEAU)
    path.write_text(text.replace("per_class = 30", "per_class = 30\nshares = [0.8, 0.0, 0.2]"))
    with pytest.raises(RunError, match="no patch is for validation"):
        fit(path, run=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("warm_up = 2", "warm_up = 1"),
        ("focus = 2.0", "focus = 0.0"),
        ("clip_norm = 0.5", ""),
        ('"cosine"', '"step"'),
    ],
)
def test_settings_reach_the_optimizer_and_the_loss(config, tmp_path, line, other):
    changed = config.with_name("changed.toml")
    changed.write_text(config.read_text().replace(line, other))
    runs = [fit(path, run=tmp_path / path.stem, steps=4, progress=False) for path in (config, changed)]
    assert sha256(runs[0]) != sha256(runs[1])
