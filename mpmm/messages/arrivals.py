"""Which of several receives are complete, found by one look at all that has come."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.messages.transfer import Receiving, Transfer
from mpmm.messages.wire import Wire


class Arrivals:
    """Looks after several transfers at once.

    The server waits for some twenty pushes together. Asking MPI for each costs 80 us a look, asking for any
    message 5: only what has come, or is on its way into its buffer, is looked at by itself.

    Parameters
    ----------
    wire
        Of all the transfers.
    transfers
        That are waited for.
    """

    def __init__(self, wire: Wire, transfers: Sequence[Transfer]) -> None:
        self._wire = wire
        self._transfers = transfers
        # by what MPI says of a message; sends, and receives that have begun, have to be looked at
        self._expected: dict[tuple[int, int], int] = {}
        self._begun: list[int] = []
        for place, transfer in enumerate(transfers):
            if isinstance(transfer, Receiving) and not transfer.matched:
                self._expected[transfer.peer, transfer.tag] = place
            else:
                self._begun.append(place)

    def complete(self) -> list[int]:
        """Positions of the transfers that are complete by now."""
        while self._expected and (came := self._wire.peek_any()) is not None:
            place = self._expected.pop(came, None)
            if place is None:
                # a message that nobody here waits for hides those behind it: each has to be looked at
                self._begun = list(range(len(self._transfers)))
                break
            self._begun.append(place)
            self._transfers[place].done()
        return [place for place in self._begun if self._transfers[place].done()]
