"""Windows dealt out over ranks: each asks for more when it has room, so slow ranks get fewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from mpmm.mapping.classifier import Done
from mpmm.mapping.mapper import Mapper
from mpmm.mapping.raster_spec import RasterName
from mpmm.mapping.windows import Window
from mpmm.mapping.work import WorkFolder
from mpmm.messages import Channel, Kind, RankLost

# items of the kind "map": the window a worker is done with, the one it gets next, and its rasters one by one
DONE, NEXT, RASTERS = 0, 1, 2
NO_WINDOW = -1
# windows a worker has at a time: one is computed while the next is on its way
WINDOWS_A_WORKER = 2


class WindowScheduler:
    """Rank 0: deals out the missing windows, maps some itself, keeps the rasters of all.

    Windows of a rank that is killed are dealt out again, where MPI goes on without it.

    Parameters
    ----------
    channel
        To the other ranks, each of which runs `map_worker`; None: there are none.
    mapper
        Computes this rank's windows.
    work
        Keeps the rasters of the windows that are done.
    done
        Called with the pixels done since the last call, of all ranks.
    stopped
        Whether no more windows should be begun.
    lost
        Called with a rank that was killed, and the number of windows it had.
    """

    def __init__(
        self,
        channel: Channel | None,
        mapper: Mapper,
        work: WorkFolder,
        done: Done,
        stopped: Callable[[], bool],
        lost: Callable[[int, int], None],
    ) -> None:
        self._channel, self._mapper, self._work = channel, mapper, work
        self._done, self._stopped, self._lost = done, stopped, lost
        self._missing = deque(work.missing())
        workers = range(1, 1 if channel is None else channel.size)
        # of each worker: answers still to give, requests that wait for one now, and the windows it computes
        self._answers_due = dict.fromkeys(workers, WINDOWS_A_WORKER)
        self._requests = dict.fromkeys(workers, 0)
        self._assigned: dict[int, set[int]] = {worker: set() for worker in workers}
        self._answers: list[NDArray[np.int64]] = []

    def run(self) -> None:
        """Map until no window is missing, or until stopped; windows that were begun are finished."""
        while self._more():
            if (index := self._next_window()) != NO_WINDOW:
                self._work.put(index, self._mapper.map(self._work.windows[index], self._mapped))
                self._serve()
        if self._channel is not None:
            # a rank that is killed now has nothing left to do
            with suppress(RankLost):
                self._channel.settle_all()

    def _more(self) -> bool:
        """Whether there is another window for this rank; waits while the workers may still lose theirs."""
        if self._channel is not None and not self._to_do():
            self._channel.waiter.until(self._settled, "the other ranks' last windows")
        return self._to_do()

    def _to_do(self) -> bool:
        return bool(self._missing) and not self._stopped()

    def _settled(self) -> bool:
        self._serve()
        return not self._answers_due or self._to_do()

    def _next_window(self) -> int:
        return self._missing.popleft() if self._to_do() else NO_WINDOW

    def _mapped(self, pixels: int) -> None:
        """Look after the workers while this rank's tiles are computed."""
        self._done(pixels)
        self._serve()

    def _serve(self) -> None:
        """Take what the workers are done with, and give them more."""
        if self._channel is None:
            return
        self._channel.tidy()
        for worker in list(self._answers_due):
            try:
                while self._channel.poll(Kind.MAP, DONE, worker) is not None:
                    self._take(self._channel, worker)
                    self._requests[worker] += 1
                while self._requests[worker] and self._may_answer(worker, self._channel.size):
                    self._answer(self._channel, worker)
            except RankLost:
                self._lose(self._channel, worker)

    def _may_answer(self, worker: int, ranks: int) -> bool:
        """Whether to answer a worker's request now.

        Near the end it gets a window when it is done with its last: nobody hoards. It hears that there is
        none when the others are done with theirs: till then one may be lost.
        """
        if self._to_do():
            return not self._assigned[worker] or len(self._missing) >= ranks
        return self._stopped() or not any(self._assigned.values())

    def _take(self, channel: Channel, worker: int) -> None:
        """Keep the rasters of the window that a worker is done with; its first requests bring none."""
        message = np.empty(1, np.int64)
        channel.receive(Kind.MAP, DONE, message, worker)
        index = int(message[0])
        if index == NO_WINDOW:
            return
        window = self._work.windows[index]
        rasters: dict[RasterName, NDArray[np.generic]] = {}
        for number, spec in enumerate(self._work.raster_specs):
            raster = np.empty((spec.bands, window.height, window.width), spec.dtype)
            channel.receive(Kind.MAP, RASTERS + number, raster, worker)
            rasters[spec.name] = raster
        self._work.put(index, rasters)
        self._assigned[worker].discard(index)
        self._done(window.pixels)

    def _answer(self, channel: Channel, worker: int) -> None:
        """Send a worker its next window, or that there is none."""
        index = self._next_window()
        self._requests[worker] -= 1
        if index == NO_WINDOW:
            self._answers_due[worker] -= 1
            if not self._answers_due[worker]:
                del self._answers_due[worker]
        else:
            self._assigned[worker].add(index)
        answer = np.array([index], np.int64)
        # an answer stays as it is until it has gone
        self._answers.append(answer)
        channel.isend(Kind.MAP, NEXT, answer, worker)

    def _lose(self, channel: Channel, worker: int) -> None:
        """Go on without a rank; its windows are the next to be dealt out."""
        channel.forget(worker)
        self._answers_due.pop(worker, None)
        windows = self._assigned.pop(worker)
        self._missing.extendleft(sorted(windows, reverse=True))
        self._lost(worker, len(windows))


def map_worker(channel: Channel, mapper: Mapper, windows: Sequence[Window]) -> int:
    """Map the windows that rank 0 deals out to this rank, until there are none; returns how many.

    Parameters
    ----------
    channel
        To rank 0, which runs a `WindowScheduler`.
    mapper
        Computes this rank's windows.
    windows
        All windows of the map, as rank 0 numbers them.

    Raises
    ------
    RankLost
        Rank 0 was killed.
    """
    try:
        return _map_assigned(channel, mapper, windows)
    except RankLost as error:
        raise RankLost(
            "rank 0, which keeps the map, was killed",
            "the same command goes on with the windows that are missing",
        ) from error


def _map_assigned(channel: Channel, mapper: Mapper, windows: Sequence[Window]) -> int:
    messages: list[NDArray[np.generic]] = [np.array([NO_WINDOW], np.int64) for _ in range(WINDOWS_A_WORKER)]
    for request in messages:
        channel.isend(Kind.MAP, DONE, request, 0)
    requests, mapped = WINDOWS_A_WORKER, 0
    answer = np.empty(1, np.int64)
    while requests:
        channel.receive(Kind.MAP, NEXT, answer, 0)
        requests -= 1
        index = int(answer[0])
        if index == NO_WINDOW:
            continue
        rasters = mapper.map(windows[index], lambda pixels: channel.tidy())
        channel.settle_all()
        done = np.array([index], np.int64)
        # kept here until the sends are settled
        messages = [done, *(np.ascontiguousarray(rasters[spec.name]) for spec in mapper.raster_specs)]
        items = DONE, *range(RASTERS, RASTERS + len(mapper.raster_specs))
        for item, message in zip(items, messages, strict=True):
            channel.isend(Kind.MAP, item, message, 0)
        requests, mapped = requests + 1, mapped + 1
    channel.settle_all()
    return mapped
