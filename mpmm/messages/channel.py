"""The channel: checked, counted, non-blocking transfers of NumPy buffers between this rank and the others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mpmm.messages.arrivals import Arrivals
from mpmm.messages.errors import MessageError, RankLost
from mpmm.messages.kinds import Kind, tag_of
from mpmm.messages.pump import Pump
from mpmm.messages.traffic import Traffic
from mpmm.messages.transfer import Receiving, Sending, Transfer
from mpmm.messages.waiting import Waiter
from mpmm.messages.wire import Wire

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
        self._sends: dict[tuple[Kind, int], dict[int, deque[Sending]]] = {}
        self._receives: dict[tuple[Kind, int, int], Receiving] = {}

    def isend(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> Transfer:
        """Start a send; ``buffer`` must stay as it is until `settle` (or the transfer's ``done``) says so."""
        what = self._what(kind, item, f"to rank {peer}")
        self._check(what, kind, buffer, peer)
        transfer = Sending(self._wire, self._wire.start(buffer, peer, tag_of(kind, item), what), what)
        self.traffic.count("sent", kind, peer, buffer.nbytes)
        self._sends.setdefault((kind, item), {}).setdefault(peer, deque()).append(transfer)
        return transfer

    def ireceive(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> Transfer:
        """Start a receive that fills all of ``buffer``; nobody may touch it until the transfer is done."""
        what = self._what(kind, item, f"from rank {peer}")
        self._check(what, kind, buffer, peer)
        if not buffer.flags.writeable:
            raise MessageError(f"{what}: the buffer is read-only", "receive into another array")
        key = kind, item, peer
        transfer = Receiving(
            self._wire,
            peer,
            tag_of(kind, item),
            buffer,
            what,
            after=self._receives.get(key),
            arrived=lambda: self.traffic.count("received", kind, peer, buffer.nbytes),
        )
        self._receives[key] = transfer
        return transfer

    def send(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> None:
        """Send and wait until the buffer may be written again."""
        self.wait(self.isend(kind, item, buffer, peer))

    def receive(self, kind: Kind, item: int, buffer: Buffer, peer: int) -> None:
        """Fill ``buffer`` with the next message of this kind and item from ``peer``."""
        self.wait(self.ireceive(kind, item, buffer, peer))

    def receive_new(self, kind: Kind, item: int, peer: int, dtype: npt.DTypeLike) -> Buffer:
        """The next message of this kind and item from ``peer``, however long, as a new (values,) array."""
        what = self._what(kind, item, f"from rank {peer}")
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
        found = self._wire.peek(peer, tag_of(kind, item), self._what(kind, item, "looked for"))
        return None if found is None else Arrival(kind, item, *found)

    def wait(self, transfer: Transfer) -> None:
        """Wait until a transfer is complete."""
        self.waiter.until(transfer.done, transfer.what)

    def wait_any(self, transfers: Sequence[Transfer]) -> list[int]:
        """Wait until at least one of the transfers is complete; positions of all that are."""
        arrivals = Arrivals(self._wire, transfers)
        found: list[int] = []

        def ready() -> bool:
            found.extend(arrivals.complete())
            return bool(found)

        self.waiter.until(ready, _any_of(transfers))
        return sorted(found)

    def settle(self, kind: Kind, item: int, pending: int = 0) -> None:
        """Wait until at most ``pending`` sends of this kind and item are under way to each peer."""
        for queue in self._sends.get((kind, item), {}).values():
            while len(queue) > pending:
                self.wait(queue[0])
                queue.popleft()

    def settle_all(self) -> None:
        """Wait until no send is under way."""
        for kind, item in list(self._sends):
            self.settle(kind, item)

    def tidy(self) -> None:
        """Let go of the sends that are complete, and of those to a rank that was lost; never waits.

        Until then they count as under way, and the thread of `moving` looks after them every millisecond.
        """
        for queues in self._sends.values():
            for queue in queues.values():
                try:
                    while queue and queue[0].done():
                        queue.popleft()
                except RankLost:
                    queue.clear()

    def forget(self, peer: int) -> None:
        """Give up what is under way to a rank that was lost."""
        for queues in self._sends.values():
            queues.pop(peer, None)

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

    def _what(self, kind: Kind, item: int, whither: str) -> str:
        """The message in words."""
        return f"rank {self.rank}: {kind.label} {item} {whither}"

    def _check(self, what: str, kind: Kind, buffer: Buffer, peer: int) -> None:
        """The buffer can be sent or filled as it lies in memory."""
        if not 0 <= peer < self.size or peer == self.rank:
            raise MessageError(f"{what}: there is no such other rank", f"ranks go from 0 to {self.size - 1}")
        if not buffer.flags.c_contiguous:
            raise MessageError(
                f"{what}: the array of shape {buffer.shape} is not C-contiguous",
                "send numpy.ascontiguousarray(array); another order would arrive in the wrong layout",
            )
        if kind.floating and buffer.dtype.kind != "f":
            raise MessageError(
                f"{what}: the array has dtype {buffer.dtype}, expected floating point", "convert it first"
            )


def _any_of(transfers: Sequence[Transfer]) -> str:
    """Several messages in words, of which the first are enough."""
    text = " or ".join(transfer.what for transfer in transfers[:3])
    return f"{text} or {len(transfers) - 3} more" if len(transfers) > 3 else text


def _nothing() -> None:
    """Nobody needs to know."""
