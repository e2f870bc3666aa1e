"""What a core of this machine takes for updates and copies, while the others compute, and after a pause."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mpmm.network import Adam, Parameter

# times that parameters are updated and bytes are copied
_TURNS = 4
# parameters and bytes that no cache holds: a step comes back to its parameters after everything else
_UPDATED = 4_000_000
_COPIED = 64_000_000
# products of matrices of this order in a probe, probes and rounds by which crowding is found
_ORDER, _PRODUCTS, _PROBES, _ROUNDS = 160, 8, 9, 6
# what a stop costs: matrices that fill the second cache, and seconds and number of the pauses
_LARGE, _MATRICES, _PAUSE, _STOPS = 256, 4, 0.008, 24


def updates_a_second() -> float:
    """Parameters a second that one thread updates, none of them in a cache."""
    parameter = Parameter.trained("measured", np.zeros(_UPDATED, np.float32))
    return _UPDATED / _best(lambda: Adam().update(parameter, 1))


def bytes_a_second() -> float:
    """Bytes a second that one thread copies, none of them in a cache."""
    source, target = np.ones(_COPIED // 4, np.float32), np.zeros(_COPIED // 4, np.float32)
    return _COPIED / _best(lambda: np.copyto(target, source))


def crowding_of(cores: int) -> float:
    """What a product of matrices takes while all of so many cores compute, in times of what it takes alone.

    The fastest of rounds in turn, by this thread's time: what slows the processor for a while does not count.
    """
    busy, ended = threading.Event(), threading.Event()
    others = [threading.Thread(target=_multiply, args=(busy, ended), daemon=True) for _ in range(cores - 1)]
    alone, beside = [], []
    try:
        for other in others:
            other.start()
        for _ in range(_ROUNDS if others else 0):
            busy.clear()
            alone.append(_product_seconds())
            busy.set()
            beside.append(_product_seconds())
    finally:
        ended.set()
        busy.set()
        for other in others:
            other.join()
    return max(1.0, min(beside) / min(alone)) if others else 1.0


def _product_seconds() -> float:
    """Of some probes the middle one: the first may meet the other threads as they start or end."""
    matrices = [np.ones((_ORDER, _ORDER), np.float32)] * _PRODUCTS
    return statistics.median(_seconds_of(matrices) for _ in range(_PROBES))


def _multiply(busy: threading.Event, ended: threading.Event) -> None:
    matrix = np.ones((_ORDER, _ORDER), np.float32)
    while not ended.is_set():
        busy.wait()
        matrix @ matrix


def stop_seconds() -> float:
    """Core seconds that products of matrices take longer after a pause as long as a quota's than without one.

    Lower quartiles of turns with and without, by this thread's time: what slows the processor for a while
    does not count.
    """
    matrices = [np.ones((_LARGE, _LARGE), np.float32) for _ in range(_MATRICES)]
    after, without = [], []
    for _ in range(_STOPS):
        time.sleep(_PAUSE)
        after.append(_seconds_of(matrices))
        without.append(_seconds_of(matrices))
    fast, slow = (statistics.quantiles(seconds, n=4)[0] for seconds in (without, after))
    return max(0.0, slow - fast)


def _seconds_of(matrices: list[NDArray[np.float32]]) -> float:
    """This thread's time for the products of all with the first."""
    began = time.thread_time()
    for matrix in matrices:
        matrix @ matrices[0]
    return time.thread_time() - began


def _best(run: Callable[[], object]) -> float:
    """Seconds of the fastest of some turns; the first loads what is needed."""
    seconds = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
