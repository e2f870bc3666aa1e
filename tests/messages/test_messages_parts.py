"""What messages are made of, without MPI: tags, traffic, pauses, stopping; importing them starts no MPI."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpmm.messages import (
    Amount,
    Flow,
    Kind,
    MessageError,
    Stop,
    Stopped,
    Traffic,
    Waiter,
    launched_ranks,
    looks_during,
    tag_of,
    waiting,
)
from mpmm.messages.envelope import Envelope
from mpmm.messages.kinds import ITEM_LIMIT, TAG_LIMIT, kind_and_item
from mpmm.messages.progress import ProgressThread
from mpmm.messages.transfer import SendRequest
from mpmm.messages.transport import Transport
from mpmm.messages.waiting import pause_after


def test_no_two_messages_share_a_tag_and_every_mpi_has_them_all() -> None:
    tags = {tag_of(kind, item): (kind, item) for kind in Kind for item in range(ITEM_LIMIT)}
    assert len(tags) == len(Kind) * ITEM_LIMIT
    assert max(tags) <= TAG_LIMIT
    assert all(kind_and_item(tag) == named for tag, named in tags.items())


@pytest.mark.parametrize("item", [-1, ITEM_LIMIT])
def test_an_item_without_a_tag_is_refused(item: int) -> None:
    with pytest.raises(MessageError, match=f"no MPI tag for item {item} of kind parameter push"):
        tag_of(Kind.PUSH, item)


def test_traffic_adds_up_by_direction_kind_and_peer() -> None:
    first, second = Traffic(), Traffic()
    first.count("sent", Kind.PUSH, 0, 100)
    first.count("sent", Kind.PUSH, 0, 20)
    first.count("received", Kind.PULL, 0, 7)
    second.count("sent", Kind.PUSH, 0, 3)
    second.count("sent", Kind.ACTIVATION, 3, 50)
    both = first + second
    assert dict(both) == {
        Flow("sent", Kind.PUSH, 0): Amount(3, 123),
        Flow("received", Kind.PULL, 0): Amount(1, 7),
        Flow("sent", Kind.ACTIVATION, 3): Amount(1, 50),
    }
    assert both.total("sent") == Amount(4, 173)
    assert both.total(peer=3) == Amount(1, 50)
    assert both == second + first != first
    assert first.total("sent") == Amount(2, 120), "adding changes neither"
    assert {
        "direction": "received",
        "kind": "parameter pull",
        "peer": 0,
        "messages": 1,
        "bytes": 7,
    } in both.rows()


@given(st.floats(0, 1000))
def test_pauses_are_short_at_first_and_never_a_large_part_of_the_wait(waited: float) -> None:
    pause = pause_after(waited)
    assert 50e-6 <= pause <= 50e-3
    assert pause <= max(50e-6, waited / 16)
    if waited < 0.05:
        assert pause <= 0.5e-3
    else:
        assert pause <= waited / 100


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_wait_that_comes_again_is_slept_through_but_never_for_long_after_its_end(monkeypatch) -> None:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    waiter = Waiter()

    def looks_and_delay(seconds: float, pause: float = 0.0) -> tuple[int, float]:
        looks, end = 0, clock.now + seconds

        def ready() -> bool:
            nonlocal looks
            looks += 1
            return clock.now >= end

        waiter.until(ready, "the next step", pause)
        return looks, clock.now - end

    first, _ = looks_and_delay(0.020)
    assert first > 50
    for duration in (0.021, 0.019, 0.020, 0.022, 0.018, 0.020):
        looks, delay = looks_and_delay(duration)
        assert looks < 23
        assert delay <= 0.5e-3
    # somebody has become faster: at most one sleep is too long
    delays = [looks_and_delay(0.001)[1] for _ in range(12)]
    assert max(delays) <= 2e-3
    assert max(delays[6:]) < 0.5e-3
    # within a long one MPI is called, and signals looked at, often
    looks, delay = looks_and_delay(10)
    assert looks < 1500
    assert delay <= 50e-3
    # who has nothing to do for minutes takes no core from those who have
    assert looks_and_delay(300)[0] < 8000
    # what is in no hurry
    looks, delay = looks_and_delay(0.1, pause=20e-3)
    assert looks <= 7
    assert delay <= 20e-3


def test_a_wait_returns_when_it_is_over_and_counts_its_time() -> None:
    waiter, end = Waiter(), time.perf_counter() + 0.1
    waiter.until(lambda: time.perf_counter() > end, "the clock")
    assert 0.08 < waiter.seconds < 2


def test_a_wait_ends_at_its_limit_or_some_time_after_a_request_to_stop() -> None:
    with pytest.raises(MessageError, match=r"more than 0\.02 s for godot"):
        Waiter(limit=0.02).until(lambda: False, "godot")
    stop = Stop(grace=0.02)
    stop.ask("SIGTERM")
    stop.ask("too late")
    with pytest.raises(Stopped, match="stopped by SIGTERM while waiting for godot"):
        Waiter(stop).until(lambda: False, "godot")


@pytest.mark.parametrize(
    ("name", "words"),
    [("SIGUSR1", "Ctrl-C or SIGUSR1"), ("SIGINT", "Ctrl-C or SIGINT"), ("SIGTERM", "SIGTERM")],
)
def test_who_pressed_ctrl_c_reads_so(name, words) -> None:
    """Under launch/mpmm-run Ctrl-C reaches ranks as SIGUSR1, of which the user had never heard."""
    stop = Stop(grace=-1)
    stop.ask(name)
    with pytest.raises(Stopped, match=f"stopped by {words} while"):
        stop.check("godot")


def test_the_first_signal_asks_and_the_second_acts_as_before() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGTERM)
    with stop.on_signals():
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert stop.reason == "SIGTERM"
        assert signal.getsignal(signal.SIGTERM) == before
    assert signal.getsignal(signal.SIGTERM) == before


class _Request:
    """What MPI gives for a send; false when it is complete."""

    def __init__(self, complete: bool) -> None:
        self._complete = complete

    def __bool__(self) -> bool:
        return not self._complete

    def Test(self) -> bool:
        return self._complete


def test_a_send_that_mpi_has_taken_over_is_not_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its buffer is free, though nobody settles it before the next step: the progress thread may rest."""
    mpi = SimpleNamespace(BYTE=0, Status=object, Exception=RuntimeError, ANY_SOURCE=-1)
    monkeypatch.setitem(sys.modules, "mpi4py", SimpleNamespace(MPI=mpi))
    communicator = SimpleNamespace(
        Improbe=None, Iprobe=lambda *_: False, Isend=lambda message, *_: _Request(len(message[0]) < 10)
    )
    transport = Transport(communicator, synchronous=False)  # type: ignore[arg-type]
    envelope = Envelope(Kind.SUMS, 0, 0, 1)
    short = SendRequest(transport, transport.send(np.zeros(3), envelope), "short")
    assert short.done()
    assert not transport.progress(), "nothing is under way"
    long = SendRequest(transport, transport.send(np.zeros(30), envelope), "long")
    assert not long.done()
    assert transport.progress(), "the long one is"


