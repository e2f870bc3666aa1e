"""The post of a simulation: messages on their way between ranks, arrived, and not yet received."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from mpmm.messages import Kind
from mpmm.placement.links import Links
from mpmm.placement.machine import Machine
from mpmm.placement.transfers import Receive, Send

# the sender, and what it sends: all messages with the same are received in the order of sending
Key = tuple[int, Kind, int]


@dataclass(eq=False)
class _Letter:
    """A message on its way: when it was sent, and its place in the order of all arrivals."""

    number: int
    source: int
    send: Send
    sent: float
    arrived: int = 0

    @property
    def key(self) -> Key:
        """What its receiver knows it by."""
        return self.source, self.send.kind, self.send.item


@dataclass
class _Box:
    """One rank's post: what has arrived, what is held back for it, which receives wait; and its own sends."""

    arrived: dict[Key, deque[_Letter]] = field(default_factory=dict)
    held: dict[Key, deque[_Letter]] = field(default_factory=dict)
    expected: set[Key] = field(default_factory=set)
    under_way: dict[tuple[Kind, int], dict[int, int]] = field(default_factory=dict)


def key_of(receive: Receive) -> Key:
    """What a receive's message is known by."""
    return receive.peer, receive.kind, receive.item


class Post:
    """Carries messages between ranks over the hosts' links.

    Within a host a message is there at once, and its receiver copies it. Between hosts a short message uses
    the link at once; a long one is announced, and begins when its receiver waits and has answered. A short
    send is over at once, a long one when its last byte has left or the receiver has copied it.

    Parameters
    ----------
    machine
        Hosts and ranks.

    Attributes
    ----------
    now
        Seconds since the start.
    changed
        Ranks for which something has arrived or whose send has ended, since this was last emptied.
    came
        By rank, seconds in which what has arrived from other hosts came over its host's link.
    """

    def __init__(self, machine: Machine) -> None:
        self.now = 0.0
        self.changed: list[int] = []
        self.came = [0.0] * len(machine.host_of)
        self._machine = machine
        self._boxes = [_Box() for _ in machine.host_of]
        self._links = Links([host.rate for host in machine.hosts])
        self._letters: dict[int, _Letter] = {}
        # (when, number, whether it has arrived or begins only now)
        self._events: list[tuple[float, int, bool]] = []
        self._count = 0

    @property
    def next_change(self) -> float:
        """When the next message arrives or begins, if nothing is sent before."""
        timer = self._events[0][0] if self._events else math.inf
        return min(timer, self._links.next_change)

    def advance(self, now: float) -> None:
        """Go on to this time, no later than `next_change`."""
        self.now = now
        for number in self._links.advance(now):
            self._settle(self._letters[number])
            self._last_byte(number)
        while self._events and self._events[0][0] <= now:
            _, number, arrives = heapq.heappop(self._events)
            if arrives:
                self._arrive(number)
            else:
                self._begin(number)

    def send(self, source: int, send: Send) -> None:
        """Send a message now."""
        self._count += 1
        letter = self._letters[self._count] = _Letter(self._count, source, send, self.now)
        local = self._machine.path(source, send.peer) is None
        box, long = self._boxes[send.peer], send.bytes > self._machine.eager
        if long:
            peers = self._boxes[source].under_way.setdefault((send.kind, send.item), {})
            peers[send.peer] = peers.get(send.peer, 0) + 1
        if local:
            self._arrive(letter.number)
        elif not long:
            self._begin(letter.number)
        elif letter.key in box.expected:
            box.expected.remove(letter.key)
            self._answer(letter)
        else:
            box.held.setdefault(letter.key, deque()).append(letter)

    def expect(self, rank: int, receive: Receive) -> None:
        """A rank waits for a message from now on: what was held back for that may begin."""
        box, key = self._boxes[rank], key_of(receive)
        if key in box.arrived:
            return
        held = box.held.get(key)
        if held:
            self._answer(held.popleft())
        else:
            box.expected.add(key)

    def has(self, rank: int, key: Key) -> bool:
        """Whether a message has arrived that was not received yet."""
        return key in self._boxes[rank].arrived

    def first_of(self, rank: int, keys: Iterable[Key]) -> Key:
        """Of messages that have arrived the one that came first."""
        arrived = self._boxes[rank].arrived
        return min((key for key in keys if key in arrived), key=lambda key: arrived[key][0].arrived)

    def receive(self, rank: int, key: Key) -> None:
        """Take a message that has arrived."""
        box = self._boxes[rank]
        box.expected.discard(key)
        letters = box.arrived[key]
        letter = letters.popleft()
        if not letters:
            del box.arrived[key]
        if self._machine.path(letter.source, rank) is None:
            self._settle(letter)

    def pending(self, rank: int, kind: Kind, item: int) -> int:
        """The most sends of this kind and item that are under way to one peer."""
        peers = self._boxes[rank].under_way.get((kind, item))
        return max(peers.values()) if peers else 0

    def all_settled(self, rank: int) -> bool:
        """Whether no send of this rank is under way."""
        return not self._boxes[rank].under_way

    def _answer(self, letter: _Letter) -> None:
        """The receiver waits: it answers as soon as a long message is announced, and that begins."""
        announced = max(self.now, letter.sent + self._machine.delay)
        heapq.heappush(self._events, (announced + self._machine.delay, letter.number, False))

    def _last_byte(self, number: int) -> None:
        heapq.heappush(self._events, (self.now + self._machine.delay, number, True))

    def _begin(self, number: int) -> None:
        letter = self._letters[number]
        path = self._machine.path(letter.source, letter.send.peer)
        assert path is not None, "within a host a message needs no link"
        if all(math.isinf(self._machine.hosts[host].rate) for host in path):
            self._settle(letter)
            self._last_byte(number)
        else:
            self._links.begin(self.now, number, (letter.source, letter.send.peer), path, letter.send.bytes)

    def _arrive(self, number: int) -> None:
        letter = self._letters.pop(number)
        if self._machine.path(letter.source, letter.send.peer) is not None:
            rate = self._machine.hosts[self._machine.host_of[letter.send.peer]].rate
            self.came[letter.send.peer] += letter.send.bytes / rate
        self._count += 1
        letter.arrived = self._count
        self._boxes[letter.send.peer].arrived.setdefault(letter.key, deque()).append(letter)
        self.changed.append(letter.send.peer)

    def _settle(self, letter: _Letter) -> None:
        """The send is over, where it was not so at once."""
        under_way = self._boxes[letter.source].under_way
        item = letter.send.kind, letter.send.item
        peers = under_way.get(item, {})
        if letter.send.peer not in peers:
            return
        peers[letter.send.peer] -= 1
        if not peers[letter.send.peer]:
            del peers[letter.send.peer]
            if not peers:
                del under_way[item]
        self.changed.append(letter.source)
