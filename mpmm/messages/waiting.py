"""Waiting without burning a core: look, sleep a little, look again."""

from __future__ import annotations

import time
from collections.abc import Callable

from mpmm.messages.errors import MessageError
from mpmm.messages.stop import Stop

SHORTEST_PAUSE = 10e-6
USUAL_PAUSE = 1e-3
LONGEST_PAUSE = 5e-3


def pause_after(waited: float) -> float:
    """Seconds to sleep after ``waited`` seconds of waiting: an eighth of them, from 10 us to 1 ms.

    From 0.1 s on it is a hundredth of them, up to 5 ms: what has taken long may come one percent later.
    """
    return max(SHORTEST_PAUSE, min(waited / 8, USUAL_PAUSE), min(waited / 100, LONGEST_PAUSE))


class Waiter:
    """Waits for conditions, with pauses in between.

    MPI's own blocking calls look without a pause, which costs a whole core a waiting rank.

    Parameters
    ----------
    stop
        Looked at between pauses.
    limit
        Seconds after which a wait is an error; None waits for as long as it takes.

    Attributes
    ----------
    seconds
        Time spent waiting so far.
    """

    def __init__(self, stop: Stop | None = None, limit: float | None = None) -> None:
        self.stop = Stop() if stop is None else stop
        self.limit = limit
        self.seconds = 0.0

    def until(self, ready: Callable[[], bool], waiting_for: str) -> None:
        """Return as soon as ``ready()`` is true.

        Raises
        ------
        Stopped
            The process was asked to stop and the grace is over.
        MessageError
            The wait took longer than ``limit``.
        """
        if ready():
            return
        start = time.perf_counter()
        waited = 0.0
        try:
            while not ready():
                waited = time.perf_counter() - start
                self.stop.check(waiting_for)
                self._check_limit(waited, waiting_for)
                time.sleep(pause_after(waited))
        finally:
            self.seconds += time.perf_counter() - start

    def _check_limit(self, waited: float, waiting_for: str) -> None:
        if self.limit is not None and waited > self.limit:
            raise MessageError(
                f"waited more than {self.limit:g} s for {waiting_for}",
                "see whether the other rank still works",
            )
