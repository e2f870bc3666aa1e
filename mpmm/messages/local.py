"""The channel of a process that runs alone: the same calls as among ranks, without MPI."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpmm.messages.channel import Arrival, Channel
from mpmm.messages.connection import Connection
from mpmm.messages.kinds import Kind
from mpmm.messages.traffic import Traffic
from mpmm.messages.waiting import Waiter


class LocalChannel(Channel):
    """A channel of one rank: nothing is ever under way, and every peer is refused.

    What plays a schedule needs no other code for one process: the schedule of a rank that is alone holds no
    message. mpi4py is not imported.

    Parameters
    ----------
    waiter
        How to wait; nothing has to be waited for.

    Attributes
    ----------
    rank, size
        0 and 1.
    traffic
        Stays empty.
    """

    def __init__(self, waiter: Waiter | None = None) -> None:
        # not the constructor of Channel, which opens MPI's transport
        self.waiter = Waiter() if waiter is None else waiter
        self.rank, self.size = 0, 1
        self.traffic = Traffic()
        self._connections: dict[tuple[Kind, int], dict[int, Connection]] = {}

    def poll(self, kind: Kind, item: int, peer: int | None = None) -> Arrival | None:
        """Return None: there is nobody from whom a message could come."""
        return None

    @contextmanager
    def moving(self, *, apart: bool = False) -> Iterator[None]:
        """Do nothing within: no message has to be moved."""
        yield
