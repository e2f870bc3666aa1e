"""However a command of a virtual cluster ends, nothing stays behind that `down` does not know of."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from virtual_cluster.command_line import main
from virtual_clusters import BIN, PROGRAMS, VirtualCluster

pytestmark = pytest.mark.mpi

ENDLESS = [sys.executable, PROGRAMS / "endless.py"]


def interrupt(process: subprocess.Popen[str], most: int) -> str:
    """Press Ctrl-C until the process ends, at most so often; what it said on standard error."""
    for _ in range(most):
        process.send_signal(signal.SIGINT)
        try:
            return process.communicate(timeout=30)[1]
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    # its ranks may live on and hold its pipes
    raise AssertionError(f"still running after Ctrl-C, {most} times")


def start_ranks(cluster: VirtualCluster, *arguments: object) -> subprocess.Popen[str]:
    """A command on three ranks that runs by now."""
    job = cluster.start("run", *arguments)
    assert job.stdout is not None
    began = [job.stdout.readline() for _ in range(3)]
    if began != ["began\n"] * 3:
        job.terminate()
        raise AssertionError("the ranks did not begin: " + "".join([*began, *job.communicate(timeout=60)]))
    return job


def stand_in(folder: Path, tool: str, text: str) -> str:
    """A PATH on which a program of this text comes before the real ``tool``."""
    folder.mkdir()
    (folder / tool).write_text(f'#!/bin/bash\n{text}\nPATH=${{PATH#*:}}\nexec {tool} "$@"\n')
    (folder / tool).chmod(0o755)
    return f"{folder}:"


@pytest.fixture
def broken_tc(tmp_path, monkeypatch):
    """Lets tc do something else on the last host, in the midst of `up`."""

    def break_tc(text: str) -> None:
        path = stand_in(tmp_path / "bin", "tc", f'case "$*" in *-node1*) {text} ;; esac')
        monkeypatch.setenv("PATH", path + os.environ["PATH"])

    return break_tc


@pytest.fixture
def failing_starts(tmp_path, monkeypatch):
    """Lets mpirun's first starts end as Open MPI's do whose daemons fail."""

    def fail(starts: int) -> None:
        program = tmp_path / "bin" / "mpirun"
        program.parent.mkdir()
        complaint = f"echo {'-' * 60}; echo A daemon failed to report back after being spawned.; exit 1"
        often = f'[ "$(wc -l <"$0.starts")" -gt {starts} ]'
        program.write_text(
            f'#!/bin/bash\necho >>"$0.starts"\n{often} || {{ {complaint}; }}\nexec {BIN}/mpirun "$@"\n'
        )
        program.chmod(0o755)
        monkeypatch.setattr("virtual_clusters.BIN", program.parent)

    return fail


def test_daemons_that_do_not_start_are_started_again(cluster, failing_starts):
    failing_starts(2)
    cluster.succeed("up", 2)
    ended = cluster.call("run", "bash", "-c", "echo began")
    assert (ended.returncode, ended.stdout) == (0, "began\n" * 2)
    assert ended.stderr.count("starting again") == 2


def test_daemons_that_never_start_are_told_of_in_open_mpis_words(cluster, failing_starts):
    failing_starts(9)
    cluster.succeed("up", 2)
    ended = cluster.call("run", "bash", "-c", "echo began")
    assert (ended.returncode, ended.stdout.count("A daemon failed to report back")) == (1, 1)
    assert ended.stderr.count("starting again") == 2


def test_daemons_start_ranks_from_no_threads_that_miss_a_quick_end(cluster):
    """A rank's parent is its host's daemon, which has a thread of its own and those of its messages."""
    cluster.succeed("up", 2)
    counts = cluster.succeed("run", "bash", "-c", "ls /proc/$PPID/task | wc -l")
    threads = [int(line) for line in counts.splitlines()]
    assert len(threads) == 2
    assert max(threads) <= 3


@pytest.fixture
def endless_mpirun(tmp_path, monkeypatch):
    """A mpirun that sleeps on when its ranks have ended, as Open MPI's does that misses one's end."""
    program = tmp_path / "bin" / "mpirun"
    program.parent.mkdir()
    # asleep under mpirun's own name, and waited for by a script of that name, which says nothing of its end
    program.write_text('#!/bin/bash\nshift 2\n"$@"\nexec 2>/dev/null\n(exec -a prterun sleep 60)\ntrue\n')
    program.chmod(0o755)
    monkeypatch.setenv("MPMM_BIN", str(program.parent))
    monkeypatch.setattr("virtual_cluster.job.STILL", 1.0)


def test_a_mpirun_that_outlives_its_ranks_is_ended_and_told_of(cluster, endless_mpirun, capfd):
    cluster.succeed("up", 2)
    began = time.monotonic()
    # ranks that sleep for longer than the launcher may
    code = main(["--name", cluster.name, "run", "bash", "-c", "echo began; sleep 3; echo done"])
    assert time.monotonic() - began > 4
    told = capfd.readouterr()
    assert (code, told.out) == (1, "began\ndone\n")
    assert re.match(
        r"error: the command did not end: for 1 s no rank lived, .*prterun \d+ on node0", told.err
    )
    assert "starting again" not in told.err
    assert [host["processes"] for host in cluster.hosts()] == [0, 0]


def test_ctrl_c_ends_the_ranks_and_takes_the_cluster_down(cluster):
    cluster.succeed("up", 3, "--cpu", "50%")
    job = start_ranks(cluster, "bash", "-c", "echo began; exec sleep 1000")
    assert len(cluster.processes()) > 3
    assert "the virtual cluster is down" in interrupt(job, 1)
    assert cluster.remains() == []


def test_ranks_deaf_to_signals_are_killed_in_the_end(cluster):
    cluster.succeed("up", 3)
    interrupt(start_ranks(cluster, *ENDLESS), 5)
    assert cluster.remains() == []


def test_ctrl_c_leaves_the_cluster_up_where_it_is_to_be_kept(cluster):
    cluster.succeed("up", 3)
    interrupt(start_ranks(cluster, "--keep", "bash", "-c", "echo began; exec sleep 1000"), 1)
    assert [host["processes"] for host in cluster.hosts()] == [0, 0, 0]
    assert cluster.processes() == []


def test_ranks_of_a_killed_run_are_gone_before_the_next(cluster):
    cluster.succeed("up", 3)
    folders = daemons_folders()
    job = start_ranks(cluster, *ENDLESS)
    refused = cluster.call("run", "true")
    assert (refused.returncode, "another command runs" in refused.stderr) == (1, True)
    job.kill()
    job.wait()
    assert cluster.succeed("run", "-np", 1, "bash", "-c", "echo next") == "next\n"
    # the ranks had lived on and held these pipes
    job.communicate(timeout=10)
    assert [host["processes"] for host in cluster.hosts()] == [0, 0, 0]
    # a daemon that gets the process id of a killed one would not start
    assert daemons_folders() == folders


def daemons_folders() -> set[Path]:
    """What Open MPI's daemons of all programs have in the common folder."""
    return set(Path(tempfile.gettempdir()).glob("prted.*"))


