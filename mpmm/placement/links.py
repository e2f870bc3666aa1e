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
        self._slots: dict[tuple[int, int], int] = {}
        self._free: list[int] = []
        # by slot: bytes left, bytes a second, and the hosts at both ends
        self._left = np.zeros(0)
        self._speed = np.zeros(0)
        self._ends = np.zeros((2, 0), np.int64)
        self._busy: list[tuple[int, int] | None] = []
        self._changed = False

    def begin(self, transfer: int, connection: tuple[int, int], path: tuple[int, int], length: int) -> None:
        """Begin a transfer now: after `advance` to this time.

        Parameters
        ----------
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
            slot = self._take_slot(connection)
            self._left[slot] = length
            self._ends[:, slot] = path
            self._changed = True

    def advance(self, now: float) -> list[int]:
        """Go on to this time, no later than `next_change`; the transfers that have ended."""
        self._share_out()
        self._left -= self._speed * (now - self._now)
        self._now = now
        over = np.flatnonzero((self._left <= self._speed * _INSTANT) & (self._speed > 0))
        return [self._ended(int(slot)) for slot in over]

    @property
    def next_change(self) -> float:
        """When the next transfer ends, if nothing begins before."""
        if len(self._slots) == 0:
            return math.inf
        self._share_out()
        busy = self._speed > 0
        return self._now + float(np.min(np.maximum(self._left[busy], 0.0) / self._speed[busy]))

    def _ended(self, slot: int) -> int:
        connection = self._busy[slot]
        assert connection is not None, "only slots of transfers under way have a speed"
        queue = self._queues[connection]
        transfer, _ = queue.popleft()
        self._changed = True
        if queue:
            self._left[slot] = queue[0][1]
        else:
            del self._slots[connection], self._queues[connection]
            self._busy[slot] = None
            self._free.append(slot)
            self._left[slot], self._speed[slot] = 0.0, 0.0
        return transfer

    def _take_slot(self, connection: tuple[int, int]) -> int:
        if not self._free:
            more = max(8, len(self._left))
            self._free += range(len(self._left), len(self._left) + more)
            self._left = np.concatenate([self._left, np.zeros(more)])
            self._speed = np.concatenate([self._speed, np.zeros(more)])
            self._ends = np.concatenate([self._ends, np.zeros((2, more), np.int64)], axis=1)
            self._busy += [None] * more
        slot = self._slots[connection] = self._free.pop()
        self._busy[slot] = connection
        return slot

    def _share_out(self) -> None:
        if self._changed and self._slots:
            slots = np.fromiter(self._slots.values(), np.int64, len(self._slots))
            self._speed[slots] = fair_rates(self._rates, *self._ends[:, slots])
        self._changed = False


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
