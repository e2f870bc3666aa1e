"""A connection: the messages of one kind and item between this rank and one other."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy.typing as npt

from mpmm.messages.envelope import Envelope
from mpmm.messages.errors import MessageError, RankLost
from mpmm.messages.traffic import Traffic
from mpmm.messages.transfer import ReceiveRequest, SendRequest
from mpmm.messages.transport import Transport
from mpmm.messages.waiting import Waiter

Buffer = npt.NDArray[Any]


class Connection:
    """Sends and receives of one kind and item, to and from one peer; what they have in common is made once.

    Messages arrive in the order they were sent. Each buffer is checked when it is used for the first time:
    C-contiguous, of the right sort of values, writable when receiving.

    Parameters
    ----------
    transport
        Moves the bytes.
    waiter
        Waits for transfers.
    traffic
        Counts the messages of the channel.
    envelope
        Kind, item and peer.

    Attributes
    ----------
    sent, received
        A message each way in words.
    """

    def __init__(self, transport: Transport, waiter: Waiter, traffic: Traffic, envelope: Envelope) -> None:
        self.sent, self.received = envelope.sent, envelope.received
        self._transport, self._waiter, self._envelope = transport, waiter, envelope
        self._sent_count = traffic.counter("sent", envelope.kind, envelope.peer)
        self._received_count = traffic.counter("received", envelope.kind, envelope.peer)
        self._sends: deque[SendRequest] = deque()
        self._last: ReceiveRequest | None = None
        # the buffers that were checked last
        self._sendable: Buffer | None = None
        self._fillable: Buffer | None = None

    def isend(self, buffer: Buffer) -> SendRequest:
        """Start a send; ``buffer`` must stay as it is until `settle` (or the transfer's ``done``) says so."""
        if buffer is not self._sendable:
            self._check(self.sent, buffer)
            self._sendable = buffer
        request = SendRequest(self._transport, self._transport.send(buffer, self._envelope), self.sent)
        self._sent_count.add(buffer.nbytes)
        self._sends.append(request)
        return request

    def ireceive(self, buffer: Buffer) -> ReceiveRequest:
        """Start a receive that fills all of ``buffer``; nobody may touch it until the transfer is done."""
        if buffer is not self._fillable:
            self._check(self.received, buffer)
            if not buffer.flags.writeable:
                raise MessageError(f"{self.received}: the buffer is read-only", "receive into another array")
            self._fillable = buffer
        after = None if self._last is None or self._last.matched else self._last
        self._last = ReceiveRequest(self._transport, self._envelope, buffer, after, self._received_count)
        return self._last

    def receive(self, buffer: Buffer, pause: float = 0.0) -> None:
        """Fill ``buffer`` with the next message; ``pause`` is that of `Waiter.until`."""
        self._waiter.until(self.ireceive(buffer).done, self.received, pause)

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

    def _check(self, label: str, buffer: Buffer) -> None:
        """The buffer can be sent or filled as it lies in memory."""
        if not buffer.flags.c_contiguous:
            raise MessageError(
                f"{label}: the array of shape {buffer.shape} is not C-contiguous",
                "send numpy.ascontiguousarray(array); another order would arrive in the wrong layout",
            )
        if not self._envelope.kind.carries(buffer.dtype):
            raise MessageError(
                f"{label}: the array has dtype {buffer.dtype}, expected floating point", "convert it first"
            )
