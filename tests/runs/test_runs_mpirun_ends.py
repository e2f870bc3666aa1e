"""How runs over several ranks end before their time: one message, at once, and a state to go on from."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager

import pytest
from mpi_runner import ROOT, kill_session, run_ranks, session_of, soon, start_ranks

from mpmm.results.checkpoint import read_checkpoint
from mpmm.results.log import read_log
from mpmm.runs import Run, fit, go_on

pytestmark = pytest.mark.mpi

# kernels may have to be compiled first
LIMIT = 240
ENDLESS = ("--layout", "baseline", "--epochs", "400")
GATHERING = str(ROOT / "tests" / "ranks" / "programs" / "train_gathering.py")
FAILING = str(ROOT / "tests" / "ranks" / "programs" / "train_failing.py")


@pytest.mark.parametrize(
    ("ranks", "way", "rank", "message", "code"),
    [
        (4, "bug", 2, "ZeroDivisionError: a bug of ours", 1),
        (5, "bug", 4, "ZeroDivisionError: a bug of ours", 1),
        (4, "SIGKILL", 0, "", None),
        (4, "SIGKILL", 3, "", None),
        (4, "SIGTERM", 2, "error: rank 2: stopped by SIGTERM", 1),
    ],
)
def test_a_rank_that_fails_ends_all_at_once_and_is_heard_once(
    config, tmp_path, ranks, way, rank, message, code
):
    path = tmp_path / "run"
    train = ["train", str(config), "--run", str(path), "--layout", "baseline", "--epochs", "400"]
    ended = run_ranks(ranks, [FAILING, way, str(rank), *train], LIMIT)
    began = next(float(line.split()[1]) for line in ended.out.splitlines() if line.startswith("failing"))
    assert time.time() - began < soon(2), ended
    assert ended.code != 0
    assert ended.code == code or code is None
    assert ended.err.count("Traceback") == (way == "bug"), ended.err
    assert ended.err.count(message) == 1 or not message
    # whoever died, the last complete step is kept
    assert read_checkpoint(path / "checkpoints" / "last.safetensors").state["counters"]["step"] >= 0


@contextmanager
def running(ranks: int, command: list[str]):
    """Ranks under mpirun, and all that they have printed so far."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        mpirun = start_ranks(ranks, command, out.fileno(), err.fileno())
        try:
            yield mpirun, lambda: _text(out) + _text(err)
        finally:
            kill_session(mpirun)


def _text(file) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def wait_for(text: str, printed, mpirun: subprocess.Popen) -> None:
    end = time.monotonic() + LIMIT
    while text not in printed():
        assert mpirun.poll() is None, printed()
        assert time.monotonic() < end, printed()
        time.sleep(0.1)


def wait_until(true, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("ranks", [4, 5])
def test_asked_to_end_without_haste_all_ranks_finish_the_step(config, tmp_path, ranks):
    """What `launch/mpmm-run` sends on Ctrl-C, and mpirun passes on to every rank."""
    path = tmp_path / "run"
    command = [sys.executable, "-m", "mpmm", "train", str(config), "--run", str(path), *ENDLESS]
    with running(ranks, command) as (mpirun, printed):
        wait_for("epoch 2/", printed, mpirun)
        mpirun.send_signal(signal.SIGUSR1)
        assert mpirun.wait(LIMIT) == 130, printed()
        assert "interrupted by Ctrl-C or SIGUSR1" in printed()
        assert f"mpmm train --resume {path}" in printed()
    run = Run.open(path)
    assert run.summary_["finished"] is False
    assert (
        run.summary_["steps"]
        == read_checkpoint(path / "checkpoints" / "last.safetensors").state["counters"]["step"]
    )
    assert len(run.summary_["per_rank"]) == ranks


@pytest.mark.parametrize(
    ("ranks", "number", "update", "program"),
    [
        (5, signal.SIGINT, "server", ["-m", "mpmm"]),
        (4, signal.SIGTERM, "server", ["-m", "mpmm"]),
        (5, signal.SIGTERM, "owner", [GATHERING]),
        (4, signal.SIGINT, "owner", [GATHERING]),
        (4, signal.SIGTERM, "owner", ["-m", "mpmm"]),
    ],
)
def test_a_signal_to_mpirun_leaves_the_last_complete_step(config, tmp_path, ranks, number, update, program):
    """Open MPI's mpirun gives its ranks half a second from the signal to their death.

    Where owners update, what is left is the last state that was gathered from them: at an epoch's end here,
    or after every other step.
    """
    path = tmp_path / "run"
    command = [sys.executable, *program, "train", str(config), "--run", str(path), *ENDLESS]
    command += ["--update", update]
    with running(ranks, command) as (mpirun, printed):
        wait_for("epoch 2/", printed, mpirun)
        began = time.monotonic()
        mpirun.send_signal(number)
        mpirun.wait(LIMIT)
        assert time.monotonic() - began < soon(3)
        assert "Traceback" not in printed()
        text = printed()
        # killed ranks let go of the run folder's lock a moment after mpirun has ended
        wait_until(lambda: not session_of(mpirun.pid), 10)
    state = read_checkpoint(path / "checkpoints" / "last.safetensors").state
    step = state["counters"]["step"]
    assert step >= 20
    assert update == "server" or step % 10 == 0 or program == [GATHERING]
    assert "the state after step" not in text or f"the state after step {step} is kept" in text
    # the log has the lines that the checkpoint counts
    assert len(read_log(path)) >= state["log_lines"] == step + state["counters"]["epoch"]
    goal = step + 3
    run = go_on(path, steps=goal, layout="single").run
    whole = fit(config, run=tmp_path / "whole", epochs=400, steps=goal, progress=False)
    assert run.summary_["parameters_sha256"] == whole.summary_["parameters_sha256"]
    assert [one["loss"] for one in read_log(path)[:20] if one["kind"] == "step"] == pytest.approx(
        [one["loss"] for one in read_log(whole.folder)[:20] if one["kind"] == "step"], rel=1e-12
    )
    assert isinstance(Run.open(path).summary_["finished"], bool)
