"""What hinders a network's layers: other cores that compute too, and the pauses of a quota of CPU time."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from mpmm_kernels.runtime import set_threads, side_by_side

from mpmm.network import Array, Network
from mpmm.ranks.layer_timing import run_turn, seconds_of, turn_inputs

# rounds: at least so many, and more of them in so many seconds
_FEWEST, _MOST, _SECONDS = 4, 10, 0.8
# a quota lets a host compute for a tick of the kernel's clock, then stand still as its share asks for
_RUN, _PAUSE = 0.004, 0.008
# threads for company, on as many other cores: each has a network, and many would wait for Python's lock
_MOST_COMPANY = 3


class Hindrance(NamedTuple):
    """By how much a thread's layers are slower than alone on the machine.

    Attributes
    ----------
    crowding
        What they take while all cores compute layers, as a multiple of what they take alone.
    stop
        Core seconds that each pause of a quota costs: caches are cold afterwards, and an idle core is slow.
    """

    crowding: float
    stop: float


def hindrance(network: Network, samples: int, cores: int) -> Hindrance:
    """Run a network by one thread alone, beside others and with pauses, in turns; no parameter changes.

    Turns of a round follow each other, so that the processor is as fast in all. What counts are lower
    quartiles of turns alone and beside others, and of all rounds' pauses the middle one. The calling thread's
    own time is measured.

    Parameters
    ----------
    network
        All blocks; copies of it keep the other cores busy.
    samples
        To run with.
    cores
        Of the machine, this thread's own among them.
    """
    set_threads(1)
    inputs, others = turn_inputs(network, samples), min(cores - 1, _MOST_COMPANY) if side_by_side() else 0
    with _company(network, inputs, others) as busy:
        ratio, stop = compared(lambda clock: seconds_of(run_turn(network, inputs, 0, clock)), busy)
    crowding = 1.0 + (ratio - 1.0) * (cores - 1) / others if others else 1.0
    return Hindrance(crowding, stop)


def compared(turn: Callable[[Callable[[], float]], float], busy: threading.Event) -> tuple[float, float]:
    """Seconds of a turn beside others as a multiple of those alone, at least 1; and what a pause adds.

    Parameters
    ----------
    turn
        Runs a network, and gives the seconds that it took by the clock that it is given.
    busy
        Set while others are to compute beside it.
    """
    alone: list[float] = []
    beside: list[float] = []
    stops: list[float] = []
    turn(time.thread_time)
    began = time.monotonic()
    while len(stops) < _FEWEST or (len(stops) < _MOST and time.monotonic() - began < _SECONDS):
        alone.append(turn(time.thread_time))
        pausing = PausingClock()
        stops.append((turn(pausing) - alone[-1]) / max(1, pausing.pauses))
        busy.set()
        beside.append(turn(time.thread_time))
        busy.clear()
    fast, slow = (statistics.quantiles(seconds, n=4)[0] for seconds in (alone, beside))
    return max(1.0, slow / fast), max(0.0, statistics.median(stops))


class PausingClock:
    """The calling thread's time; asked for it after a tick of computing, it stands still as by a quota."""

    def __init__(self) -> None:
        self.pauses, self._since = 0, time.thread_time()

    def __call__(self) -> float:
        """Core seconds, before the pause if there is one."""
        now = time.thread_time()
        if now - self._since >= _RUN:
            time.sleep(_PAUSE)
            self.pauses, self._since = self.pauses + 1, now
        return now


@contextmanager
def _company(network: Network, inputs: dict[str, Array], threads: int) -> Iterator[threading.Event]:
    """Threads that run copies of the network in the block, whenever the event that it gets is set."""
    busy, ended, ready = threading.Event(), threading.Event(), threading.Barrier(threads + 1)

    def clock() -> float:
        """Every layer waits until there is to be company."""
        busy.wait()
        return 0.0

    def compute() -> None:
        """Turn by turn; the first fills the caches."""
        set_threads(1)
        own = Network(network.spec)
        run_turn(own, inputs, 0, time.thread_time)
        ready.wait()
        while not ended.is_set():
            run_turn(own, inputs, 0, clock)

    others = [threading.Thread(target=compute, daemon=True) for _ in range(threads)]
    for other in others:
        other.start()
    try:
        ready.wait()
        yield busy
    finally:
        ended.set()
        busy.set()
        for other in others:
            other.join()
