"""Transfers under way: one non-blocking send or receive each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from mpmm.messages.traffic import Counter
from mpmm.messages.transport import Wire

if TYPE_CHECKING:
    from mpi4py import MPI


class Transfer(Protocol):
    """A send or receive that has been started.

    Attributes
    ----------
    what
        The message in words, for errors.
    """

    what: str

    def done(self) -> bool:
        """Whether it is complete; never waits."""
        ...


class Sending:
    """A send; when it is done its buffer may be written again."""

    __slots__ = ("_request", "_wire", "what")

    def __init__(self, wire: Wire, request: MPI.Request, what: str) -> None:
        self.what = what
        self._wire = wire
        self._request: MPI.Request | None = request

    def done(self) -> bool:
        """Whether the buffer is free."""
        if self._request is not None and self._wire.complete(self._request, self.what):
            self._request = None
        return self._request is None


class Receiving:
    """A receive; when it is done its buffer holds the message.

    Parameters
    ----------
    wire, peer, tag
        Where the message comes from.
    buffer
        C-contiguous; the message must fill it.
    what
        The message in words.
    after
        An earlier receive of the same peer and tag, which gets the earlier message.
    counter
        Counts the message once it is here.

    Attributes
    ----------
    peer, tag
        As given: what MPI says of the message.
    """

    __slots__ = ("_after", "_buffer", "_counter", "_done", "_request", "_wire", "peer", "tag", "what")

    def __init__(
        self,
        wire: Wire,
        peer: int,
        tag: int,
        buffer: npt.NDArray[Any],
        what: str,
        after: Receiving | None,
        counter: Counter,
    ) -> None:
        self.what = what
        self.peer, self.tag = peer, tag
        self._wire = wire
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
            self._done = self._wire.complete(self._request, self.what)
        elif self._after is None or self._after.matched:
            self._after = None
            self._request = self._wire.take(self._buffer, self.peer, self.tag, self.what)
            self._done = self._request is not None and not self._request
        if self._done:
            self._request = None
            self._counter.add(self._buffer.nbytes)
        return self._done
