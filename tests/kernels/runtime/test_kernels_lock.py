"""Waiting for another process's lock: told after a while, ended by its death, given up if it stands still."""

import logging
import os
import signal
import socket
import subprocess
import sys
from threading import Timer

import pytest
from mpmm_kernels.runtime import lock
from mpmm_kernels.runtime.lock import HeldElsewhere, Holder, at_once, in_turn, wait_together

# Holds the lock of its argument until its input ends.
HOLDER = """
import sys
from pathlib import Path
from mpmm_kernels.runtime.lock import in_turn

with in_turn(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "compiling.lock"


@pytest.fixture
def holder(path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.fixture
def hasty(monkeypatch):
    """Looks and words that take tenths of a second."""
    for name, seconds in {"_LOOK": 0.05, "_PATIENCE": 0.1, "_STILL": 0.5}.items():
        monkeypatch.setattr(lock, name, seconds)


def ends_when_told(monkeypatch, process, end):
    """Let the holder end as soon as somebody says that it waits; what was said."""
    said = []

    def warning(message, *args):
        said.append(message % args)
        end(process)

    monkeypatch.setattr(logging.getLogger(lock.__name__), "warning", warning)
    return said


@pytest.mark.parametrize(
    "end", [lambda process: process.stdin.close(), lambda process: process.kill()], ids=["done", "dies"]
)
def test_a_wait_is_told_and_ends_with_the_holder(monkeypatch, hasty, path, holder, end):
    said = ends_when_told(monkeypatch, holder, end)
    with in_turn(path) as ours:
        assert ours
    assert said == [f"waiting for {path}, held by process {holder.pid} on {socket.gethostname()}"]


@pytest.fixture
def among(monkeypatch):
    """This process, among others of its job."""
    monkeypatch.setattr(lock, "_together", [])
    return lambda *others, last=False: wait_together(
        [*others, os.getpid()] if last else [os.getpid(), *others]
    )


def test_ranks_that_wait_for_one_of_their_own_do_not_say_so(monkeypatch, hasty, path, holder, among):
    """Of five ranks that started cold four said that they waited for the fifth, which compiled."""
    said = ends_when_told(monkeypatch, holder, lambda process: None)
    among(holder.pid)
    Timer(0.4, holder.kill).start()
    with in_turn(path) as ours:
        assert ours
    assert said == []


@pytest.mark.parametrize("last", [False, True])
def test_of_ranks_that_wait_for_another_job_one_says_so(monkeypatch, hasty, path, holder, among, last):
    said = ends_when_told(monkeypatch, holder, lambda process: None)
    among(1, last=last)
    Timer(0.4, holder.kill).start()
    with in_turn(path) as ours:
        assert ours
    assert len(said) == (0 if last else 1)


def test_a_holder_that_stands_still_is_not_waited_for(monkeypatch, hasty, path, holder):
    """A run that was suspended with Ctrl-Z kept every later one of the machine from starting."""
    said = ends_when_told(monkeypatch, holder, lambda process: None)
    holder.send_signal(signal.SIGSTOP)
    with in_turn(path) as ours:
        assert not ours
    assert said[-1] == f"going on without {path}: {Holder.of(path.with_suffix('.holder'))} stands still"


def test_of_another_machines_processes_nobody_says_that_they_stand_still(holder):
    holder.send_signal(signal.SIGSTOP)
    assert not Holder("elsewhere", holder.pid).stands_still()


def test_a_free_lock_is_taken_without_a_word(caplog, path):
    with in_turn(path) as ours, in_turn(path) as inner:
        assert ours
        assert inner
        assert Holder.of(path.with_suffix(".holder")) == Holder.this()
    assert caplog.records == []
    assert Holder.of(path.with_suffix(".holder")) is None


def test_who_must_not_wait_is_refused_with_the_holders_name(path, holder):
    told = rf"another process \(process {holder.pid} on {socket.gethostname()}\)"
    with pytest.raises(HeldElsewhere, match=told), at_once(path):
        pytest.fail("the lock is held")
    holder.kill()
    holder.wait()
    with at_once(path):
        assert Holder.of(path.with_suffix(".holder")) == Holder.this()
    assert Holder.of(path.with_suffix(".holder")) is None
