"""Traffic: how many messages and bytes went to and came from each peer, by kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mpmm.messages.kinds import Kind

Direction = Literal["sent", "received"]


@dataclass(frozen=True, order=True)
class Flow:
    """Messages of one kind in one direction between this rank and a peer."""

    direction: Direction
    kind: Kind
    peer: int


@dataclass(frozen=True)
class Amount:
    """Messages and the bytes in them, without MPI's own headers."""

    messages: int = 0
    bytes: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.messages + other.messages, self.bytes + other.bytes)


class Traffic:
    """Amount by flow; what the schedule predicts and what a channel counts are compared as they are."""

    def __init__(self) -> None:
        self._amounts: dict[Flow, Amount] = {}

    def count(self, direction: Direction, kind: Kind, peer: int, size: int) -> None:
        """One more message of ``size`` bytes."""
        flow = Flow(direction, kind, peer)
        self._amounts[flow] = self._amounts.get(flow, Amount()) + Amount(1, size)

    def total(
        self, direction: Direction | None = None, kind: Kind | None = None, peer: int | None = None
    ) -> Amount:
        """Sum over all flows that match what is given."""
        found = Amount()
        for flow, amount in self._amounts.items():
            if (
                direction in (None, flow.direction)
                and kind in (None, flow.kind)
                and peer in (None, flow.peer)
            ):
                found += amount
        return found

    def __iter__(self) -> Iterator[tuple[Flow, Amount]]:
        return iter(sorted(self._amounts.items()))

    def __len__(self) -> int:
        return len(self._amounts)

    def __add__(self, other: Traffic) -> Traffic:
        both = Traffic()
        both._amounts = dict(self._amounts)
        for flow, amount in other:
            both._amounts[flow] = both._amounts.get(flow, Amount()) + amount
        return both

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Traffic) and self._amounts == other._amounts

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Traffic({dict(self)})"

    def rows(self) -> list[dict[str, str | int]]:
        """One plain dict a flow, for a log."""
        return [
            {
                "direction": flow.direction,
                "kind": flow.kind.label,
                "peer": flow.peer,
                "messages": amount.messages,
                "bytes": amount.bytes,
            }
            for flow, amount in self
        ]
