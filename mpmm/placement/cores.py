"""The cores of a simulated machine: runnable threads share them, each host within its quota."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from mpmm.placement.machine import Host

# seconds; less than this is rounding
_NOTHING = 1e-10
# seconds that a core idles before it gets a thread that waits for another core
_PATIENCE = 0.004
# seconds without a task after which a host finds its core's caches filled by another one
_AWAY = 200e-6


class Cores:
    """Tasks that share a machine's cores.

    A host that has them alone and all the time gives each thread one to stay on (`_Seats`). Of n threads of
    hosts with quotas on c cores each has c / n of one, at most a whole one: quotas move them about.
    Where cores share execution units or a power budget, each is slower the more of them compute. A host with
    a quota uses up core seconds as it computes; at zero it stands still until it is given more. Of more hosts
    than cores one that has waited or stood still finds caches cold.

    Parameters
    ----------
    hosts
        Those that have shares of the machine, mostly one; all with the machine's cores.
    crowding
        What work takes while all cores compute, as a multiple of what it takes alone.
    stop
        Core seconds that a host loses each time it stands still, its quota used up, and a task that begins
        where another one was before: caches are cold.
    switch
        Core seconds that a host loses when it goes on, and another one's threads were on its core meanwhile.
    """

    def __init__(
        self, hosts: Sequence[Host], crowding: float = 1.0, stop: float = 0.0, switch: float = 0.0
    ) -> None:
        self._cores = hosts[0].cores
        # as many hosts as cores keep to one each
        met = max(0.0, 1.0 - self._cores / len(hosts))
        self._shares: list[_Share] | list[_Seats]
        if len(hosts) == 1 and not hosts[0].quota:
            self._shares = [_Seats(self._cores, stop)]
        else:
            self._shares = [_Share(host, stop, met * switch) for host in hosts]
        self._crowding = crowding
        self._now = 0.0

    def begin(self, task: int, seconds: float, threads: int, host: int = 0) -> None:
        """Begin a task of a host, known by its number, now: after `advance` to this time.

        Parameters
        ----------
        task, host
            Their numbers.
        seconds, threads
            What the task takes while nothing else computes, and by how many threads.
        """
        alone = slowdown(self._crowding, self._cores, threads)
        self._shares[host].begin(task, seconds / alone, threads)

    def advance(self, now: float) -> list[int]:
        """Go on to this time, no later than `next_change`; the tasks that have ended."""
        part, speed = self._pace()
        ended = []
        for share in self._shares:
            ended += share.advance(self._now, now, part, speed)
        self._now = now
        return ended

    @property
    def next_change(self) -> float:
        """When a task ends or a quota may change the speed, if nothing else happens before."""
        part, speed = self._pace()
        if len(self._shares) == 1:
            return self._shares[0].next_change(self._now, part, speed)
        return min(share.next_change(self._now, part, speed) for share in self._shares)

    def _pace(self) -> tuple[float, float]:
        """The part of a core that each running thread has, and how fast it gets on."""
        running = 0
        for share in self._shares:
            running += share.running
        part = self._cores / running if running > self._cores else 1.0
        return part, part / slowdown(self._crowding, self._cores, running)


def slowdown(crowding: float, cores: int, running: float) -> float:
    """How many times as long as alone the work of each of so many threads takes, with a core for each.

    On average so many run: one that its host's quota lets run for a part of the time counts as that part.
    """
    others = min(running, cores) - 1
    return 1.0 + (crowding - 1.0) * others / (cores - 1) if others > 0 else 1.0


@dataclass
class _Seated:
    """A task, the seconds of work that are left of it, and the core of each of its threads."""

    task: int
    left: float
    seats: tuple[int, ...]


class _Seats:
    """Tasks whose threads stay on the cores on which they begin, and share each with whoever is there too.

    They begin on the cores with the fewest threads, by choice where they were before. Linux moves a thread
    that waits to a core that idles, but seldom to one where a rank looks for its message again and again.
    Threads of one task wait for the one that is slowest.

    Parameters
    ----------
    cores
        How many there are.
    switch
        Core seconds that a task loses where another one was before.
    """

    def __init__(self, cores: int, switch: float) -> None:
        self._switch = switch
        self._tasks: list[_Seated] = []
        self._threads = [0] * cores
        # by core the task that was there last, by task its cores
        self._last: dict[int, int] = {}
        self._before: dict[int, tuple[int, ...]] = {}
        # of cores without a thread, since when
        self._idle = dict.fromkeys(range(cores), 0.0)

    @property
    def running(self) -> int:
        """Threads that compute, or would if they had a core."""
        return sum(self._threads)

    def begin(self, task: int, seconds: float, threads: int) -> None:
        """Begin a task of so many seconds at the speed of a core; one below 0 leaves caches as they are."""
        usual = self._before.get(task, ())
        cores = sorted(range(len(self._threads)), key=lambda core: (self._threads[core], core not in usual))
        seats = tuple(cores[thread % len(cores)] for thread in range(threads))
        for seat in seats:
            self._threads[seat] += 1
            self._idle.pop(seat, None)
        if task >= 0:
            if any(self._last.get(seat, task) != task for seat in seats):
                seconds += self._switch
            self._last.update(dict.fromkeys(seats, task))
            self._before[task] = seats
        self._tasks.append(_Seated(task, seconds, seats))

    def advance(self, before: float, now: float, part: float, speed: float) -> list[int]:
        """Go on at this speed of threads that have this part of a core; what has ended."""
        for each in self._tasks:
            each.left -= (now - before) * self._rate(each, part, speed)
        ended = [each for each in self._tasks if each.left < _NOTHING]
        self._tasks = [each for each in self._tasks if each.left >= _NOTHING]
        for each in ended:
            for seat in each.seats:
                self._threads[seat] -= 1
                if self._threads[seat] == 0:
                    self._idle[seat] = now
        if any(since + _PATIENCE <= now + _NOTHING for since in self._idle.values()):
            self._move(now)
        return [each.task for each in ended]

    def next_change(self, now: float, part: float, speed: float) -> float:
        """When a task ends, if nothing else happens before."""
        changes = [now + max(each.left, 0.0) / self._rate(each, part, speed) for each in self._tasks]
        if self._idle and max(self._threads) > 1:
            changes.append(max(now, min(self._idle.values()) + _PATIENCE))
        return min(changes, default=math.inf)

    def _move(self, now: float) -> None:
        """Give cores that have idled for long a thread each of those with several."""
        for idle, since in sorted(self._idle.items()):
            busiest = max(range(len(self._threads)), key=self._threads.__getitem__)
            if self._threads[busiest] > 1 and since + _PATIENCE <= now + _NOTHING:
                moved = next(each for each in self._tasks if busiest in each.seats)
                first = moved.seats.index(busiest)
                moved.seats = (*moved.seats[:first], idle, *moved.seats[first + 1 :])
                self._threads[busiest] -= 1
                self._threads[idle] += 1
                del self._idle[idle]

    def _rate(self, each: _Seated, part: float, speed: float) -> float:
        """How fast a task gets on."""
        return speed / part / max(self._threads[seat] for seat in each.seats)


class _Share:
    """One host's tasks, and what is left of its quota.

    Parameters
    ----------
    host
        Its quota.
    stop
        Core seconds that it loses each time it stands still.
    switch
        Core seconds that it loses on average when it goes on after standing still, or after `_AWAY` without a
        task.
    """

    def __init__(self, host: Host, stop: float, switch: float) -> None:
        self._host, self._stop, self._switch = host, stop, switch
        # seconds without a task
        self._idle = 0.0
        # seconds of work that each task would have done had it run from the start
        self._progress = 0.0
        self._tasks: list[tuple[float, int, int]] = []
        self._threads = 0
        self._gift = host.quota * host.period
        self._budget = self._gift
        self._throttled = False

    @property
    def running(self) -> int:
        """Threads that compute, or would if they had a core."""
        return 0 if self._throttled else self._threads

    def begin(self, task: int, seconds: float, threads: int) -> None:
        """Begin a task of so many seconds at the speed of a core."""
        if self._idle >= _AWAY:
            seconds += self._switch
        self._idle = 0.0
        heapq.heappush(self._tasks, (self._progress + seconds, task, threads))
        self._threads += threads

    def advance(self, before: float, now: float, part: float, speed: float) -> list[int]:
        """Go on by threads that each had this part of a core, and got on at this speed; what has ended."""
        if not self._throttled:
            self._progress += (now - before) * speed
            self._budget -= (now - before) * part * self._threads
        if self._host.quota:
            self._give(before, now)
        ended = []
        while self._tasks and self._tasks[0][0] - self._progress < _NOTHING:
            _, task, threads = heapq.heappop(self._tasks)
            self._threads -= threads
            ended.append(task)
        self._idle = 0.0 if self._tasks or ended else self._idle + now - before
        return ended

    def next_change(self, now: float, part: float, speed: float) -> float:
        """When a task ends or the quota may change the speed, if nothing else happens before."""
        if not self._tasks:
            return math.inf
        end = math.inf
        if not self._throttled:
            end = now + max(self._tasks[0][0] - self._progress, 0.0) / speed
        if not self._host.quota:
            return end
        gift = (_passed(now, self._host.period) + 1) * self._host.period
        return min(end, gift, self._next_look(now, part))

    def _next_look(self, now: float, part: float) -> float:
        """When the host stands still, unless a gift comes before."""
        if self._throttled:
            return math.inf
        empty = now + max(self._budget, 0.0) / (part * self._threads)
        tick = self._host.tick
        if not tick:
            return empty
        return max(math.ceil(empty / tick - _NOTHING), _passed(now, tick) + 1) * tick

    def _give(self, before: float, now: float) -> None:
        """Gifts of the periods that have begun; then a look at what is left."""
        gifts = _passed(now, self._host.period) - _passed(before, self._host.period)
        if gifts:
            most = self._gift * (1 + self._host.burst)
            self._budget = min(self._budget + gifts * self._gift, most)
        if self._budget > _NOTHING:
            if self._throttled:
                self._progress -= self._switch
            self._throttled = False
        elif not self._throttled and (
            not self._host.tick or _passed(now, self._host.tick) > _passed(before, self._host.tick)
        ):
            self._throttled = True
            self._budget -= self._stop


def _passed(now: float, period: float) -> int:
    """Whole periods since the start."""
    return math.floor(now / period + _NOTHING)
