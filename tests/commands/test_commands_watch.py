"""`mpmm watch`: one look, a run that ends while it is watched, and what it refuses."""

import json
import threading

import pytest
from click.testing import CliRunner
from report_runs import STEPS, begun_run
from rich.console import Console

from mpmm.commands import watch
from mpmm.errors import RunError


def test_once_prints_one_frame(tmp_path, config):
    begun_run(tmp_path / "run", config, epochs=1)
    done = CliRunner().invoke(watch.command, [str(tmp_path / "run"), "--once"], catch_exceptions=False)
    assert done.output.count("epoch 1/2") == 1


def test_ends_when_the_run_ends(tmp_path, config, monkeypatch):
    run = tmp_path / "run"
    begun_run(run, config, epochs=1)
    monkeypatch.setattr(watch, "Console", lambda: Console(force_terminal=True, width=100))
    done = []
    watching = threading.Thread(
        target=lambda: done.append(CliRunner().invoke(watch.command, [str(run), "--every", "0.1"]))
    )
    watching.start()
    assert not done
    partial = run / "run.json.new"
    partial.write_text(json.dumps({"finished": True, "ended": "1 epoch", "steps": STEPS, "ranks": 5}))
    partial.rename(run / "run.json")
    watching.join(timeout=60)
    assert not watching.is_alive()
    assert done[0].exit_code == 0
    assert "finished" in done[0].output


def test_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        CliRunner().invoke(watch.command, [str(tmp_path / "none"), "--once"], catch_exceptions=False)
