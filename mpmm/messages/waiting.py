"""Waiting without burning a core: sleep most of what such a wait took last, then look, and sleep a little."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from functools import lru_cache

from mpmm.messages.alarm import Alarm
from mpmm.messages.errors import MessageError
from mpmm.messages.stop import Stop

# a look with its sleep costs some 35 us of a core; the kernel makes at least 80 us of any sleep
SHORTEST_PAUSE = 50e-6
USUAL_PAUSE = 0.5e-3
LONGEST_PAUSE = 50e-3
# of a rank that an alarm wakes
ALARM_PAUSE = 5e-3
# of the wait that is predicted, to be slept with few looks, each of which lets MPI move what is under way
PATIENCE = 0.875
LONGEST_SLEEP = 2e-3
REMEMBERED = 8
# what the kernel makes of any sleep, besides its length
_OVERSLEPT = 60e-6
# while bytes come a rank with an alarm looks so often: it rests, wakes, and takes what has come
WOKEN_PAUSE = 0.8e-3
# of longer waits each second is taken to be like one of these
_LONG = 5.0


def pause_after(waited: float) -> float:
    """Seconds to sleep after ``waited`` seconds of waiting: a sixteenth of them, from 50 us to 0.5 ms.

    From 0.05 s on it is a hundredth of them, up to 50 ms: what has taken long may come one percent later.
    """
    return max(SHORTEST_PAUSE, min(waited / 16, USUAL_PAUSE), min(waited / 100, LONGEST_PAUSE))


def looks_during(seconds: float, *, woken: bool = False, coming: float = 0.0) -> float:
    """How often a rank looks in a wait of so many seconds, where waits like it took as long before.

    Parameters
    ----------
    seconds
        Of the wait.
    woken
        Whether an alarm ends its pauses: whatever comes does so too, and so does the longest pause.
    coming
        Seconds of the wait in which bytes came over the link, of what is waited for or of something else.
    """
    if woken:
        flowing = min(coming, seconds)
        return 1 + (seconds - flowing) / ALARM_PAUSE + flowing / WOKEN_PAUSE
    return _looks(min(round(seconds, 4), _LONG)) * max(1.0, seconds / _LONG)


@lru_cache(4096)
def _looks(seconds: float) -> int:
    looks, waited = 0, 0.0
    while waited < seconds:
        waited += _sleep(waited, PATIENCE * seconds) + _OVERSLEPT
        looks += 1
    return looks


def _sleep(waited: float, predicted: float) -> float:
    """Seconds to sleep before the next look."""
    return max(pause_after(waited), min(predicted - waited, LONGEST_SLEEP))


class WaitPredictor:
    """How long waits for the same thing will take, by how long the last of them took.

    A step's waits come again in each step. What three of four of the last ones took at least is predicted, so
    that the first look comes too early rather than too late.
    """

    def __init__(self) -> None:
        self._last: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def predicted(self, waiting_for: str) -> float:
        """Seconds that such a wait takes at least; 0 for what has not been waited for yet."""
        last = sorted(self._last[waiting_for])
        return PATIENCE * last[len(last) // 4] if last else 0.0

    def learn(self, waiting_for: str, waited: float, *, late: bool) -> None:
        """A wait has ended; ``late`` if it was over at the first look, nobody knows since when."""
        self._last[waiting_for].append(waited / 2 if late else waited)


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
    alarm
        Ends a pause when something has come; None: whoever waits has to look.
    waits
        Whether somebody waits just now.
    """

    def __init__(self, stop: Stop | None = None, limit: float | None = None) -> None:
        self.stop = Stop() if stop is None else stop
        self.limit = limit
        self.seconds = 0.0
        self.alarm: Alarm | None = None
        self.waits = False
        self._predictor = WaitPredictor()

    def until(self, ready: Callable[[], bool], waiting_for: str, pause: float = 0.0) -> None:
        """Return as soon as ``ready()`` is true, or a little later.

        Parameters
        ----------
        ready
            Looked at again and again.
        waiting_for
            What for, in words; waits in the same words are expected to take equally long.
        pause
            Seconds from a look to the next at least, for what is in no hurry.

        Raises
        ------
        Stopped
            The process was asked to stop and the grace is over.
        MessageError
            The wait took longer than ``limit``.
        """
        if not ready():
            self._wait(ready, waiting_for, pause)
        elif self.alarm is None:
            self._predictor.learn(waiting_for, 0.0, late=False)

    def _wait(self, ready: Callable[[], bool], waiting_for: str, pause: float) -> None:
        start = time.perf_counter()
        # whom an alarm wakes, need not know how long
        predicted = 0.0 if self.alarm is not None else self._predictor.predicted(waiting_for)
        waited, looks, self.waits = 0.0, 0, True
        try:
            while True:
                self.stop.check(waiting_for)
                self._check_limit(waited, waiting_for)
                if self.alarm is None:
                    time.sleep(max(_sleep(waited, predicted), pause))
                else:
                    self.alarm.rest(ALARM_PAUSE, again=looks > 0)
                looks += 1
                waited = time.perf_counter() - start
                if ready():
                    break
        finally:
            self.waits = False
            self._over(waiting_for, time.perf_counter() - start)
        if self.alarm is None:
            self._predictor.learn(waiting_for, waited, late=looks == 1)

    def _over(self, waiting_for: str, seconds: float) -> None:
        """A wait is over, by what came or by an error."""
        self.seconds += seconds

    def _check_limit(self, waited: float, waiting_for: str) -> None:
        if self.limit is not None and waited > self.limit:
            raise MessageError(
                f"waited more than {self.limit:g} s for {waiting_for}",
                "see whether the other rank still works",
            )
