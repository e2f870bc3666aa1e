"""What other cores and pauses cost is found by comparing turns that follow each other."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from mpmm.network import BlockSpec, Network, NetworkSpec, StreamSpec
from mpmm.ranks import hindrance as module
from mpmm.ranks.hindrance import PausingClock, compared, hindrance

BLOCK = BlockSpec(2, (1, 2, 2), pool="none")
SPEC = NetworkSpec((StreamSpec("hsi", 3, 3, (BLOCK,)),), (), 2, kernels="reference")


def test_seconds_in_which_the_processor_is_slow_mislead_nobody() -> None:
    """A turn takes 8 alone, 10 beside others, 11 with two pauses; each third round the processor is slow."""
    busy, taken = threading.Event(), []

    def turn(clock: Callable[[], float]) -> float:
        """Made-up seconds."""
        slow = 3.0 if (len(taken) + 2) // 3 % 3 == 0 else 1.0
        taken.append(clock)
        if isinstance(clock, PausingClock):
            clock.pauses = 2
            return slow * 11.0
        return slow * (10.0 if busy.is_set() else 8.0)

    assert compared(turn, busy) == (1.25, 1.5)
    assert not busy.is_set()


def test_a_turn_that_is_faster_beside_others_is_chance() -> None:
    busy = threading.Event()
    assert compared(lambda clock: 7.0 if busy.is_set() else 8.0, busy) == (1.0, 0.0)


def test_the_slowdown_of_few_others_is_that_of_all_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "compared", lambda turn, busy: (1.25, 0.0))
    monkeypatch.setattr(module, "_MOST_COMPANY", 2)
    assert hindrance(Network(SPEC), 2, 9).crowding == 2.0
    assert hindrance(Network(SPEC), 2, 1).crowding == 1.0, "one core has no others"


def test_a_network_is_run_beside_copies_of_it() -> None:
    found = hindrance(Network(SPEC), 2, 2)
    assert 1.0 <= found.crowding < 20
    assert 0.0 <= found.stop < 1


def test_a_clock_that_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands still each time that the thread has computed for 4 ms, as by a quota."""
    times, slept = iter([0.0, 0.003, 0.004, 0.006, 0.009]), []
    monkeypatch.setattr(module.time, "thread_time", lambda: next(times))
    monkeypatch.setattr(module.time, "sleep", slept.append)
    clock = PausingClock()
    assert [clock() for _ in range(4)] == [0.003, 0.004, 0.006, 0.009]
    assert slept == [0.008, 0.008]
    assert clock.pauses == 2