@pytest.mark.parametrize("length", [0.0, 0.7e-3, 9e-3, 0.3, 4.0])
def test_the_looks_of_a_wait_are_those_that_a_waiter_takes(
    length: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a clock that only sleeping moves: a wait that has taken as long before."""
    now, looks = [0.0], [0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds + 60e-6))
    waiter = Waiter()
    for _ in range(9):
        start, looks[0] = now[0], 0

        def over(start: float = start) -> bool:
            """Whether it is, counting the looks."""
            looks[0] += 1
            return now[0] - start >= length

        waiter.until(over, "it")
    assert looks_during(length) == pytest.approx(looks[0] - 1, abs=1)
    assert looks_during(2000.0) == 400 * looks_during(5.0), "each second alike"


def test_the_progress_thread_moves_as_long_as_there_is_something_and_never_after_its_end() -> None:
    left = [5]

    def move() -> bool:
        left[0] -= 1
        return left[0] > 0

    thread = ProgressThread(move)
    time.sleep(0.02)
    assert left == [5], "nothing is under way"
    thread.wake()
    Waiter(limit=5).until(lambda: left == [0], "the progress thread")
    time.sleep(0.02)
    assert left == [0], "nothing is left"
    thread.close()
    thread.wake()
    time.sleep(0.02)
    assert left == [0], "closed"


@pytest.mark.parametrize(
    ("variables", "ranks"),
    [({}, 1), ({"OMPI_COMM_WORLD_SIZE": "5"}, 5), ({"PMI_SIZE": "4"}, 4), ({"SLURM_STEP_NUM_TASKS": "3"}, 3)],
)
def test_the_number_of_ranks_is_known_without_mpi(
    variables: dict[str, str], ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched_ranks() == ranks


def test_importing_the_room_does_not_import_mpi4py() -> None:
    code = "import sys, mpmm.messages; sys.exit('mpi4py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
