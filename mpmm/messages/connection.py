"""A line: the messages of one kind and item between this rank and one other."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy.typing as npt

from mpmm.messages.errors import MessageError, RankLost
from mpmm.messages.kinds import Kind, tag_of
from mpmm.messages.traffic import Traffic
from mpmm.messages.transfer import Receiving, Sending
from mpmm.messages.transport import Wire
from mpmm.messages.waiting import Waiter

Buffer = npt.NDArray[Any]


class Line:
    """Sends and receives of one kind and item, to and from one peer; what they have in common is made once.

    Messages arrive in the order they were sent. Each buffer is checked when it is used for the first time:
    C-contiguous, of the right sort of values, writable when receiving.

    Parameters
    ----------
    wire, waiter, traffic
        Of the channel.
    kind, item, peer
        What the line carries, and where to.
    rank
        This rank, for errors.

    Attributes
    ----------
    sent, received
        A message each way in words.
    """

    def __init__(
        self, wire: Wire, waiter: Waiter, traffic: Traffic, kind: Kind, item: int, peer: int, rank: int
    ) -> None:
        what = f"rank {rank}: {kind.label} {item}"
        self.sent, self.received = f"{what} to rank {peer}", f"{what} from rank {peer}"
        self._wire, self._waiter = wire, waiter
        self._kind, self._peer, self._tag = kind, peer, tag_of(kind, item)
        self._went, self._came = traffic.counter("sent", kind, peer), traffic.counter("received", kind, peer)
        self._sends: deque[Sending] = deque()
        self._last: Receiving | None = None
        self._good_to_send: Buffer | None = None
        self._good_to_fill: Buffer | None = None

    def isend(self, buffer: Buffer) -> Sending:
        """Start a send; ``buffer`` must stay as it is until `settle` (or the transfer's ``done``) says so."""
        if buffer is not self._good_to_send:
            self._check(self.sent, buffer)
            self._good_to_send = buffer
        sending = Sending(self._wire, self._wire.start(buffer, self._peer, self._tag, self.sent), self.sent)
        self._went.add(buffer.nbytes)
        self._sends.append(sending)
        return sending

    def ireceive(self, buffer: Buffer) -> Receiving:
        """Start a receive that fills all of ``buffer``; nobody may touch it until the transfer is done."""
        if buffer is not self._good_to_fill:
            self._check(self.received, buffer)
            if not buffer.flags.writeable:
                raise MessageError(f"{self.received}: the buffer is read-only", "receive into another array")
            self._good_to_fill = buffer
        after = None if self._last is None or self._last.matched else self._last
        self._last = Receiving(self._wire, self._peer, self._tag, buffer, self.received, after, self._came)
        return self._last

    def receive(self, buffer: Buffer) -> None:
        """Fill ``buffer`` with the next message."""
        self._waiter.until(self.ireceive(buffer).done, self.received)

    def settle(self, pending: int = 0) -> None:
        """Wait until at most ``pending`` sends are under way."""
        sends = self._sends
        while len(sends) > pending:
            self._waiter.until(sends[0].done, self.sent)
            sends.popleft()

    def tidy(self) -> None:
        """Let go of the sends that are complete, and of all to a rank that was lost; never waits."""
        try:
            while self._sends and self._sends[0].done():
                self._sends.popleft()
        except RankLost:
            self.forget()

    def forget(self) -> None:
        """Give up the sends under way: their receiver was lost."""
        self._sends.clear()

    def _check(self, what: str, buffer: Buffer) -> None:
        """The buffer can be sent or filled as it lies in memory."""
        if not buffer.flags.c_contiguous:
            raise MessageError(
                f"{what}: the array of shape {buffer.shape} is not C-contiguous",
                "send numpy.ascontiguousarray(array); another order would arrive in the wrong layout",
            )
        if self._kind.floating and buffer.dtype.kind != "f":
            raise MessageError(
                f"{what}: the array has dtype {buffer.dtype}, expected floating point", "convert it first"
            )
