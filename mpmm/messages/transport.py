"""The transport: the few non-blocking calls of MPI that transfers are made of, with MPI's errors as ours."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from mpmm.messages.envelope import Envelope
from mpmm.messages.errors import MessageError, RankLost

if TYPE_CHECKING:
    from mpi4py import MPI

_NO_TAG = 0


class Transport:
    """Moves bytes to and from other ranks by MPI; one thread at a time is in MPI.

    Parameters
    ----------
    communicator
        MPI's, of all ranks.
    synchronous
        Sends by ``Issend``: each completes only when its receive has begun.

    Attributes
    ----------
    started
        Called whenever a transfer has been started.
    """

    def __init__(self, communicator: MPI.Intracomm, synchronous: bool) -> None:
        # asked for only where there is a communicator
        from mpi4py import MPI

        self._mpi = MPI
        self._bytes = MPI.BYTE
        self._status = MPI.Status()
        self._communicator = communicator
        self._improbe = communicator.Improbe
        self._isend = communicator.Issend if synchronous else communicator.Isend
        self._lock = threading.Lock()
        self._pending = 0
        self.started: Callable[[], None] = lambda: None

    def send(self, buffer: npt.NDArray[Any], envelope: Envelope) -> MPI.Request:
        """Start a send of a C-contiguous array.

        Returns
        -------
        mpi4py.MPI.Request
            It is false when the buffer is free already: MPI has taken a short message over. Such a send is
            not under way, or `Channel.moving` would look after it until a later step settles it.
        """
        try:
            with self._lock:
                request = self._isend((buffer, self._bytes), envelope.peer, envelope.tag)
                taken = request.Test()
        except self._mpi.Exception as error:
            raise _translated(error, envelope.sent) from error
        if not taken:
            self._count()
        return request

    def receive(self, buffer: npt.NDArray[Any], envelope: Envelope) -> MPI.Request | None:
        """Start the receive of the next message into a C-contiguous array; None when none has come.

        The message is matched first and its length looked at before a byte of it is written: Open MPI 5.0
        writes beyond the buffer of a receive that is too short for a message of some 100 kB, and crashes.

        Returns
        -------
        mpi4py.MPI.Request or None
            It is false when the message is here already.

        Raises
        ------
        MessageError
            The message is longer or shorter than the buffer, or MPI reports an error.
        """
        peer, tag, status = envelope.peer, envelope.tag, self._status
        try:
            with self._lock:
                # Open MPI looks first and moves messages then: what has come is found by the second look
                message = self._improbe(peer, tag, status) or self._improbe(peer, tag, status)
                if message is None:
                    return None
                size = status.Get_count(self._bytes)
                if size == buffer.nbytes:
                    request = message.Irecv((buffer, self._bytes))
                    arrived = request.Test()
        except self._mpi.Exception as error:
            raise _translated(error, envelope.received) from error
        if size != buffer.nbytes:
            raise MessageError(
                f"{envelope.received} has {size} bytes, expected {buffer.nbytes}",
                "all ranks must run the same network, layout, batch and dtype",
            )
        if not arrived:
            self._count()
        return request

    def test(self, request: MPI.Request, label: str) -> bool:
        """Whether a send or receive is complete; if so, the request is spent.

        Parameters
        ----------
        request
            As `send` or `receive` gave it.
        label
            The message in words, for errors.
        """
        try:
            with self._lock:
                done = request.Test()
        except self._mpi.Exception as error:
            self._pending -= 1
            raise _translated(error, label) from error
        self._pending -= done
        return done

    def probe(self, peer: int | None, tag: int, label: str) -> tuple[int, int] | None:
        """Peer and bytes of the next message, which stays queued; from anyone when ``peer`` is None."""
        source = self._mpi.ANY_SOURCE if peer is None else peer
        try:
            with self._lock:
                if not self._probe(source, tag):
                    return None
                return self._status.Get_source(), self._status.Get_count(self._bytes)
        except self._mpi.Exception as error:
            raise _translated(error, label) from error

    def probe_any(self) -> tuple[int, int] | None:
        """Peer and tag of a message that has come and was not found yet; None when there is none."""
        try:
            with self._lock:
                if not self._probe(self._mpi.ANY_SOURCE, self._mpi.ANY_TAG):
                    return None
                return self._status.Get_source(), self._status.Get_tag()
        except self._mpi.Exception as error:
            raise _translated(error, "a look for messages") from error

    def progress(self) -> bool:
        """Let MPI move what it can, from any thread; whether a transfer is under way."""
        try:
            with self._lock:
                # no message has this tag: any call of MPI moves all messages
                self._communicator.Iprobe(self._mpi.ANY_SOURCE, _NO_TAG)
        except self._mpi.Exception as error:
            if not _lost(error):
                raise
            # those who wait for the lost rank are told by their own calls; "any" means the others from now on
            with self._lock:
                self._communicator.Ack_failed()
        return self._pending > 0

    def _probe(self, source: int, tag: int) -> bool:
        """Whether a message has come; it stays queued. Open MPI finds what has come by the second look."""
        iprobe = self._communicator.Iprobe
        return iprobe(source, tag, self._status) or iprobe(source, tag, self._status)

    def _count(self) -> None:
        self._pending += 1
        self.started()


def _lost(error: MPI.Exception) -> bool:
    """Whether it says that a rank was killed."""
    from mpi4py import MPI

    return error.Get_error_class() in (MPI.ERR_PROC_FAILED, MPI.ERR_PROC_FAILED_PENDING)


def _translated(error: MPI.Exception, label: str) -> MessageError:
    if _lost(error):
        return RankLost(f"{label} failed: that rank was killed", "see whether its machine ran out of memory")
    text = f"{label} failed: {error.Get_error_string()}"
    return MessageError(text, "see whether the other rank still runs")
