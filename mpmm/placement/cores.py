"""The cores of a simulated host: all runnable threads share them equally, within the host's quota."""

from __future__ import annotations

import heapq
import math

from mpmm.placement.machine import Host

# seconds; less than this is rounding
_NOTHING = 1e-10


class Cores:
    """Tasks that share a host's cores: of n threads on c cores each goes on at a speed of c / n, at most 1.

    A host with a quota uses up core seconds as it computes; at zero it stands still until it is given more.

    Parameters
    ----------
    host
        Its cores and quota.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._now = 0.0
        # seconds of work that each task would have done had it run from the start
        self._progress = 0.0
        self._tasks: list[tuple[float, int, int]] = []
        self._threads = 0
        self._gift = host.quota * host.period
        self._budget = self._gift
        self._throttled = False

    def begin(self, task: int, seconds: float, threads: int) -> None:
        """Begin a task, known by its number, now: after `advance` to this time."""
        heapq.heappush(self._tasks, (self._progress + seconds, task, threads))
        self._threads += threads

    def advance(self, now: float) -> list[int]:
        """Go on to this time, no later than `next_change`; the tasks that have ended."""
        used = now - self._now
        self._progress += used * self._speed
        self._budget -= used * self._consumption
        if self._host.quota:
            self._give(now)
        self._now = now
        ended = []
        while self._tasks and self._tasks[0][0] - self._progress < _NOTHING:
            _, task, threads = heapq.heappop(self._tasks)
            self._threads -= threads
            ended.append(task)
        return ended

    @property
    def next_change(self) -> float:
        """When a task ends or the quota may change the speed, if nothing else happens before."""
        if not self._tasks:
            return math.inf
        speed = self._speed
        end = self._now + max(self._tasks[0][0] - self._progress, 0.0) / speed if speed else math.inf
        return min(end, self._next_gift, self._next_look) if self._host.quota else end

    @property
    def _speed(self) -> float:
        return 0.0 if self._throttled else min(1.0, self._host.cores / max(self._threads, 1))

    @property
    def _consumption(self) -> float:
        return 0.0 if self._throttled else float(min(self._host.cores, self._threads))

    @property
    def _next_gift(self) -> float:
        return (_passed(self._now, self._host.period) + 1) * self._host.period

    @property
    def _next_look(self) -> float:
        """When the host stands still, unless a gift comes before."""
        if self._throttled:
            return math.inf
        empty = self._now + max(self._budget, 0.0) / self._consumption
        tick = self._host.tick
        if not tick:
            return empty
        return max(math.ceil(empty / tick - _NOTHING), _passed(self._now, tick) + 1) * tick

    def _give(self, now: float) -> None:
        """Gifts of the periods that have begun; then a look at what is left."""
        gifts = _passed(now, self._host.period) - _passed(self._now, self._host.period)
        if gifts:
            most = self._gift * (1 + self._host.burst)
            self._budget = min(self._budget + gifts * self._gift, most)
        if self._budget > _NOTHING:
            self._throttled = False
        elif not self._host.tick or _passed(now, self._host.tick) > _passed(self._now, self._host.tick):
            self._throttled = True


def _passed(now: float, period: float) -> int:
    """Whole periods since the start."""
    return math.floor(now / period + _NOTHING)
