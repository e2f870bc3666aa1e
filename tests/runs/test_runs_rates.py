"""Learning rates of a run follow the step's number, so that a pause changes no bit of what comes out."""

import pytest
from bugs.bug_scenes import plain

from mpmm.runs import fit, go_on

COSINE = 'schedule = "cosine"\nwarm_up = 2\nfocus = 2.0\nlabel_smoothing = 0.1\nclip_norm = 0.5\n'


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
