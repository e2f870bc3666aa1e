"""Ping-pong: how long messages between hosts take, measured once at the start of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mpmm.messages.channel import Channel
from mpmm.messages.kinds import Kind

# bytes of a message that takes no time but the delay, and of those that tell the rate
_SHORT, _LONG, _LONGER = 8, 2**19, 2**22
_TURNS = 5
# seconds: a long message that takes less says little of the rate
_BRIEF = 0.03
# hosts with which rank 0's is measured, one after the other; more are taken to be like the slowest of these
_MEASURED = 7
_ITEM = 1


@dataclass(frozen=True)
class LinkTimes:
    """What the network between hosts does.

    Attributes
    ----------
    rates
        Bytes a second between the first host and each other one, in the hosts' order.
    delay
        Seconds that the shortest message takes from host to host.
    """

    rates: tuple[float, ...] = ()
    delay: float = 0.0

    def rate_of(self, host: int) -> float:
        """Bytes a second of a host's interface; the first host's is the fastest that was seen."""
        if not self.rates:
            return math.inf
        return max(self.rates) if host == 0 else self.rates[min(host, len(self.rates)) - 1]


def measure_links(channel: Channel, leaders: Sequence[int]) -> LinkTimes:
    """Measure between rank 0 and a rank of each other host; every rank calls this.

    Parameters
    ----------
    channel
        Of this rank.
    leaders
        The first rank of each host, rank 0 being the first.

    Returns
    -------
    LinkTimes
        On rank 0; on other ranks nothing is known.
    """
    peers = leaders[1 : 1 + _MEASURED]
    if channel.rank in peers:
        _answer(channel)
    if channel.rank != 0 or not peers:
        return LinkTimes()
    measured = [_measured(channel, peer) for peer in peers]
    rates = [rate for rate, _ in measured]
    rates += [min(rates)] * (len(leaders) - 1 - len(rates))
    return LinkTimes(tuple(rates), min(delay for _, delay in measured))


def _measured(channel: Channel, peer: int) -> tuple[float, float]:
    """Rate and delay to a rank of another host."""
    delay = min(_round_trip(channel, peer, _SHORT) for _ in range(_TURNS)) / 2
    seconds, length = _round_trip(channel, peer, _LONG), _LONG
    if seconds < _BRIEF:
        seconds, length = min(_round_trip(channel, peer, _LONGER) for _ in range(2)), _LONGER
    _send_length(channel, peer, 0)
    return length / max(seconds - 2 * delay, 1e-9), delay


def _round_trip(channel: Channel, peer: int, length: int) -> float:
    """Seconds from the beginning of a message of so many bytes to the answer of a few."""
    _send_length(channel, peer, length)
    message, answer = np.zeros(length, np.uint8), np.zeros(_SHORT, np.uint8)
    began = time.perf_counter()
    channel.send(Kind.SETUP, _ITEM, message, peer)
    channel.receive(Kind.SETUP, _ITEM, answer, peer)
    return time.perf_counter() - began


def _send_length(channel: Channel, peer: int, length: int) -> None:
    """Tell the peer how long the next message is, and wait until it is ready for that; 0: there is none."""
    channel.send(Kind.SETUP, _ITEM, np.array([length]), peer)
    if length:
        channel.receive(Kind.SETUP, _ITEM, np.zeros(_SHORT, np.uint8), peer)


def _answer(channel: Channel) -> None:
    """The other end: answer each message, until there is none."""
    length, short = np.zeros(1, np.int64), np.zeros(_SHORT, np.uint8)
    while True:
        channel.receive(Kind.SETUP, _ITEM, length, 0)
        if not length[0]:
            return
        channel.send(Kind.SETUP, _ITEM, short, 0)
        channel.receive(Kind.SETUP, _ITEM, np.zeros(int(length[0]), np.uint8), 0)
        channel.send(Kind.SETUP, _ITEM, short, 0)
