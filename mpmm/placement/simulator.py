"""The simulator: plays the schedules of all ranks on a model of cores and links, and tells how long it takes.

It is a function of its arguments alone: no clock, no chance, no network. What ranks do is what
`mpmm.placement.schedule` says, the same instructions that they follow when they train.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from mpmm.placement.cores import Cores
from mpmm.placement.instructions import AnyOrder, Instruction
from mpmm.placement.layout import Layout
from mpmm.placement.machine import Machine
from mpmm.placement.post import Post, key_of
from mpmm.placement.profile import Costs, Profile
from mpmm.placement.rehearsal import Deadlock
from mpmm.placement.schedule import StepKind, schedule
from mpmm.placement.shape import NetworkShape
from mpmm.placement.simulated import Prediction, Span, prediction
from mpmm.placement.threads import threads_per_rank
from mpmm.placement.transfers import Receive, Send, Settle, SettleAll

# the first step fills what flows between ranks, in the last some have ended already
_LEAST = 3
_STEPS = 5


@dataclass(frozen=True)
class _Work:
    """Seconds of computing by a rank's threads, which it asks for and waits until they are over."""

    seconds: float
    threads: int


# the number of work that goes on beside what ranks do, and that nobody waits for
_BESIDE = -1
# what a rank's program asks for: time on its cores, or to go on when something holds
Request = _Work | Callable[[], bool]
Program = Iterator[Request]


def simulate(
    shape: NetworkShape,
    layout: Layout,
    batch: int,
    profile: Profile,
    machine: Machine,
    steps: int = _STEPS,
) -> Prediction:
    """Play so many training steps one after the other, as a run does.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    batch
        Samples of all ranks together in a step.
    profile
        What instructions take.
    machine
        Hosts, the host of each rank, and what messages take.
    steps
        How many; at least 3, for neither the first nor the last is counted.

    Raises
    ------
    Deadlock
        Ranks wait for each other; no layout that `layout_for` accepts does that.
    """
    if steps < _LEAST:
        raise ValueError(f"{steps} steps, expected {_LEAST} or more: the first and the last are not counted")
    speeds = tuple(machine.hosts[host].speed for host in machine.host_of)
    costs = Costs(shape, layout, batch, profile, threads_on(shape, layout, machine), speeds)
    simulation = Simulation(profile.on_this(machine), costs, layout.server)
    for rank in range(layout.ranks):
        start = schedule(shape, layout, rank, StepKind.START)
        simulation.add(start, schedule(shape, layout, rank, StepKind.TRAIN, batch), steps)
    simulation.play()
    return prediction(
        machine, simulation.spans, simulation.last, simulation.ends, (min(1, steps - _LEAST), steps - 2)
    )


def threads_on(shape: NetworkShape, layout: Layout, machine: Machine) -> tuple[int, ...]:
    """Threads of each rank: the ranks of a host share its whole cores, or those of its quota."""
    threads = [1] * layout.ranks
    for number in sorted({machine.host_of[rank] for rank in layout.workers}):
        together = machine.together(number)
        cores = max(1, math.floor(machine.hosts[number].core_seconds))
        for rank, count in zip(together, threads_per_rank(shape, layout, cores, together), strict=True):
            threads[rank] = count
    return tuple(threads)


def threads_of_hosts(machine: Machine) -> tuple[int, ...]:
    """Numbers of threads that a rank may compute with: one, or all whole cores of a host."""
    return tuple(sorted({1, *(max(1, math.floor(host.core_seconds)) for host in machine.hosts)}))


