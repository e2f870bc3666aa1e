"""What each rank of a rehearsal holds: of each array the step it belongs to, and the messages under way."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm_kernels.groups import Node

from mpmm.errors import LayoutError
from mpmm.messages import Kind
from mpmm.placement.layout import Layout
from mpmm.placement.schedule import StepKind
from mpmm.placement.shape import NetworkShape, maker_of
from mpmm.placement.shares import Share, micro_batches, share_of
from mpmm.placement.transfers import Receive, Send

Held = object
# what comes in place of a rank's own partial sums
TOTALS = {Kind.TOTAL: Kind.PUSH, Kind.SUMS_TOTAL: Kind.SUMS}


class RehearsalError(LayoutError):
    """A schedule that cannot be played: what a rank needed and what it had."""


def demand(holds: bool, text: str) -> None:
    """End the rehearsal with this text unless something holds."""
    if not holds:
        raise RehearsalError(text, "the schedule of this rank or of its peer is wrong")


class Holdings:
    """The arrays of all ranks, as what is known of them.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    steps
        Kind and batch of each step.

    """

    def __init__(self, shape: NetworkShape, layout: Layout, steps: Sequence[tuple[StepKind, int]]) -> None:
        self.shape, self.layout, self.steps = shape, layout, steps
        self._versions: dict[tuple[int, str], int] = {}
        self._arrays: dict[tuple[int, str, str], Held] = {}
        self._under_way: dict[tuple[int, Kind, int], dict[int, list[tuple[Send, Held]]]] = {}

    def version(self, step: int) -> int:
        """Training steps before this one."""
        return sum(kind == StepKind.TRAIN for kind, _ in self.steps[:step])

    @property
    def versions(self) -> dict[str, int]:
        """By layer, how often it has been updated by each of those who do."""
        return {
            layer.name: min(self.updates(rank, layer.name) for rank in self.updaters(layer.name))
            for layer in self.shape.trained_layers()
        }

    def updaters(self, layer: str) -> tuple[int, ...]:
        """Ranks that update a layer."""
        if not self.layout.owners_update:
            return (self.layout.server,)
        block = next(
            block.name for block in self.shape.blocks if layer in {each.name for each in block.layers}
        )
        return self.layout.owner[block]

    def updates(self, rank: int, layer: str) -> int:
        """How often a rank has updated a layer."""
        return self._versions.get((rank, layer), 0)

    def update(self, rank: int, layer: str) -> None:
        """A rank updates a layer."""
        self._versions[rank, layer] = self.updates(rank, layer) + 1

    def share(self, rank: int, step: int, block: str, micro_batch: int = 0) -> Share:
        """What a rank computes of a block, or of one of its outputs, in a step, or in a micro-batch of it."""
        batch = self.steps[step][1]
        share = share_of(self.layout, maker_of(block), rank, batch)
        if share.count and micro_batch:
            return micro_batches(self.layout.options, batch)[micro_batch - 1]
        return share

    def total(self, step: int) -> tuple[Node, ...]:
        """The sum over all samples of a step's batch."""
        return Share(0, self.steps[step][1]).sums

    def get(self, rank: int, sort: str, name: str) -> Held:
        """What is known of an array; None: it was never there."""
        return self._arrays.get((rank, sort, name))

    def hold(self, rank: int, sort: str, name: str, held: Held) -> None:
        """An array is there now."""
        self._arrays[rank, sort, name] = held

    def need(self, rank: int, sort: str, name: str, needed: Held) -> None:
        """Demand an array as it is known to be needed."""
        held = self.get(rank, sort, name)
        demand(held == needed, f"rank {rank} needs {sort} {name} of {needed}, holds that of {held}")

    def fill(self, rank: int, step: int, sort: str, name: str, rows: tuple[int, int, int]) -> None:
        """Some rows of an array are there now: the first, how many, and how many there are in all."""
        first, count, whole = rows
        held = self.get(rank, sort, name)
        filled = held[1] if isinstance(held, tuple) and held[0] == step else frozenset()
        new = frozenset(range(first, first + count))
        fits = not filled & new and first + count <= whole
        demand(fits, f"rank {rank} fills rows of {sort} {name} twice, or more than it has")
        self.hold(rank, sort, name, (step, filled | new))

    def need_rows(self, rank: int, step: int, sort: str, name: str, count: int) -> None:
        """Demand an array of which all rows have been filled."""
        self.need(rank, sort, name, (step, frozenset(range(count))))

    def need_parameters(self, rank: int, layer: str, version: int) -> None:
        """Demand a layer's parameters after so many updates."""
        if rank in self.updaters(layer):
            now = self.updates(rank, layer)
            demand(now == version, f"{layer} is {now} steps old on rank {rank}, not {version}")
        else:
            self.need(rank, Kind.PULL.label, layer, version)

    def sums(
        self, rank: int, step: int, kind: Kind, name: str, source: int | None = None
    ) -> tuple[Node, ...]:
        """The partial sums of this step that a rank has: its own, or those that came from another."""
        sort = kind.label if source in (None, rank) else f"{kind.label} from {source}"
        held = self.get(rank, sort, name)
        if not isinstance(held, tuple) or held[0] != step:
            raise RehearsalError(
                f"rank {rank} needs {sort} {name} of {step}, holds that of {held}",
                "sums are added before they are made, or have come",
            )
        sums: tuple[Node, ...] = held[1]
        return sums

    def sent_sums(self, rank: int, step: int, send: Send) -> Held:
        """The partial sums that a message holds, or what all of them add up to."""
        sums = self.sums(rank, step, TOTALS.get(send.kind, send.kind), send.name)
        demand(len(sums) == send.shape[0], f"rank {rank}: {send} of sums {sums}")
        whole = send.kind not in TOTALS or sums == self.total(step)
        demand(whole, f"rank {rank}: {send} of sums {sums}, which are not all")
        return step, sums

    def sent_values(self, rank: int, send: Send) -> Held:
        """After how many updates all layers are whose values a message holds."""
        server = rank == self.layout.server
        held = [
            self.updates(rank, layer) if server else self.get(rank, Kind.PULL.label, layer)
            for layer in send.layers
        ]
        demand(len(set(held)) == 1, f"rank {rank}: {send} of layers after {held} updates")
        return held[0]

    def need_values_sent(self, rank: int, layer: str) -> None:
        """Demand that a layer's values can be written: no message that holds them is under way."""
        sends = [send for send in self.under_way(rank) if send.kind == Kind.PULL]
        free = all(layer != send.name and layer not in send.layers for send in sends)
        demand(free, f"rank {rank} writes {Kind.PULL.label} {layer} under way")

    def need_free(
        self, rank: int, kind: Kind, item: int, pending: int = 0, micro_batch: int | None = None
    ) -> None:
        """Demand that a buffer can be written: that of a micro-batch, or of all."""
        free = self.pending(rank, kind, item, micro_batch) <= pending
        demand(free, f"rank {rank} writes {kind.label} {item} under way")

    def pending(self, rank: int, kind: Kind, item: int, micro_batch: int | None = None) -> int:
        """The most sends of this kind and item that are under way to one peer, of a micro-batch or all."""
        peers = self._under_way.get((rank, kind, item), {}).values()
        return max(
            (sum(micro_batch in (None, send.micro_batch) for send, _ in sends) for sends in peers), default=0
        )

    def pending_to(self, send: Send, rank: int) -> int:
        """How many sends like this one of a rank's are under way to its peer."""
        return len(self._under_way.get((rank, send.kind, send.item), {}).get(send.peer, ()))

    def need_copied(self, rank: int, kind: Kind, item: int) -> None:
        """Demand that what is under way are copies, as an evaluation sends them, not a block's own memory."""
        steps = [held for sends in self._under_way.get((rank, kind, item), {}).values() for _, held in sends]
        copied = all(isinstance(step, int) and self.steps[step][0] == StepKind.EVALUATE for step in steps)
        demand(copied, f"rank {rank} writes {kind.label} {item} under way")

    def under_way(self, rank: int | None = None) -> list[Send]:
        """All sends without their receive, of one rank or all."""
        return [
            send
            for (source, _, _), peers in self._under_way.items()
            if rank in (None, source)
            for sends in peers.values()
            for send, _ in sends
        ]

    def send(self, rank: int, send: Send, held: Held) -> None:
        """A send begins; what it holds does not change until its receive."""
        peers = self._under_way.setdefault((rank, send.kind, send.item), {})
        peers.setdefault(send.peer, []).append((send, held))

    def receive(self, rank: int, receive: Receive) -> tuple[Held] | None:
        """What has been sent; None: nothing yet."""
        sends = self._under_way.get((receive.peer, receive.kind, receive.item), {}).get(rank)
        if not sends:
            return None
        send, held = sends.pop(0)
        same = _agreed(send) == _agreed(receive)
        demand(same, f"sent: {send} {send.shape}; expected: {receive} {receive.shape}")
        return (held,)


def _agreed(message: Send | Receive) -> tuple[object, ...]:
    """What both ends of a message agree on."""
    return message.name, message.micro_batch, message.shape, message.dtype, message.layers
