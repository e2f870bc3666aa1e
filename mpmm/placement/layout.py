"""A layout: which ranks own which blocks, and which are server and driver."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from mpmm.errors import LayoutError
from mpmm.placement.shape import NetworkShape


@dataclass(frozen=True)
class Layout:
    """Who does what.

    Attributes
    ----------
    name
        "baseline", ..., or "custom" for an assignment of one's own.
    ranks
        How many there are; numbered from 0.
    owners
        Ranks of each block, in forward order. Several ranks of one block each take a share of the samples.
    server
        The rank that holds every parameter and updates it.
    driver
        The rank that validates and writes checkpoints while the others train; None: the server does.
    """

    name: str
    ranks: int
    owners: tuple[tuple[str, tuple[int, ...]], ...]
    server: int = 0
    driver: int | None = None

    @cached_property
    def owner(self) -> dict[str, tuple[int, ...]]:
        """Ranks of each block, by block name."""
        return dict(self.owners)

    @cached_property
    def workers(self) -> tuple[int, ...]:
        """Ranks that own blocks, in order."""
        return tuple(sorted({rank for _, ranks in self.owners for rank in ranks}))

    @property
    def replicated(self) -> bool:
        """Whether every block is on several ranks, each with its share of the samples."""
        return any(len(ranks) > 1 for _, ranks in self.owners)

    @property
    def collector(self) -> int:
        """The rank to which an evaluation's logits go."""
        return self.server if self.driver is None else self.driver

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
        A block is unknown or on no rank, a rank is out of range, has nothing to do or too much.
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
    _check_shares(layout)
    _check_idle(layout)
    return layout


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known name most like ``name``, or all of them."""
    names = tuple(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(names)}"


def _check_rank(layout: Layout, rank: int, what: str) -> None:
    if not 0 <= rank < layout.ranks:
        raise LayoutError(
            f"layout {layout.name}: {what} is on rank {rank}, there are ranks 0 to {layout.ranks - 1}",
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


def _check_shares(layout: Layout) -> None:
    for name, ranks in layout.owners:
        if ranks != layout.owners[0][1] and (len(ranks) > 1 or layout.replicated):
            raise LayoutError(
                f"layout {layout.name}: {name} is on ranks {_listed(ranks)}, "
                f"{layout.owners[0][0]} on {_listed(layout.owners[0][1])}",
                "put each block on one rank, or all blocks on the same ranks",
            )
        if len(set(ranks)) != len(ranks) or list(ranks) != sorted(ranks):
            raise LayoutError(
                f"layout {layout.name}: {name} is on ranks {_listed(ranks)}", "name each rank once, in order"
            )


def _check_idle(layout: Layout) -> None:
    idle = [rank for rank in range(layout.ranks) if layout.role(rank) == "idle"]
    if idle:
        raise LayoutError(
            f"layout {layout.name}: nothing to do for rank {_listed(idle)} of {layout.ranks}",
            f"start {layout.ranks - len(idle)} ranks, or give these some blocks",
        )


def _listed(ranks: Iterable[int]) -> str:
    return ", ".join(str(rank) for rank in ranks)


def owners_of(shape: NetworkShape, ranks: Mapping[str, int]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """A layout's owners from one rank per block, in the network's forward order."""
    ordered = sorted(ranks, key=lambda name: shape.block_numbers.get(name, len(shape.blocks)))
    return tuple((name, (ranks[name],)) for name in ordered)
