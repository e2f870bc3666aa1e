"""The channel: checked, counted, non-blocking transfers of NumPy buffers between this rank and the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpmm.messages.alarm import mpi_alarm
from mpmm.messages.arrivals import Arrivals
from mpmm.messages.connection import Connection
from mpmm.messages.envelope import Envelope
from mpmm.messages.errors import MessageError
from mpmm.messages.kinds import Kind, tag_of
from mpmm.messages.progress import ProgressThread
from mpmm.messages.traffic import Traffic
from mpmm.messages.transfer import ReceiveRequest, SendRequest, Transfer
from mpmm.messages.transport import Transport
from mpmm.messages.waiting import Waiter

if TYPE_CHECKING:
    from mpi4py import MPI

Buffer = npt.NDArray[Any]


@dataclass(frozen=True)
class Arrival:
    """A message that has come and waits for its receive."""

    kind: Kind
    item: int
    peer: int
    bytes: int


class Channel:
    """One rank's end of all its connections.

    Messages are bare buffers: both ends know shape and dtype from the schedule. Each transfer's buffer
    is checked (C-contiguous, of the right sort of values, writable when receiving) and so is the number
    of bytes that came. Messages of one kind and item between two ranks arrive in the order they were sent.

    Parameters
    ----------
    communicator
        Of MPI; see `mpmm.messages.world`.
    waiter
        Waits for transfers; a new one by default.
    synchronous
        Every send completes only when its receive has begun (MPI's ``Issend``): what works so cannot
        depend on MPI's own buffers. For tests.

    Attributes
    ----------
    rank, size
        This rank, and the number of ranks.
    traffic
        What went and came since the start: a send counts when it starts, a receive when it is complete.
    """

    def __init__(
        self, communicator: MPI.Intracomm, waiter: Waiter | None = None, *, synchronous: bool = False
    ) -> None:
        self.communicator = communicator
        self.waiter = Waiter() if waiter is None else waiter
        self.rank, self.size = communicator.Get_rank(), communicator.Get_size()
        self.traffic = Traffic()
        self._transport = Transport(communicator, synchronous)
        self._connections: dict[tuple[Kind, int], dict[int, Connection]] = {}

    def connection(self, kind: Kind, item: int, peer: int) -> Connection:
        """All messages of this kind and item to and from ``peer``: the same object at every call."""
        connections = self._connections.setdefault((kind, item), {})
        if peer not in connections:
            self._check_peer(kind, item, peer)
            envelope = Envelope(kind, item, self.rank, peer)
            connections[peer] = Connection(self._transport, self.waiter, self.traffic, envelope)
        return connections[peer]

    def isend(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> SendRequest:
        """Start a send; ``buffer`` must stay as it is until `settle` (or the transfer's ``done``) says so."""
        return self.connection(kind, item, peer).isend(buffer)

    def ireceive(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> ReceiveRequest:
        """Start a receive that fills all of ``buffer``; nobody may touch it until the transfer is done."""
        return self.connection(kind, item, peer).ireceive(buffer)

    def send(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> None:
        """Send and wait until the buffer may be written again."""
        self.wait(self.isend(kind, item, buffer, peer))

    def receive(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> None:
        """Fill ``buffer`` with the next message of this kind and item from ``peer``."""
        self.connection(kind, item, peer).receive(buffer)

    def receive_new(self, kind: Kind, item: int, peer: int, dtype: npt.DTypeLike) -> Buffer:
        """The next message of this kind and item from ``peer``, however long, as a new (values,) array."""
        label = self.connection(kind, item, peer).received
        self.waiter.until(lambda: self.poll(kind, item, peer) is not None, label)
        arrival = self.poll(kind, item, peer)
        assert arrival is not None
        value = np.dtype(dtype)
        if arrival.bytes % value.itemsize:
            raise MessageError(
                f"{label} has {arrival.bytes} bytes, no multiple of the {value.itemsize} of {value.name}",
                "all ranks must run the same version of mpmm",
            )
        buffer = np.empty(arrival.bytes // value.itemsize, value)
        self.receive(kind, item, buffer, peer)
        return buffer

    def poll(self, kind: Kind, item: int, peer: int | None = None) -> Arrival | None:
        """The message of this kind and item that waits for its receive, or None; by default from anyone."""
        label = f"rank {self.rank}: {kind.label} {item} looked for"
        probed = self._transport.probe(peer, tag_of(kind, item), label)
        return None if probed is None else Arrival(kind, item, *probed)

    def wait(self, transfer: Transfer) -> None:
        """Wait until a transfer is complete."""
        self.waiter.until(transfer.done, transfer.label)

    def arrivals(self) -> Arrivals[Any]:
        """Looks after several receives, to go on with whichever is complete first."""
        return Arrivals(self._transport, self.waiter)

    def settle(self, kind: Kind, item: int, pending: int = 0) -> None:
        """Wait until at most ``pending`` sends of this kind and item are under way to each peer."""
        for connection in self._connections.get((kind, item), {}).values():
            connection.settle(pending)

    def settle_all(self) -> None:
        """Wait until no send is under way."""
        for connection in self._all_connections():
            connection.settle()

    def tidy(self) -> None:
        """Let go of the sends that are complete, and of those to a rank that was lost; never waits.

        Until then they count as under way, and the thread of `moving` looks after them.
        """
        for connection in self._all_connections():
            connection.tidy()

    def forget(self, peer: int) -> None:
        """Give up what is under way to a rank that was lost."""
        for connections in self._connections.values():
            if peer in connections:
                connections[peer].forget()

    @contextmanager
    def moving(self, *, apart: bool = False) -> Iterator[None]:
        """Within, a thread lets MPI move messages while this rank computes.

        Parameters
        ----------
        apart
            Whether every other rank is on another machine: where messages come by TCP, this rank then
            sleeps until there are some.
        """
        alarm = self.waiter.alarm = mpi_alarm() if apart else None
        # who waits looks, and moves messages so
        thread = ProgressThread(lambda: self.waiter.waits or self._transport.progress(), alarm)
        self._transport.started = thread.wake
        try:
            yield
        finally:
            self._transport.started = _nothing
            self.waiter.alarm = None
            thread.close()

    def _all_connections(self) -> list[Connection]:
        return [
            connection for connections in self._connections.values() for connection in connections.values()
        ]

    def _check_peer(self, kind: Kind, item: int, peer: int) -> None:
        if not 0 <= peer < self.size or peer == self.rank:
            raise MessageError(
                f"rank {self.rank}: {kind.label} {item} to or from rank {peer}: there is no such other rank",
                f"ranks go from 0 to {self.size - 1}",
            )


def _nothing() -> None:
    """Nobody needs to know."""
