"""Windows dealt out over ranks: each asks for more when it has room, so slow ranks get fewer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mpmm.mapping.classifier import Done
from mpmm.mapping.layers import LayerName, LayerSpec
from mpmm.mapping.mapper import Mapper
from mpmm.mapping.windows import Window
from mpmm.mapping.work import WorkFolder
from mpmm.messages import Channel, Kind

# items of the kind "map": what a helper is done with, what it gets next, and its rasters one by one
DONE, NEXT, RASTERS = 0, 1, 2
NONE = -1
# windows a helper holds: one is computed while the next is on its way
HELD = 2


class Dealer:
    """Rank 0: deals out the missing windows, maps some itself, keeps all of them.

    Parameters
    ----------
    channel
        To the other ranks, each of which runs `help_map`; None: there are none.
    mapper
        This rank's.
    work
        Keeps what is done.
    done
        Called with the pixels done since the last call, of all ranks.
    stopped
        Whether no more windows should be begun.
    """

    def __init__(
        self,
        channel: Channel | None,
        mapper: Mapper,
        work: WorkFolder,
        done: Done,
        stopped: Callable[[], bool],
    ) -> None:
        self._channel, self._mapper, self._work = channel, mapper, work
        self._done, self._stopped = done, stopped
        self._missing = deque(work.missing())
        # answers that the other ranks still wait for, or will ask for
        self._due = 0 if channel is None else HELD * (channel.size - 1)
        self._answers: list[NDArray[np.int64]] = []

    def run(self) -> None:
        """Map until no window is missing, or until stopped; windows that were begun are finished."""
        while (index := self._next()) != NONE:
            self._work.put(index, self._mapper.map(self._work.windows[index], self._mapped))
            self._serve()
        if self._channel is not None:
            self._channel.waiter.until(self._all_ended, "the other ranks' last windows")
            self._channel.settle_all()

    def _next(self) -> int:
        return self._missing.popleft() if self._missing and not self._stopped() else NONE

    def _mapped(self, pixels: int) -> None:
        """Between two batches of tiles the others are looked after."""
        self._done(pixels)
        self._serve()

    def _all_ended(self) -> bool:
        self._serve()
        return self._due == 0

    def _serve(self) -> None:
        """Take what the others are done with, and give them more."""
        if self._channel is None:
            return
        while (arrival := self._channel.poll(Kind.MAP, DONE)) is not None:
            self._take(self._channel, arrival.peer)
            answer = np.array([self._next()], np.int64)
            # an answer stays as it is until it has gone
            self._answers.append(answer)
            self._channel.isend(Kind.MAP, NEXT, answer, arrival.peer)
            self._due -= answer[0] == NONE

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
        self._done(window.pixels)


def help_map(channel: Channel, mapper: Mapper, windows: Sequence[Window], layers: Sequence[LayerSpec]) -> int:
    """Any other rank: map what rank 0 deals out; how many windows that were."""
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
        pixels = mapper.map(windows[index])
        channel.settle_all()
        messages = [np.array([index], np.int64), *(pixels[layer.name] for layer in layers)]
        for place, message in enumerate(messages):
            item = DONE if place == 0 else RASTERS + place - 1
            channel.isend(Kind.MAP, item, np.ascontiguousarray(message), 0)
        asked, mapped = asked + 1, mapped + 1
    channel.settle_all()
    return mapped
