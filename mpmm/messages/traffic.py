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


class Counter:
    """Counts the messages of one flow: a few times faster than finding the flow for each of them."""

    __slots__ = ("bytes", "messages")

    def __init__(self) -> None:
        self.messages = self.bytes = 0

    def add(self, size: int, messages: int = 1) -> None:
        """One more message of ``size`` bytes, or several of ``size`` bytes together."""
        self.messages += messages
        self.bytes += size


class Traffic:
    """Amount by flow; what the schedule predicts and what a channel counts are compared as they are."""

    def __init__(self) -> None:
        self._counters: dict[Flow, Counter] = {}

    def counter(self, direction: Direction, kind: Kind, peer: int) -> Counter:
        """What counts a flow's messages from now on, and has counted those before."""
        return self._counters.setdefault(Flow(direction, kind, peer), Counter())

    def count(self, direction: Direction, kind: Kind, peer: int, size: int) -> None:
        """One more message of ``size`` bytes."""
        self.counter(direction, kind, peer).add(size)

    def total(
        self, direction: Direction | None = None, kind: Kind | None = None, peer: int | None = None
    ) -> Amount:
        """Sum over all flows that match what is given."""
        amounts = Amount()
        for flow, amount in self._amounts():
            if (
                direction in (None, flow.direction)
                and kind in (None, flow.kind)
                and peer in (None, flow.peer)
            ):
                amounts += amount
        return amounts

    def __iter__(self) -> Iterator[tuple[Flow, Amount]]:
        return iter(sorted(self._amounts()))

    def __len__(self) -> int:
        return len(list(self._amounts()))

    def __add__(self, other: Traffic) -> Traffic:
        both = Traffic()
        for traffic in (self, other):
            for flow, amount in traffic:
                both.counter(flow.direction, flow.kind, flow.peer).add(amount.bytes, amount.messages)
        return both

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Traffic) and list(self) == list(other)

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

    def _amounts(self) -> Iterator[tuple[Flow, Amount]]:
        """What was counted, by flow; not those that nothing went by."""
        counters = self._counters.items()
        return (
            (flow, Amount(counter.messages, counter.bytes)) for flow, counter in counters if counter.messages
        )
