"""The metrics log: lines survive, a resumed log continues where its checkpoint was."""

import csv

import pytest

from mpmm.errors import RunError
from mpmm.results.log import MetricsLog, read_log


def write(log: MetricsLog, steps, epoch=None):
    for step in steps:
        log.step({"step": step, "loss": 1 / (step + 1)})
    if epoch is not None:
        log.epoch({"epoch": epoch, "train_loss": 0.5, "validation_loss": None})


def test_lines_and_table(tmp_path):
    with MetricsLog(tmp_path) as log:
        write(log, range(3), epoch=0)
        write(log, range(3, 6), epoch=1)
        assert log.lines == 8
    assert [entry["kind"] for entry in read_log(tmp_path)] == ["step"] * 3 + ["epoch"] + ["step"] * 3 + [
        "epoch"
    ]
    with (tmp_path / "metrics.csv").open() as file:
        assert list(csv.DictReader(file)) == [
            {"epoch": "0", "train_loss": "0.5", "validation_loss": ""},
            {"epoch": "1", "train_loss": "0.5", "validation_loss": ""},
        ]


def test_resumed_log_equals_an_uninterrupted_one(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    with MetricsLog(whole) as log:
        write(log, range(4), epoch=0)
        write(log, range(4, 8), epoch=1)
    with MetricsLog(killed) as log:
        write(log, range(2))
        checkpointed = log.lines
        write(log, range(2, 4), epoch=0)
    with (killed / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "step", "st')  # killed in the middle of a line
    with MetricsLog(killed, keep=checkpointed) as log:
        write(log, range(2, 4), epoch=0)
        write(log, range(4, 8), epoch=1)
    assert (whole / "metrics.jsonl").read_text() == (killed / "metrics.jsonl").read_text()
    assert (whole / "metrics.csv").read_text() == (killed / "metrics.csv").read_text()


def test_the_table_has_what_only_later_epochs_measured(tmp_path):
    """A run of an older version logged no learning rate; the present one goes on with it."""
    with MetricsLog(tmp_path) as log:
        write(log, range(2), epoch=0)
    with MetricsLog(tmp_path, keep=3) as log:
        assert "rate" not in log.latest_epoch
        log.epoch({"epoch": 1, "rate": 0.01, "train_loss": 0.4})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == [
        "epoch,rate,train_loss,validation_loss",
        "0,,0.5,",
        "1,0.01,0.4,",
    ]


def test_steps_can_be_followed_while_the_run_goes_on(tmp_path):
    with MetricsLog(tmp_path) as log:
        log.step({"step": 1})
        assert [entry["step"] for entry in read_log(tmp_path)] == [1]


def test_epochs_reach_the_disk_while_the_run_goes_on(tmp_path):
    with MetricsLog(tmp_path) as log:
        write(log, range(2), epoch=0)
        assert len(read_log(tmp_path)) == 3
        assert "0.5" in (tmp_path / "metrics.csv").read_text()


def test_missing_and_damaged_logs_are_refused(tmp_path):
    with pytest.raises(RunError, match="no such log"):
        read_log(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"kind": "step"}\nnot json\n')
    with pytest.raises(RunError, match="line 2"):
        read_log(tmp_path)
    (tmp_path / "metrics.jsonl").write_text('{"kind": "step"}\n')
    with pytest.raises(RunError, match="1 lines, the checkpoint knows of 5"):
        MetricsLog(tmp_path, keep=5)
