"""A layout: which ranks own which blocks, and which are server and driver."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from mpmm_kernels.groups import GROUPS

from mpmm.errors import LayoutError
from mpmm.placement.options import LayoutOptions
from mpmm.placement.shape import LayerShape, NetworkShape

Ranks = tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """Which ranks own which blocks, and which are server and driver.

    Attributes
    ----------
    name
        "baseline", ..., or "custom" for an assignment of one's own.
    ranks
        How many there are; numbered from 0.
    owners
        Ranks of each block, in forward order. Of several ranks each takes a share of the samples.
    server
        The rank that holds every parameter, and updates it unless ``options`` leave that to the owners.
    driver
        The rank that validates and writes checkpoints while the others train; None: the server does.
    averages
        Whether each of several ranks takes its share for a batch of its own, gradients are averaged and batch
        normalisation is over the share: other mathematics than one process. Otherwise shares are shards:
        runs of the batch's groups, whose sums are added in the tree's order, and nothing changes a bit.
    shares
        Of a block on several ranks: groups that each rank takes, ``GROUPS`` together; where a block is not
        named they are as equal as can be.
    options
        How the ranks work together: where parameters are updated, what activations travel as, and which
        samples batch normalisation is over.
    threads
        Of each rank, as a search has chosen; none: the ranks of a host share its cores by their operations.
    """

    name: str
    ranks: int
    owners: tuple[tuple[str, Ranks], ...]
    server: int = 0
    driver: int | None = None
    averages: bool = False
    shares: tuple[tuple[str, tuple[int, ...]], ...] = ()
    options: LayoutOptions = field(default_factory=LayoutOptions)
    threads: tuple[int, ...] = ()

    @cached_property
    def owner(self) -> dict[str, Ranks]:
        """Ranks of each block, by block name."""
        return dict(self.owners)

    @cached_property
    def groups(self) -> dict[str, tuple[int, ...]]:
        """Groups that each of a block's ranks takes, by block name; of blocks with ``shares`` only."""
        return dict(self.shares)

    @cached_property
    def workers(self) -> Ranks:
        """Ranks that own blocks, in order."""
        return tuple(sorted({rank for _, ranks in self.owners for rank in ranks}))

    @cached_property
    def owners_update(self) -> bool:
        """Whether each block's own ranks update it, and some of them are others than the server."""
        return self.options.update == "owner" and self.workers != (self.server,)

    @property
    def batch_norm(self) -> Literal["exact", "per_shard", "per_micro_batch", "per_worker"]:
        """What batch normalisation is over: the batch, or each shard, micro-batch or worker's share."""
        if self.averages and len(self.workers) > 1:
            return "per_worker"
        if self.options.micro_batches > 1:
            return self.options.batch_norm
        shared = any(self.sharded(block) for block, _ in self.owners)
        return self.options.batch_norm if shared else "exact"

    def waits_for_batch(self, layer: LayerShape) -> bool:
        """Whether the shards of a layer go on only with sums over the whole batch, which they exchange."""
        return bool(layer.sums_shape) and self.options.batch_norm == "exact"

    @property
    def collector(self) -> int:
        """The rank to which an evaluation's logits go."""
        return self.server if self.driver is None else self.driver

    def sharded(self, block: str) -> bool:
        """Whether several ranks each compute a shard of the batch for this block."""
        return len(self.owner[block]) > 1 and not self.averages

    def blocks_of(self, rank: int) -> tuple[str, ...]:
        """Names of a rank's blocks, in forward order."""
        return tuple(name for name, ranks in self.owners if rank in ranks)

    def blocks_of_any(self, ranks: Collection[int]) -> tuple[str, ...]:
        """Names of the blocks that at least one of these ranks owns, in forward order."""
        return tuple(name for name, owners in self.owners if any(rank in owners for rank in ranks))

    def role(self, rank: int) -> str:
        """What a rank is, in words: e.g. "server", "worker", "server + worker"."""
        roles = ["server"] if rank == self.server else []
        roles += ["worker"] if rank in self.workers else []
        roles += ["driver"] if rank == self.driver else []
        return " + ".join(roles) or "idle"