def test_down_ends_a_run(cluster):
    cluster.succeed("up", 3)
    job = start_ranks(cluster, *ENDLESS)
    cluster.succeed("down")
    job.communicate(timeout=30)
    assert job.returncode != 0
    assert cluster.remains() == []


def test_a_failure_while_hosts_are_made_leaves_nothing(cluster, broken_tc):
    broken_tc("echo no such thing >&2; exit 2")
    ended = cluster.call("up", 2, "--rate", "1gbit", "--cpu", "50%")
    assert ended.returncode == 1
    assert "queueing discipline tbf" in ended.stderr
    assert "no such thing" in ended.stderr
    assert cluster.remains() == []


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP"])
def test_a_signal_while_hosts_are_made_leaves_nothing(cluster, broken_tc, name):
    broken_tc(f"kill -{name} $PPID")
    ended = cluster.call("up", 2, "--rate", "1gbit", "--cpu", "50%")
    assert (ended.returncode, "interrupted" in ended.stderr) == (130, True)
    assert cluster.remains() == []


def test_down_removes_what_a_killed_up_left(cluster, broken_tc, monkeypatch):
    with monkeypatch.context():
        broken_tc("kill -KILL $PPID; exit")
        cluster.call("up", 2, "--rate", "1gbit", "--cpu", "50%")
    assert cluster.remains() != []
    assert "half made" in cluster.succeed("status")
    for command in (["run", "true"], ["up", 2]):
        refused = cluster.call(*command)
        assert (refused.returncode, "half made" in refused.stderr) == (1, True)
    cluster.succeed("down")
    assert cluster.remains() == []


def test_what_is_not_ours_is_neither_used_nor_removed(cluster):
    namespace = f"{cluster.name}-node1"
    subprocess.run(["ip", "netns", "add", namespace], check=True)
    try:
        ended = cluster.call("up", 2, "--cpu", "50%")
        assert ended.returncode == 1
        assert f"ip netns delete {namespace}" in ended.stderr
        assert Path("/run/netns", namespace).exists()
        assert cluster.remains() == [f"/run/netns/{namespace}"]
    finally:
        subprocess.run(["ip", "netns", "delete", namespace], check=True)


def test_up_twice_and_down_twice_are_refused_in_words(cluster):
    cluster.succeed("up", 2)
    again = cluster.call("up", 3)
    assert (again.returncode, "of 2 hosts is up already" in again.stderr) == (1, True)
    assert len(cluster.hosts()) == 2
    cluster.succeed("down")
    for command in (["down"], ["status"], ["run", "true"]):
        ended = cluster.call(*command)
        assert (ended.returncode, f"no virtual cluster {cluster.name} is up" in ended.stderr) == (1, True)