class Simulation:
    """All ranks of a machine, and the events that let them go on.

    Parameters
    ----------
    machine
        Hosts, and the host of each rank.
    costs
        Seconds and threads of the instructions.
    server
        The rank whose steps are counted.

    Attributes
    ----------
    spans
        Of each rank, what it did when.
    last
        Of each rank the number of the first span of its last step.
    ends
        When the server's training steps ended.
    """

    def __init__(self, machine: Machine, costs: Costs, server: int) -> None:
        self.spans: list[list[Span]] = []
        self.last: list[int] = []
        self.ends: list[float] = []
        self._machine, self._costs, self._server = machine, costs, server
        self._post = Post(machine)
        profile = costs.profile
        self._cores = [
            Cores([machine.hosts[host] for host in hosts], profile.crowding, profile.stop, profile.switch)
            for hosts in machine.sharing
        ]
        # of each host the number of its cores, and its own among those that share them
        self._seats = {
            host: (number, seat)
            for number, hosts in enumerate(machine.sharing)
            for seat, host in enumerate(hosts)
        }
        # when cores next change; an entry that is not the newest of these is void
        self._changes: list[tuple[float, int, int]] = []
        self._newest = [0] * len(self._cores)
        self._programs: list[Program] = []
        self._blocked: dict[int, Callable[[], bool]] = {}
        self._doing: list[Instruction | None] = []

    def add(self, start: Sequence[Instruction], train: Sequence[Instruction], steps: int) -> None:
        """Add the next rank: its instructions before the first step, and those of each step."""
        rank = len(self._programs)
        self._programs.append(self._program(rank, start, train, steps))
        self.spans.append([])
        self.last.append(0)
        self._doing.append(None)

    def play(self) -> None:
        """To the end of all ranks.

        Raises
        ------
        Deadlock
            Naming what each rank waits for.
        """
        ready = list(range(len(self._programs)))
        while True:
            for rank in ready:
                self._resume(rank)
            now = self._next_change
            if now == math.inf:
                break
            ready = self._advance(now)
        if self._blocked:
            waiting = [f"rank {rank} waits: {self._doing[rank]}" for rank in sorted(self._blocked)]
            raise Deadlock("; ".join(waiting), "a receive has no send, or ranks wait in a circle")

    @property
    def _next_change(self) -> float:
        if self._post.changed:
            return self._post.now
        return min(self._changes[0][0] if self._changes else math.inf, self._post.next_change)

    def _advance(self, now: float) -> list[int]:
        """Go on to this time; the ranks that can go on."""
        self._post.advance(now)
        ready: list[int] = []
        while self._changes and self._changes[0][0] <= now:
            _, cores, number = heapq.heappop(self._changes)
            if number == self._newest[cores]:
                ready += self._ended(cores, now)
                self._note(cores)
        changed, self._post.changed = dict.fromkeys(self._post.changed), []
        for rank in changed:
            if rank in self._blocked and self._blocked[rank]():
                del self._blocked[rank]
                ready.append(rank)
        return ready

    def _note(self, cores: int) -> None:
        self._newest[cores] += 1
        change = self._cores[cores].next_change
        if change < math.inf:
            heapq.heappush(self._changes, (change, cores, self._newest[cores]))

    def _resume(self, rank: int) -> None:
        """Let a rank go on until it computes, waits, or has ended."""
        for request in self._programs[rank]:
            if isinstance(request, _Work):
                self._begin(rank, rank, request)
                return
            if not request():
                self._blocked[rank] = request
                return

    def _begin(self, rank: int, task: int, work: _Work) -> None:
        """Begin work on the cores of a rank's host."""
        cores, seat = self._seats[self._machine.host_of[rank]]
        for other in self._ended(cores, self._post.now):
            self._resume(other)
        self._cores[cores].begin(task, work.seconds, work.threads, seat)
        self._note(cores)

    def _ended(self, cores: int, now: float) -> list[int]:
        """The ranks whose work has ended by now."""
        return [task for task in self._cores[cores].advance(now) if task != _BESIDE]

    def _beside(self, rank: int, seconds: float) -> None:
        """A thread of the rank works for so long, while the rank goes on."""
        if seconds:
            self._begin(rank, _BESIDE, _Work(seconds, 1))

    def _program(
        self, rank: int, start: Sequence[Instruction], train: Sequence[Instruction], steps: int
    ) -> Program:
        for instruction in start:
            yield from self._follow(rank, instruction)
        for _ in range(steps):
            self.last[rank] = len(self.spans[rank])
            if train and (between := self._costs.between(rank)):
                yield from self._work(rank, "work", train[0], _Work(between, 1))
            for instruction in train:
                yield from self._follow(rank, instruction)
            if rank == self._server:
                self.ends.append(self._post.now)

    def _follow(self, rank: int, instruction: Instruction) -> Program:
        self._doing[rank] = instruction
        if isinstance(instruction, AnyOrder):
            yield from self._follow_any(rank, instruction)
        elif isinstance(instruction, Receive):
            self._post.expect(rank, instruction)
            yield from self._wait(rank, instruction, lambda: self._post.has(rank, key_of(instruction)))
            yield from self._take(rank, instruction)
        elif isinstance(instruction, Settle):
            yield from self._work(rank, "work", instruction, _Work(self._costs.seconds(rank, instruction), 1))
            kind, item, most = instruction.kind, instruction.item, instruction.pending
            yield from self._wait(rank, instruction, lambda: self._post.pending(rank, kind, item) <= most)
        elif isinstance(instruction, SettleAll):
            yield from self._wait(rank, instruction, lambda: self._post.all_settled(rank))
        elif isinstance(instruction, Send):
            handling = self._machine.handling(rank, instruction.peer, instruction.bytes, receives=False)
            yield from self._work(rank, "message", instruction, _Work(handling, 1))
            self._post.send(rank, instruction)
        else:
            beside = self._costs.beside(rank, instruction)
            self._beside(rank, beside)
            seconds, threads = self._costs.seconds(rank, instruction), self._costs.threads[rank]
            yield from self._work(rank, "work", instruction, _Work(seconds, threads), beside)

    def _follow_any(self, rank: int, order: AnyOrder) -> Program:
        """Each chain up to its next receive; then whichever message came first lets its chain go on."""
        waiting = {}
        chains = [iter(chain) for chain in order.chains]
        while chains:
            for chain in chains:
                for instruction in chain:
                    if isinstance(instruction, Receive):
                        self._post.expect(rank, instruction)
                        waiting[key_of(instruction)] = instruction, chain
                        break
                    yield from self._follow(rank, instruction)
            if not waiting:
                return
            self._doing[rank] = order
            yield from self._wait(rank, order, lambda: any(self._post.has(rank, key) for key in waiting))
            receive, chain = waiting.pop(self._post.first_of(rank, waiting))
            yield from self._take(rank, receive)
            chains = [chain]

    def _take(self, rank: int, receive: Receive) -> Program:
        """Receive what is here; from the same host it is copied, and free for its sender only then."""
        seconds = self._machine.handling(receive.peer, rank, receive.bytes, receives=True)
        yield from self._work(rank, "message", receive, _Work(seconds, 1))
        self._post.receive(rank, key_of(receive))

    def _wait(self, rank: int, instruction: Instruction, until: Callable[[], bool]) -> Program:
        began, came = self._post.now, self._post.came[rank]
        yield until
        if self._post.now > began:
            woken, coming = self._machine.apart(rank), self._post.came[rank] - came
            looks = self._costs.waiting(rank, self._post.now - began, woken=woken, coming=coming)
            self.spans[rank].append(Span("wait", instruction, began, self._post.now, looks))
            self._beside(rank, looks)

    def _work(
        self, rank: int, category: str, instruction: Instruction, work: _Work, beside: float = 0.0
    ) -> Program:
        began = self._post.now
        if work.seconds:
            yield work
        cpu = work.seconds * work.threads + beside
        self.spans[rank].append(Span(category, instruction, began, self._post.now, cpu))
