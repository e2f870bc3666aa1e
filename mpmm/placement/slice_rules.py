"""The rules of a rehearsal for layers in slices: who adds up and gives on which of a layer's values."""

from __future__ import annotations

from mpmm_kernels.groups import Node

from mpmm.messages import Kind
from mpmm.placement.holdings import Held, Holdings, demand
from mpmm.placement.instructions import Combine
from mpmm.placement.transfers import Message, Receive, Send

_ADDED, _TOTALS = "sum of gradients", "totals"


def is_slice(message: Message) -> bool:
    """Whether a message holds some of a layer's values only."""
    return message.rows > 0 and message.kind in (Kind.PUSH, Kind.TOTAL, Kind.PULL)


class SliceRules:
    """Follows what holds slices of layers.

    Parameters
    ----------
    holdings
        Of all ranks.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._of = holdings

    def sent(self, rank: int, step: int, send: Send) -> Held:
        """What a slice is of: partial sums, all of them, or a version of the parameters."""
        name = _named(send.name, send.row, send.shape[-1])
        if send.kind == Kind.TOTAL:
            total = step, self._of.total(step)
            self._of.need(rank, _ADDED, name, total)
            return total
        if send.kind == Kind.PUSH:
            sums = self._of.sums(rank, step, Kind.PUSH, send.name)
            demand(len(sums) == send.shape[0], f"rank {rank}: {send} of sums {sums}")
            return step, sums
        server = rank == self._of.layout.server
        return self._of.updates(rank, send.name) if server else self._of.get(rank, send.kind.label, name)

    def received(self, rank: int, step: int, receive: Receive, held: Held) -> None:
        """A slice is here; when all are, the layer is."""
        name = _named(receive.name, receive.row, receive.shape[-1])
        extent = receive.row, receive.shape[-1], receive.rows
        if receive.kind == Kind.PUSH:
            self._of.hold(rank, f"{receive.kind.label} from {receive.peer}", name, held)
        elif receive.kind == Kind.TOTAL:
            if self._filled(rank, _TOTALS, receive.name, (step, *extent)):
                self._of.hold(rank, Kind.PUSH.label, receive.name, held)
        else:
            self._of.hold(rank, receive.kind.label, name, held)
            if self._filled(rank, "slices", receive.name, (held, *extent)):
                self._of.hold(rank, receive.kind.label, receive.name, held)

    def _filled(self, rank: int, sort: str, name: str, part: tuple[Held, int, int, int]) -> bool:
        """Whether all values of an array are there, now that a part of this version is."""
        version, first, count, whole = part
        before = self._of.get(rank, sort, name)
        parts = before[1] if isinstance(before, tuple) and before[0] == version else ()
        apart = all(first >= start + length or start >= first + count for start, length in parts)
        demand(apart, f"rank {rank} receives values of {name} twice")
        parts = (*parts, (first, count))
        filled: bool = sum(length for _, length in parts) == whole
        # the same version may come again, after an evaluation
        self._of.hold(rank, sort, name, (version, () if filled else parts))
        return filled

    def sums(self, rank: int, step: int, combine: Combine) -> list[tuple[Node, ...]]:
        """The partial sums that are added up, those of a slice as they came from each rank."""
        name = _named(combine.name, combine.first, combine.count) if combine.count else combine.name
        return [
            self._of.sums(rank, step, combine.kind, combine.name if source == rank else name, source)
            for source, _ in combine.parts
        ]

    def combined(self, rank: int, step: int, combine: Combine, nodes: tuple[Node, ...]) -> None:
        """Sums are added up, of all values or of a slice."""
        if combine.count:
            name = _named(combine.name, combine.first, combine.count)
            self._of.hold(rank, _ADDED, name, (step, nodes))
        else:
            self._of.hold(rank, combine.kind.label, combine.name, (step, nodes))


def _named(layer: str, first: int, count: int) -> str:
    return f"{layer} {first} to {first + count - 1}"