def check(layout: Layout, shape: NetworkShape) -> Layout:
    """The layout itself, when this network can be trained on it.

    Raises
    ------
    LayoutError
        A block is unknown or on no rank, a rank is out of range, has nothing to do or too much, or shares are
        no shares of the groups, or the options do not fit the network or the layout.
    """
    known = tuple(block.name for block in shape.blocks)
    for name, ranks in layout.owners:
        if name not in known:
            raise LayoutError(
                f"layout {layout.name}: no block '{name}' in this network", nearest(name, known)
            )
        for rank in ranks:
            _check_rank(layout, rank, f"block {name}")
    missing = [name for name in known if not layout.owner.get(name)]
    if missing:
        raise LayoutError(
            f"layout {layout.name}: no rank for block {', '.join(missing)}",
            "give every block of the network a rank",
        )
    _check_rank(layout, layout.server, "the server")
    _check_driver(layout)
    for name, ranks in layout.owners:
        _check_owners(layout, name, ranks)
    for name, groups in layout.shares:
        _check_shares(layout, name, groups)
    _check_idle(layout)
    _check_options(layout, shape)
    return layout


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known name most like ``name``, or all of them."""
    names = tuple(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"


def _check_rank(layout: Layout, rank: int, role: str) -> None:
    if not 0 <= rank < layout.ranks:
        raise LayoutError(
            f"layout {layout.name}: {role} is on rank {rank}, there are ranks 0 to {layout.ranks - 1}",
            f"start at least {rank + 1} ranks (mpirun -np {rank + 1}), or choose another rank",
        )


def _check_driver(layout: Layout) -> None:
    if layout.driver is None:
        return
    _check_rank(layout, layout.driver, "the driver")
    if layout.driver == layout.server or layout.driver in layout.workers:
        raise LayoutError(
            f"layout {layout.name}: rank {layout.driver} is the driver and also {layout.role(layout.driver)}",
            "its validation would hold up the training: give it a rank of its own, or none",
        )


def _check_owners(layout: Layout, name: str, ranks: Ranks) -> None:
    where = f"layout {layout.name}: {name} is on ranks {_listed(ranks)}"
    if list(ranks) != sorted(set(ranks)):
        raise LayoutError(where, "name each rank once, in order")
    first, others = layout.owners[0]
    if layout.averages and ranks != others:
        raise LayoutError(
            f"{where}, {first} on {_listed(others)}",
            "where gradients are averaged every worker has the whole network",
        )
    if not layout.averages and len(ranks) > GROUPS:
        raise LayoutError(
            where, f"a batch has {GROUPS} groups of samples to share out: name {GROUPS} at most"
        )


def _check_shares(layout: Layout, name: str, groups: tuple[int, ...]) -> None:
    ranks = layout.owner.get(name, ())
    if len(groups) != len(ranks) or sum(groups) != GROUPS or min(groups) < 1 or layout.averages:
        raise LayoutError(
            f"layout {layout.name}: shares {_listed(groups)} of {name} on ranks {_listed(ranks)}",
            f"give each rank one group of samples or more, {GROUPS} together, e.g. "
            + ", ".join(map(str, (GROUPS - len(ranks) + 1, *[1] * (len(ranks) - 1)))),
        )


def _check_idle(layout: Layout) -> None:
    idle = [rank for rank in range(layout.ranks) if layout.role(rank) == "idle"]
    # a search leaves ranks out that would make a step no faster
    if idle and layout.name != "auto":
        raise LayoutError(
            f"layout {layout.name}: nothing to do for rank {_listed(idle)} of {layout.ranks}",
            f"start {layout.ranks - len(idle)} ranks, or give these some blocks",
        )


def _check_options(layout: Layout, shape: NetworkShape) -> None:
    for name, wire in layout.options.narrow.items():
        if shape.dtype != "float32":
            raise LayoutError(
                f"layout {layout.name}: {name} = '{wire}' for a network in {shape.dtype}",
                f"two bytes a value are for networks in float32: leave {name} at 'float32', its default",
            )
    if layout.averages and layout.options.update == "owner":
        raise LayoutError(
            f"layout {layout.name}: update = 'owner', but it averages gradients, which the server does",
            "leave update at 'server', or choose sharded or hybrid, whose gradients are summed",
        )
    if layout.options.batch_norm == "per_shard":
        _check_per_shard(layout, shape)
    _check_micro_batches(layout, shape)


def _check_micro_batches(layout: Layout, shape: NetworkShape) -> None:
    number, where = layout.options.micro_batches, f"layout {layout.name}: micro_batches ="
    if not 1 <= number <= GROUPS:
        raise LayoutError(
            f"{where} {number}, expected 1 to {GROUPS}",
            f"each takes some of a batch's {GROUPS} groups of samples",
        )
    if number > 1 and any(len(ranks) > 1 for _, ranks in layout.owners):
        raise LayoutError(
            f"{where} {number}, but several ranks have a block, each with some of the batch's samples",
            "leave micro_batches at 1, or give each block one rank: baseline, optimized or ranks of your own",
        )
    scope = layout.options.batch_norm
    if number > 1 and scope == "per_shard":
        raise LayoutError(
            f"{where} {number}, but batch_norm = 'per_shard'",
            "a batch is cut for ranks or in micro-batches: take batch_norm = 'per_micro_batch', or 'exact'",
        )
    if number == 1 and scope == "per_micro_batch":
        raise LayoutError(
            f"{where} 1, but batch_norm = 'per_micro_batch'",
            f"give 2 to {GROUPS} micro-batches (--micro-batches 4), or leave batch_norm at 'exact'",
        )
    normalised = any(layer.sums_shape for block in shape.blocks for layer in block.layers)
    if scope == "per_micro_batch" and not normalised:
        raise LayoutError(
            f"layout {layout.name}: batch_norm = 'per_micro_batch', but no block has batch normalisation",
            "leave batch_norm at 'exact', which is the same here",
        )


def _check_per_shard(layout: Layout, shape: NetworkShape) -> None:
    where = f"layout {layout.name}: batch_norm = 'per_shard', but"
    if layout.averages:
        raise LayoutError(
            f"{where} it averages gradients of workers, each of which has a batch of its own in any case",
            "leave batch_norm at 'exact', or choose sharded or hybrid",
        )
    # one process reads what ranks have trained, and a search may find that a rank for each stream is fastest
    if layout.ranks == 1 or layout.name == "auto":
        return
    shared = [name for name, _ in layout.owners if layout.sharded(name)]
    if not shared:
        raise LayoutError(
            f"{where} no block is on several ranks, each with a shard of the batch",
            "leave batch_norm at 'exact', or choose sharded or hybrid on several ranks",
        )
    if not any(layer.sums_shape for name in shared for layer in shape.by_name[name].layers):
        raise LayoutError(
            f"{where} no block on several ranks has batch normalisation",
            "leave batch_norm at 'exact', which is the same here",
        )


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(str(number) for number in numbers)


def owners_of(shape: NetworkShape, ranks: Mapping[str, Ranks]) -> tuple[tuple[str, Ranks], ...]:
    """A layout's owners from the ranks of each block, in the network's forward order."""
    ordered = sorted(ranks, key=lambda name: shape.block_numbers.get(name, len(shape.blocks)))
    return tuple((name, ranks[name]) for name in ordered)
