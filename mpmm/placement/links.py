"""The links of simulated hosts: messages under way share each interface's rate, both ways apart."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# seconds; what ends so soon has ended, but for rounding
_INSTANT = 1e-10


class Links:
    """Transfers between hosts, known by their numbers.

    Messages from one rank to another follow each other, as on one connection. All connections get the largest
    fair shares of what the interfaces at their two ends carry.

    Parameters
    ----------
    rates
        Of each host's interface, in bytes a second.
    """

    def __init__(self, rates: Sequence[float]) -> None:
        self._rates = np.asarray(rates, float)
        self._now = 0.0
        self._queues: dict[tuple[int, int], deque[tuple[int, int]]] = {}
        # by slot: ranks at both ends, bytes left, bytes a second, whether it is in use, hosts at both ends
        self._connections: dict[int, tuple[int, int]] = {}
        self._left = np.zeros(0)
        self._speed = np.zeros(0)
        self._busy = np.zeros(0, bool)
        self._ends = np.zeros((2, 0), np.int64)
        self._free: list[int] = []
        self._changed, self._next = False, math.inf

    def begin(
        self, now: float, transfer: int, connection: tuple[int, int], path: tuple[int, int], length: int
    ) -> None:
        """Begin a transfer, behind those on the same connection.

        Parameters
        ----------
        now
            When: no later than `next_change`.
        transfer
            Its number.
        connection
            The ranks from and to which it goes.
        path
            Their hosts.
        length
            In bytes.
        """
        queue = self._queues.setdefault(connection, deque())
        queue.append((transfer, length))
        if len(queue) == 1:
            self._go_on(now)
            slot = self._take_slot(connection)
            self._left[slot], self._busy[slot] = length, True
            self._ends[:, slot] = path
            self._changed = True

    def advance(self, now: float) -> list[int]:
        """Go on to this time, no later than `next_change`; the transfers that have ended."""
        if now < self.next_change:
            return []
        self._go_on(now)
        over = np.flatnonzero(self._busy & (self._left <= self._speed * _INSTANT))
        return [self._ended(int(slot)) for slot in over]

    @property
    def next_change(self) -> float:
        """When the next transfer ends, if nothing begins before."""
        if self._changed:
            slots = np.flatnonzero(self._busy)
            self._next = math.inf
            if len(slots):
                speed = self._speed[slots] = fair_rates(self._rates, *self._ends[:, slots])
                self._next = self._now + float(np.min(np.maximum(self._left[slots], 0.0) / speed))
            self._changed = False
        return self._next

    def _go_on(self, now: float) -> None:
        if now > self._now:
            self._left -= self._speed * (now - self._now)
            self._now = now

    def _ended(self, slot: int) -> int:
        connection = self._connections[slot]
        queue = self._queues[connection]
        transfer, _ = queue.popleft()
        self._changed = True
        if queue:
            self._left[slot] = queue[0][1]
        else:
            del self._queues[connection]
            self._free.append(slot)
            self._left[slot], self._speed[slot], self._busy[slot] = 0.0, 0.0, False
        return transfer

    def _take_slot(self, connection: tuple[int, int]) -> int:
        if not self._free:
            more = max(8, len(self._left))
            self._free += range(len(self._left), len(self._left) + more)
            self._left = np.concatenate([self._left, np.zeros(more)])
            self._speed = np.concatenate([self._speed, np.zeros(more)])
            self._busy = np.concatenate([self._busy, np.zeros(more, bool)])
            self._ends = np.concatenate([self._ends, np.zeros((2, more), np.int64)], axis=1)
        slot = self._free.pop()
        self._connections[slot] = connection
        return slot


def fair_rates(
    rates: NDArray[np.float64], sources: NDArray[np.int64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Bytes a second of each transfer: no one gets more at the cost of another that has less.

    Parameters
    ----------
    rates
        (hosts,), of each interface in each of its two directions.
    sources, targets
        (transfers,), the hosts from and to which each goes.
    """
    if len(sources) == 1:
        # so it mostly is
        return np.minimum(rates[sources], rates[targets])
    left_out, left_in = rates.copy(), rates.copy()
    shares, waiting = np.zeros(len(sources)), np.arange(len(sources))
    while len(waiting):
        out, into = sources[waiting], targets[waiting]
        senders, receivers = np.bincount(out, minlength=len(rates)), np.bincount(into, minlength=len(rates))
        possible = np.minimum(left_out[out] / senders[out], left_in[into] / receivers[into])
        least = possible.min()
        full = possible <= least * (1 + 1e-9)
        shares[waiting[full]] = least
        left_out -= least * np.bincount(out[full], minlength=len(rates))
        left_in -= least * np.bincount(into[full], minlength=len(rates))
        waiting = waiting[~full]
    return shares
