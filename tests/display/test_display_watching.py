"""A run as a frame of a terminal: one that goes on, one that has ended, a bare folder."""

import io
import json

import pytest
from report_runs import BEGAN, begun_run, whole_run
from rich.console import Console

from mpmm.display import run_frame
from mpmm.display.watching import sparkline
from mpmm.records import progress_of, read_progress


def shown(path, now=BEGAN + 32, width=110) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(run_frame(read_progress(path), now))
    return console.file.getvalue()


@pytest.fixture(scope="module")
def begun(tmp_path_factory, config):
    path = tmp_path_factory.mktemp("begun") / "run"
    begun_run(path, config, epochs=1)
    return path


@pytest.mark.parametrize("width", [80, 110])
def test_a_run_that_goes_on(begun, width):
    """In a terminal of 80 columns the ranks' numbers were missing and their memory was cut off."""
    text = shown(begun, width=width)
    assert "going on or killed, last sign of life 2 s ago" in " ".join(text.split())
    assert "epoch 1/2" in text
    assert "step 10/20" in text
    assert "accuracy 50.0%" in text
    assert "validation 30.0% (best 30.0%)" in text
    assert "rate" not in text
    line = next(line for line in text.splitlines() if line.strip().startswith("3 "))
    assert "0.30 cores" in line
    assert "70%" in line
    assert "6 kB/s" in line
    assert "3 kB/s" in line
    assert "200 MB" in line


def test_a_finished_run(tmp_path, config):
    text = shown(whole_run(tmp_path / "run", config))
    assert "finished (3 epochs)" in text
    assert "rate 0.00125" in text
    assert "ranks, over the whole run" in text
    assert "loss by epoch" in text


def test_a_run_that_has_nothing_yet(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    text = shown(tmp_path)
    assert "not begun" in text
    assert "no step yet" in text


def test_time_left_is_that_of_the_latest_steps(begun):
    record = read_progress(begun)
    lines = [json.loads(line) for line in (begun / "metrics.jsonl").read_text().splitlines()]
    timed = [{**line, "seconds": 0.25} for line in lines if line["kind"] == "step"]
    progress = progress_of(type(record)(record.path, record.settings, steps=timed, split=record.split))
    assert progress.step_seconds == 0.25
    assert progress.seconds_left == 10 * 0.25


@pytest.mark.parametrize(("values", "text"), [([1], ""), ([1, 1], "▁▁"), ([3, 1, 2], "█▁▅"), ([], "")])
def test_sparkline(values, text):
    assert sparkline(values) == text
