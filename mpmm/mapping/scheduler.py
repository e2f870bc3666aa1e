"""Windows dealt out over ranks: each asks for more when it has room, so slow ranks get fewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from mpmm.mapping.classifier import Done
from mpmm.mapping.mapper import Mapper
from mpmm.mapping.raster_spec import LayerName, LayerSpec
from mpmm.mapping.windows import Window
from mpmm.mapping.work import WorkFolder
from mpmm.messages import Channel, Kind, RankLost

# items of the kind "map": what a helper is done with, what it gets next, and its rasters one by one
DONE, NEXT, RASTERS = 0, 1, 2
NONE = -1
# windows a helper holds: one is computed while the next is on its way
HELD = 2


class WindowScheduler:
    """Rank 0: deals out the missing windows, maps some itself, keeps all of them.

    Windows of a rank that is killed are dealt out again, where MPI goes on without it.

    Parameters
    ----------
    channel
        To the other ranks, each of which runs `map_worker`; None: there are none.
    mapper
        This rank's.
    work
        Keeps what is done.
    done
        Called with the pixels done since the last call, of all ranks.
    stopped
        Whether no more windows should be begun.
    lost
        Called with a rank that was killed, and how many windows it held.
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
        others = range(1, 1 if channel is None else channel.size)
        # of each other rank: answers still to give, those it waits for now, and the windows it holds
        self._due = dict.fromkeys(others, HELD)
        self._asked = dict.fromkeys(others, 0)
        self._held: dict[int, set[int]] = {peer: set() for peer in others}
        self._answers: list[NDArray[np.int64]] = []

    def run(self) -> None:
        """Map until no window is missing, or until stopped; windows that were begun are finished."""
        while self._more():
            if (index := self._next()) != NONE:
                self._work.put(index, self._mapper.map(self._work.windows[index], self._mapped))
                self._serve()
        if self._channel is not None:
            # a rank that is killed now has nothing left to do
            with suppress(RankLost):
                self._channel.settle_all()

    def _more(self) -> bool:
        """Whether there is another window for this rank; waits while the others may still lose theirs."""
        if self._channel is not None and not self._to_do():
            self._channel.waiter.until(self._settled, "the other ranks' last windows")
        return self._to_do()

    def _to_do(self) -> bool:
        return bool(self._missing) and not self._stopped()

    def _settled(self) -> bool:
        self._serve()
        return not self._due or self._to_do()

    def _next(self) -> int:
        return self._missing.popleft() if self._to_do() else NONE

    def _mapped(self, pixels: int) -> None:
        """While tiles are computed the others are looked after."""
        self._done(pixels)
        self._serve()

    def _serve(self) -> None:
        """Take what the others are done with, and give them more."""
        if self._channel is None:
            return
        self._channel.tidy()
        for peer in list(self._due):
            try:
                while self._channel.poll(Kind.MAP, DONE, peer) is not None:
                    self._take(self._channel, peer)
                    self._asked[peer] += 1
                while self._asked[peer] and self._may_have(peer, self._channel.size):
                    self._give(self._channel, peer)
            except RankLost:
                self._lose(self._channel, peer)

    def _may_have(self, peer: int, ranks: int) -> bool:
        """Whether to answer a rank now.

        Near the end it gets a window when it is done with its last: nobody hoards. It hears that there is
        none when the others are done with theirs: till then one may be lost.
        """
        if self._to_do():
            return not self._held[peer] or len(self._missing) >= ranks
        return self._stopped() or not any(self._held.values())

    def _take(self, channel: Channel, peer: int) -> None:
        index = np.empty(1, np.int64)
        channel.receive(Kind.MAP, DONE, index, peer)
        if index[0] == NONE:
            return
        window = self._work.windows[int(index[0])]
        rasters: dict[LayerName, NDArray[np.generic]] = {}
        for place, layer in enumerate(self._work.layers):
            raster = np.empty((layer.bands, window.height, window.width), layer.dtype)
            channel.receive(Kind.MAP, RASTERS + place, raster, peer)
            rasters[layer.name] = raster
        self._work.put(int(index[0]), rasters)
        self._held[peer].discard(int(index[0]))
        self._done(window.pixels)

    def _give(self, channel: Channel, peer: int) -> None:
        """The next window, or that there is none."""
        index = self._next()
        self._asked[peer] -= 1
        if index == NONE:
            self._due[peer] -= 1
            if not self._due[peer]:
                del self._due[peer]
        else:
            self._held[peer].add(index)
        answer = np.array([index], np.int64)
        # an answer stays as it is until it has gone
        self._answers.append(answer)
        channel.isend(Kind.MAP, NEXT, answer, peer)

    def _lose(self, channel: Channel, peer: int) -> None:
        """Go on without a rank; its windows are the next to be dealt out."""
        channel.forget(peer)
        self._due.pop(peer, None)
        windows = self._held.pop(peer)
        self._missing.extendleft(sorted(windows, reverse=True))
        self._lost(peer, len(windows))


def map_worker(
    channel: Channel, mapper: Mapper, windows: Sequence[Window], layers: Sequence[LayerSpec]
) -> int:
    """Any other rank: map what rank 0 deals out; how many windows that were.

    Raises
    ------
    RankLost
        Rank 0 was killed.
    """
    try:
        return _help(channel, mapper, windows, layers)
    except RankLost as error:
        raise RankLost(
            "rank 0, which keeps the map, was killed",
            "the same command goes on with the windows that are missing",
        ) from error


def _help(channel: Channel, mapper: Mapper, windows: Sequence[Window], layers: Sequence[LayerSpec]) -> int:
    messages: list[NDArray[np.generic]] = [np.array([NONE], np.int64) for _ in range(HELD)]
    for nothing in messages:
        channel.isend(Kind.MAP, DONE, nothing, 0)
    asked, mapped = HELD, 0
    answer = np.empty(1, np.int64)
    while asked:
        channel.receive(Kind.MAP, NEXT, answer, 0)
        asked -= 1
        if answer[0] == NONE:
            continue
        index = int(answer[0])
        pixels = mapper.map(windows[index], lambda pixels: channel.tidy())
        channel.settle_all()
        messages = [np.array([index], np.int64), *(pixels[layer.name] for layer in layers)]
        for place, message in enumerate(messages):
            item = DONE if place == 0 else RASTERS + place - 1
            channel.isend(Kind.MAP, item, np.ascontiguousarray(message), 0)
        asked, mapped = asked + 1, mapped + 1
    channel.settle_all()
    return mapped
