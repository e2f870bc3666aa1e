"""Learning rates of a run follow the step's number, so that a pause changes no bit of what comes out."""

import pytest
from bugs.bug_scenes import plain

from mpmm.errors import RunError
from mpmm.results import RunFolder
from mpmm.runs import fit, go_on

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


def test_a_run_that_goes_on_waits_for_the_loss_as_if_it_had_never_been_interrupted(config, tmp_path):
    path = config.with_name("waiting.toml")
    text = config.read_text().replace(COSINE, PLATEAU)
    path.write_text(text.replace("epochs = 2", "epochs = 6"))
    whole = fit(path, run=tmp_path / "whole", progress=False)
    fit(path, run=tmp_path / "paused", steps=11, progress=False)
    assert 0 < drops(tmp_path / "paused") <= drops(tmp_path / "whole")
    assert sha256(go_on(tmp_path / "paused", epochs=6).run) == sha256(whole)


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
