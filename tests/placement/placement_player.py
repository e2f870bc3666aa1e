"""Plays the schedules of all ranks together without MPI: rendezvous sends, one value of time per array.

Nothing is computed. Each array is only known by the step it belongs to, and the player demands that all that
an instruction needs is there and of this step, that a buffer under way is not written, that each send
meets a receive of the same shape and dtype, and that all ranks come to their end.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mpmm.messages import Kind
from mpmm.placement import (
    AnyOrder,
    Backward,
    Collect,
    Forward,
    Infer,
    Instruction,
    Layout,
    LoadLabels,
    LoadPatches,
    Loss,
    NetworkShape,
    Receive,
    Send,
    Settle,
    SettleAll,
    Share,
    StepKind,
    TakeSnapshot,
    Update,
    schedule,
    share_of,
)


class Deadlock(Exception):
    """Nobody can go on; the text says who waits for what."""


@dataclass
class Rank:
    """What a rank still has to do, and the step of all that it holds."""

    todo: list[tuple[int, Instruction]]
    holds: dict[tuple[str, str], object] = field(default_factory=dict)
    chains: list[list[Instruction]] | None = None


class Player:
    """All ranks of a layout."""

    def __init__(
        self, shape: NetworkShape, layout: Layout, steps: Sequence[tuple[StepKind, int]], seed: int = 0
    ):
        self.shape, self.layout, self.steps = shape, layout, steps
        self.chance = random.Random(seed)
        self.under_way: dict[tuple[int, Kind, int], dict[int, list[tuple[Send, object]]]] = {}
        self.versions = {one.name: 0 for one in shape.trained_layers()}
        self.collected: dict[int, list[Share]] = defaultdict(list)
        self.snapshots: list[object] = []
        self.ranks = [
            Rank(
                [
                    (place, one)
                    for place, (kind, batch) in enumerate(steps)
                    for one in schedule(shape, layout, rank, kind, batch)
                ]
            )
            for rank in range(layout.ranks)
        ]

    def play(self) -> None:
        """To the end of all ranks."""
        while any(one.todo for one in self.ranks):
            order = list(range(self.layout.ranks))
            self.chance.shuffle(order)
            if not any(self.advance(rank) for rank in order):
                raise Deadlock("\n".join(self.waits(rank) for rank in order if self.ranks[rank].todo))
        left = [send for peers in self.under_way.values() for sends in peers.values() for send, _ in sends]
        assert not left, f"never received: {left}"

    def waits(self, rank: int) -> str:
        one = self.ranks[rank].todo[0][1]
        others = [one]
        if isinstance(one, AnyOrder):
            others = [chain[0] for chain in self.ranks[rank].chains or []]
        return f"rank {rank} waits: " + "; or ".join(str(other) for other in others)

    def advance(self, rank: int) -> bool:
        """As far as a random number of instructions goes; whether there was any progress."""
        mine, progress = self.ranks[rank], False
        for _ in range(self.chance.randint(1, 12)):
            if not mine.todo or not self.attempt(rank, *mine.todo[0]):
                break
            progress = True
            if mine.chains is None:
                mine.todo.pop(0)
        return progress

    def attempt(self, rank: int, step: int, one: Instruction) -> bool:
        """Follow one instruction if it need not wait."""
        if isinstance(one, AnyOrder):
            return self.any_order(rank, step, one)
        if isinstance(one, Receive):
            return self.receive(rank, one)
        if isinstance(one, Settle):
            return self.pending(rank, one.kind, one.item) <= one.pending
        if isinstance(one, SettleAll):
            return not any(
                any(peers.values()) for (source, *_), peers in self.under_way.items() if source == rank
            )
        self.follow(rank, step, one)
        return True

    def any_order(self, rank: int, step: int, one: AnyOrder) -> bool:
        mine = self.ranks[rank]
        if mine.chains is None:
            mine.chains = [list(chain) for chain in one.chains]
        self.chance.shuffle(mine.chains)
        for chain in mine.chains:
            if self.attempt(rank, step, chain[0]):
                chain.pop(0)
                mine.chains = [left for left in mine.chains if left]
                if not mine.chains:
                    mine.chains = None
                return True
        return False

    def pending(self, rank: int, kind: Kind, item: int) -> int:
        """The most sends of this kind and item that are under way to one peer."""
        return max(map(len, self.under_way.get((rank, kind, item), {}).values()), default=0)

    def receive(self, rank: int, one: Receive) -> bool:
        sends = self.under_way.get((one.peer, one.kind, one.item), {}).get(rank)
        if not sends:
            return False
        send, token = sends.pop(0)
        assert (send.name, send.shape, send.dtype) == (one.name, one.shape, one.dtype), (send, one)
        self.ranks[rank].holds[
            one.kind.label, f"{one.name} {one.peer}" if one.kind == Kind.PUSH else one.name
        ] = token
        return True

    def follow(self, rank: int, step: int, one: Instruction) -> None:
        """What never waits: all it needs must be there."""
        getattr(self, type(one).__name__)(rank, step, one)

    def version(self, step: int) -> int:
        """Training steps before this one."""
        return sum(kind == StepKind.TRAIN for kind, _ in self.steps[:step])

    def need(self, rank: int, what: str, name: str, token: object) -> None:
        held = self.ranks[rank].holds.get((what, name))
        assert held == token, f"rank {rank} needs {what} {name} of {token}, holds that of {held}"

    def hold(self, rank: int, what: str, name: str, token: object) -> None:
        self.ranks[rank].holds[what, name] = token

    def need_free(self, rank: int, kind: Kind, item: int, pending: int = 0) -> None:
        assert self.pending(rank, kind, item) <= pending, f"rank {rank} writes {kind.label} {item} under way"

    def Send(self, rank: int, step: int, one: Send) -> None:
        token: object = step
        if one.kind in (Kind.ACTIVATION, Kind.LOGITS):
            self.need(rank, "output", one.name, step)
        elif one.kind == Kind.GRADIENT:
            self.need(rank, "backward", self.shape.consumers[one.name], step)
        elif one.kind == Kind.PUSH:
            self.need(rank, "backward", one.name, step)
        elif one.kind == Kind.METRICS:
            self.need(rank, "loss", self.shape.output.name, step)
        elif one.kind == Kind.PULL:
            assert rank == self.layout.server
            token = self.versions[one.name]
        elif one.kind == Kind.SNAPSHOT:
            token = self.snapshots[-1]
        peers = self.under_way.setdefault((rank, one.kind, one.item), {})
        peers.setdefault(one.peer, []).append((one, token))

    def LoadPatches(self, rank: int, step: int, one: LoadPatches) -> None:
        self.hold(rank, "patches", one.modality, (step, one.share))

    def LoadLabels(self, rank: int, step: int, one: LoadLabels) -> None:
        self.hold(rank, "labels", "", (step, one.share))

    def Forward(self, rank: int, step: int, one: Forward) -> None:
        for layer in self.shape.by_name[one.block].layers:
            if layer.parameters:
                self.need_parameters(rank, layer.name, self.version(step))
                self.need_free(rank, Kind.PUSH, self.shape.layer_numbers[layer.name])
        self.inputs(rank, step, one)
        for source in self.shape.by_name[one.block].inputs:
            if source in self.shape.by_name:
                self.need_free(rank, Kind.GRADIENT, self.shape.block_numbers[source])
        for kind in (Kind.ACTIVATION, Kind.LOGITS):
            self.need_free(rank, kind, self.shape.block_numbers[one.block])
        self.hold(rank, "output", one.block, step)

    def Infer(self, rank: int, step: int, one: Infer) -> None:
        for layer in self.shape.by_name[one.block].layers:
            if layer.parameters:
                self.need_parameters(rank, layer.name, self.version(step))
        self.inputs(rank, step, one)
        for kind in (Kind.ACTIVATION, Kind.LOGITS):
            self.need_free(rank, kind, self.shape.block_numbers[one.block], pending=1)
        self.hold(rank, "output", one.block, step)

    def inputs(self, rank: int, step: int, one: Forward | Infer) -> None:
        assert one.share == share_of(self.layout, one.block, rank, self.steps[step][1])
        for source in self.shape.by_name[one.block].inputs:
            if source not in self.shape.by_name:
                self.need(rank, "patches", source, (step, one.share))
            else:
                here = rank in self.layout.owner[source]
                self.need(rank, "output" if here else "activation", source, step)

    def need_parameters(self, rank: int, layer: str, version: int) -> None:
        if rank == self.layout.server:
            assert self.versions[layer] == version, (
                f"{layer} is {self.versions[layer]} steps old, not {version}"
            )
        else:
            self.need(rank, "parameter pull", layer, version)

    def Loss(self, rank: int, step: int, one: Loss) -> None:
        assert one.block == self.shape.output.name
        self.need(rank, "output", one.block, step)
        self.need(rank, "labels", "", (step, one.share))
        self.need_free(rank, Kind.METRICS, 0)
        self.hold(rank, "loss", one.block, step)

    def Backward(self, rank: int, step: int, one: Backward) -> None:
        block = self.shape.by_name[one.block]
        names = [layer.name for layer in block.layers]
        above = names[names.index(one.layer) + 1 :]
        if above:
            self.need(rank, "backward", above[0], step)
        else:
            self.gradient(rank, step, one.block)
        self.need_free(rank, Kind.ACTIVATION, self.shape.block_numbers[one.block])
        if one.layer in self.shape.layer_numbers:
            self.need_free(rank, Kind.PUSH, self.shape.layer_numbers[one.layer])
        self.hold(rank, "backward", one.layer, step)
        if one.layer == names[0]:
            self.hold(rank, "backward", one.block, step)

    def gradient(self, rank: int, step: int, block: str) -> None:
        """The gradient of a block's output is there."""
        reader = self.shape.consumers.get(block)
        if reader is None:
            self.need(rank, "loss", block, step)
        elif rank in self.layout.owner[reader]:
            self.need(rank, "backward", reader, step)
        else:
            self.need(rank, "activation gradient", block, step)

    def Update(self, rank: int, step: int, one: Update) -> None:
        assert rank == self.layout.server
        assert list(one.parts) == sorted(one.parts), "in rank order"
        assert sum(samples for _, samples in one.parts) == self.steps[step][1], "the whole batch"
        for source, _ in one.parts:
            if source == rank:
                self.need(rank, "backward", one.layer, step)
            else:
                self.need(rank, "parameter push", f"{one.layer} {source}", step)
        self.need_free(rank, Kind.PULL, self.shape.layer_numbers[one.layer])
        assert self.versions[one.layer] == self.version(step), "updated once a step"
        self.versions[one.layer] += 1

    def TakeSnapshot(self, rank: int, step: int, one: TakeSnapshot) -> None:
        assert rank == self.layout.server
        assert set(self.versions.values()) == {self.version(step)}, "between two steps"
        for part in range(4):
            self.need_free(rank, Kind.SNAPSHOT, part, pending=1)
        self.snapshots.append(self.version(step))

    def Collect(self, rank: int, step: int, one: Collect) -> None:
        assert rank == self.layout.collector
        if rank in self.layout.owner[self.shape.output.name] and one.share == share_of(
            self.layout, self.shape.output.name, rank, self.steps[step][1]
        ):
            self.need(rank, "output", self.shape.output.name, step)
        else:
            self.need(rank, "logits", self.shape.output.name, step)
        self.collected[step].append(one.share)
