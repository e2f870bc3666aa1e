"""The rehearsal: plays the schedules of all ranks together without MPI; a send waits for its receive.

Nothing is computed. Of each array only the step it belongs to is known, and the rehearsal demands that all
that an instruction needs is there and of this step, that a buffer under way is not written, that each send
meets a receive of the same shape and dtype, that sums are added where the tree says so, and that all ranks
come to their end. A layout of one's own can be trusted with any batch once it has been rehearsed with it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from mpmm.placement.holdings import Holdings, RehearsalError, demand
from mpmm.placement.instructions import AnyOrder, Instruction
from mpmm.placement.layout import Layout
from mpmm.placement.rules import Rules
from mpmm.placement.schedule import StepKind, schedule
from mpmm.placement.shape import NetworkShape
from mpmm.placement.shares import Share
from mpmm.placement.transfers import Receive, Settle, SettleAll


class Deadlock(RehearsalError):
    """Nobody can go on; the text says who waits for what."""


@dataclass
class RankProgress:
    """What a rank still has to do: (step, instruction), and the chains it is amid of."""

    todo: list[tuple[int, Instruction]]
    chains: list[list[Instruction]] | None = None


class Rehearsal:
    """All ranks of a layout, their events in a random order.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    steps
        Kind and batch of each step, as a run makes them.
    seed
        Of the order of events.

    Attributes
    ----------
    ranks
        What each still has to do; may be changed before `play`, to see what a wrong schedule does.
    """

    def __init__(
        self, shape: NetworkShape, layout: Layout, steps: Sequence[tuple[StepKind, int]], seed: int = 0
    ) -> None:
        self._holdings = Holdings(shape, layout, steps)
        self._rules = Rules(self._holdings)
        self._chance = random.Random(seed)
        self.ranks = [
            RankProgress(
                [
                    (step, instruction)
                    for step, (kind, batch) in enumerate(steps)
                    for instruction in schedule(shape, layout, rank, kind, batch)
                ]
            )
            for rank in range(layout.ranks)
        ]

    @property
    def versions(self) -> dict[str, int]:
        """By layer, how often it has been updated."""
        return self._holdings.versions

    @property
    def collected(self) -> dict[int, list[Share]]:
        """By step, the shares of an evaluation whose logits came together."""
        return self._rules.collected

    @property
    def snapshots(self) -> list[int]:
        """The number of steps in each snapshot that was taken."""
        return self._rules.snapshots

    def play(self) -> None:
        """To the end of all ranks.

        Raises
        ------
        RehearsalError
            Naming the rank, what it needs, and what it holds.
        Deadlock
            Naming what each rank waits for.
        """
        order = list(range(len(self.ranks)))
        while any(progress.todo for progress in self.ranks):
            self._chance.shuffle(order)
            advanced = [self._advance(rank) for rank in order]
            if not any(advanced):
                waiting = [self._waits(rank) for rank in sorted(order) if self.ranks[rank].todo]
                raise Deadlock("; ".join(waiting), "a receive has no send, or ranks wait in a circle")
        left = self._holdings.under_way()
        demand(not left, f"never received: {', '.join(map(str, left))}")

    def _waits(self, rank: int) -> str:
        progress = self.ranks[rank]
        waiting = (
            [progress.todo[0][1]] if progress.chains is None else [chain[0] for chain in progress.chains]
        )
        return f"rank {rank} waits: " + "; or ".join(map(str, waiting))

    def _advance(self, rank: int) -> bool:
        """As far as a random number of instructions goes; whether there was any progress."""
        progress, advanced = self.ranks[rank], False
        for _ in range(self._chance.randint(1, 12)):
            if not progress.todo or not self._attempt(rank, *progress.todo[0]):
                break
            advanced = True
            if progress.chains is None:
                progress.todo.pop(0)
        return advanced

    def _attempt(self, rank: int, step: int, instruction: Instruction) -> bool:
        """Follow one instruction if it need not wait."""
        if isinstance(instruction, AnyOrder):
            return self._any_order(rank, step, instruction)
        if isinstance(instruction, Receive):
            return self._receive(rank, step, instruction)
        if isinstance(instruction, Settle):
            pending = self._holdings.pending(rank, instruction.kind, instruction.item)
            return pending <= instruction.pending
        if isinstance(instruction, SettleAll):
            return not self._holdings.under_way(rank)
        self._rules.follow(rank, step, instruction)
        return True

    def _any_order(self, rank: int, step: int, instruction: AnyOrder) -> bool:
        progress = self.ranks[rank]
        if progress.chains is None:
            progress.chains = [list(chain) for chain in instruction.chains]
        self._chance.shuffle(progress.chains)
        for chain in progress.chains:
            if self._attempt(rank, step, chain[0]):
                chain.pop(0)
                progress.chains = [left for left in progress.chains if left] or None
                return True
        return False

    def _receive(self, rank: int, step: int, receive: Receive) -> bool:
        arrived = self._holdings.receive(rank, receive)
        if arrived is None:
            return False
        self._rules.received(rank, step, receive, arrived[0])
        return True
