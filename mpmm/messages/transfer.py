"""Transfers under way: one non-blocking send or receive each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from mpmm.messages.envelope import Envelope
from mpmm.messages.traffic import Counter
from mpmm.messages.transport import Transport

if TYPE_CHECKING:
    from mpi4py import MPI


class Transfer(Protocol):
    """A send or receive that has been started.

    Attributes
    ----------
    label
        The message in words, for errors.
    """

    label: str

    def done(self) -> bool:
        """Whether it is complete; never waits."""
        ...


class SendRequest:
    """A send under way; when it is done its buffer may be written again."""

    __slots__ = ("_request", "_transport", "label")

    def __init__(self, transport: Transport, request: MPI.Request, label: str) -> None:
        self.label = label
        self._transport = transport
        self._request: MPI.Request | None = request or None

    def done(self) -> bool:
        """Whether the buffer is free."""
        if self._request is not None and self._transport.test(self._request, self.label):
            self._request = None
        return self._request is None


class ReceiveRequest:
    """A receive under way; when it is done its buffer holds the message.

    Parameters
    ----------
    transport
        Moves the bytes.
    envelope
        Kind, item and peer of the message.
    buffer
        C-contiguous; the message must fill it.
    after
        An earlier receive of the same envelope, which gets the earlier message.
    counter
        Counts the message once it is here.

    Attributes
    ----------
    peer, tag
        Rank that sends the message, and its MPI tag: what MPI says of a message that has come.
    label
        The message in words, for errors.
    """

    __slots__ = (
        "_after",
        "_buffer",
        "_counter",
        "_done",
        "_envelope",
        "_request",
        "_transport",
        "label",
        "peer",
        "tag",
    )

    def __init__(
        self,
        transport: Transport,
        envelope: Envelope,
        buffer: npt.NDArray[Any],
        after: ReceiveRequest | None,
        counter: Counter,
    ) -> None:
        self.label, self.peer, self.tag = envelope.received, envelope.peer, envelope.tag
        self._transport, self._envelope = transport, envelope
        self._buffer, self._after, self._counter = buffer, after, counter
        self._request: MPI.Request | None = None
        self._done = False

    @property
    def matched(self) -> bool:
        """Whether the message has been found; the buffer may still be filling."""
        return self._done or self._request is not None

    def done(self) -> bool:
        """Whether the message is here.

        Raises
        ------
        MessageError
            The message is longer or shorter than the buffer, or MPI reports an error.
        """
        if self._done:
            return True
        if self._request is not None:
            self._done = self._transport.test(self._request, self.label)
        elif self._after is None or self._after.matched:
            self._after = None
            self._request = self._transport.receive(self._buffer, self._envelope)
            self._done = self._request is not None and not self._request
        if self._done:
            self._request = None
            self._counter.add(self._buffer.nbytes)
        return self._done
