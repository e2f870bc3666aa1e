"""Transfers under way: one non-blocking send or receive each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from mpmm.messages.errors import MessageError
from mpmm.messages.wire import Wire

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

    The message is matched first and its length looked at before a byte of it is written: Open MPI 5.0
    writes beyond the buffer of a receive that is too short for a message of some 100 kB, and crashes.

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
    arrived
        Called once, when the message is here.

    Attributes
    ----------
    peer, tag
        As given: what MPI says of the message.
    """

    def __init__(
        self,
        wire: Wire,
        peer: int,
        tag: int,
        buffer: npt.NDArray[Any],
        what: str,
        after: Receiving | None,
        arrived: Callable[[], None],
    ) -> None:
        self.what = what
        self.peer, self.tag = peer, tag
        self._wire = wire
        self._buffer, self._after, self._arrived = buffer, after, arrived
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
        if not self.matched:
            self._match()
        if self._request is not None and self._wire.complete(self._request, self.what):
            self._request, self._done = None, True
            self._arrived()
        return self._done

    def _match(self) -> None:
        if self._after is not None and not self._after.matched:
            return
        self._after = None
        found = self._wire.find(self.peer, self.tag, self.what)
        if found is not None:
            message, length = found
            self._check_length(length)
            self._request = self._wire.fill(self._buffer, message, self.what)

    def _check_length(self, came: int) -> None:
        if came != self._buffer.nbytes:
            raise MessageError(
                f"{self.what} has {came} bytes, expected {self._buffer.nbytes}",
                "all ranks must run the same network, layout, batch and dtype",
            )
