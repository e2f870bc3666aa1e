"""The channel: checked, counted, non-blocking transfers of NumPy buffers between this rank and the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpmm.messages.arrivals import Arrivals
from mpmm.messages.connection import Line
from mpmm.messages.errors import MessageError
from mpmm.messages.kinds import Kind, tag_of
from mpmm.messages.progress import Pump
from mpmm.messages.traffic import Traffic
from mpmm.messages.transfer import Receiving, Sending, Transfer
from mpmm.messages.transport import Wire
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
        How to wait.
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
        self._wire = Wire(communicator, synchronous)
        self._lines: dict[tuple[Kind, int], dict[int, Line]] = {}

    def line(self, kind: Kind, item: int, peer: int) -> Line:
        """All messages of this kind and item to and from ``peer``: the same object at every call."""
        lines = self._lines.setdefault((kind, item), {})
        if peer not in lines:
            self._check_peer(kind, item, peer)
            lines[peer] = Line(self._wire, self.waiter, self.traffic, kind, item, peer, self.rank)
        return lines[peer]

    def isend(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> Sending:
        """Start a send; ``buffer`` must stay as it is until `settle` (or the transfer's ``done``) says so."""
        return self.line(kind, item, peer).isend(buffer)

    def ireceive(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> Receiving:
        """Start a receive that fills all of ``buffer``; nobody may touch it until the transfer is done."""
        return self.line(kind, item, peer).ireceive(buffer)

    def send(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> None:
        """Send and wait until the buffer may be written again."""
        self.wait(self.isend(kind, item, buffer, peer))

    def receive(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> None:
        """Fill ``buffer`` with the next message of this kind and item from ``peer``."""
        self.line(kind, item, peer).receive(buffer)

    def receive_new(self, kind: Kind, item: int, peer: int, dtype: npt.DTypeLike) -> Buffer:
        """The next message of this kind and item from ``peer``, however long, as a new (values,) array."""
        what = self.line(kind, item, peer).received
        self.waiter.until(lambda: self.poll(kind, item, peer) is not None, what)
        arrival = self.poll(kind, item, peer)
        assert arrival is not None
        kept = np.dtype(dtype)
        if arrival.bytes % kept.itemsize:
            raise MessageError(
                f"{what} has {arrival.bytes} bytes, no multiple of the {kept.itemsize} of {kept.name}",
                "all ranks must run the same version of mpmm",
            )
        buffer = np.empty(arrival.bytes // kept.itemsize, kept)
        self.receive(kind, item, buffer, peer)
        return buffer

    def poll(self, kind: Kind, item: int, peer: int | None = None) -> Arrival | None:
        """The message of this kind and item that waits for its receive, or None; by default from anyone."""
        what = f"rank {self.rank}: {kind.label} {item} looked for"
        found = self._wire.peek(peer, tag_of(kind, item), what)
        return None if found is None else Arrival(kind, item, *found)

    def wait(self, transfer: Transfer) -> None:
        """Wait until a transfer is complete."""
        self.waiter.until(transfer.done, transfer.what)

    def arrivals(self) -> Arrivals[Any]:
        """Looks after several receives, to go on with whichever is complete first."""
        return Arrivals(self._wire, self.waiter)

    def settle(self, kind: Kind, item: int, pending: int = 0) -> None:
        """Wait until at most ``pending`` sends of this kind and item are under way to each peer."""
        for line in self._lines.get((kind, item), {}).values():
            line.settle(pending)

    def settle_all(self) -> None:
        """Wait until no send is under way."""
        for line in self._all_lines():
            line.settle()

    def tidy(self) -> None:
        """Let go of the sends that are complete, and of those to a rank that was lost; never waits.

        Until then they count as under way, and the thread of `moving` looks after them every millisecond.
        """
        for line in self._all_lines():
            line.tidy()

    def forget(self, peer: int) -> None:
        """Give up what is under way to a rank that was lost."""
        for lines in self._lines.values():
            if peer in lines:
                lines[peer].forget()

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Within, a thread lets MPI move messages while this rank computes."""
        pump = Pump(self._wire.move)
        self._wire.started = pump.wake
        try:
            yield
        finally:
            self._wire.started = _nothing
            pump.close()

    def _all_lines(self) -> list[Line]:
        return [line for lines in self._lines.values() for line in lines.values()]

    def _check_peer(self, kind: Kind, item: int, peer: int) -> None:
        if not 0 <= peer < self.size or peer == self.rank:
            raise MessageError(
                f"rank {self.rank}: {kind.label} {item} to or from rank {peer}: there is no such other rank",
                f"ranks go from 0 to {self.size - 1}",
            )


def _nothing() -> None:
    """Nobody needs to know."""
