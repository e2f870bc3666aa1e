"""The layouts that have names, and layouts from an assignment of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

from mpmm_kernels.groups import GROUPS

from mpmm.errors import LayoutError
from mpmm.placement.layout import Layout, Ranks, check, nearest, owners_of
from mpmm.placement.options import LayoutOptions
from mpmm.placement.shape import FUSION, NetworkShape

# "auto" is what `mpmm.placement.choose` finds for a machine
LayoutName = Literal["auto", "single", "baseline", "optimized", "data", "sharded", "hybrid"]

# Of each stream the optimized layout moves so many blocks: the last with a convolution, and the head.
_MOVED = 2


def layout_for(
    shape: NetworkShape,
    ranks: int,
    name: str | None = None,
    blocks: Mapping[str, int | Sequence[int]] | None = None,
    shares: Mapping[str, Sequence[int]] | None = None,
    options: LayoutOptions | None = None,
) -> Layout:
    """The layout of this name, or of this assignment, for so many ranks.

    Parameters
    ----------
    shape
        The network.
    ranks
        How many were started.
    name
        A `LayoutName` but "auto", for which `choose` has to know the machine; None: single on one rank,
        else baseline.
    blocks
        Rank or ranks of each block, replaces ``name``; a stream's name, or "fusion", stands for all its
        blocks that are not named themselves. Several ranks each take a shard of the batch.
    shares
        Of blocks on several ranks: the groups of samples that each rank takes, named in the same way.
    options
        How the ranks work together; by default the server updates.

    Raises
    ------
    LayoutError
        The layout cannot use so many ranks (the message names those it can), or does not fit the network.
    """
    if blocks:
        layout = assigned(shape, ranks, blocks, shares or {})
        return check(replace(layout, options=options or LayoutOptions()), shape)
    if shares:
        raise LayoutError("layout: shares without ranks", "name the ranks that share a block: layout.ranks")
    chosen = ("single" if ranks == 1 else "baseline") if name is None else name
    if chosen not in PRESETS:
        raise LayoutError(f"no layout '{chosen}'", nearest(chosen, get_args(LayoutName)))
    return check(replace(PRESETS[chosen](shape, ranks), options=options or LayoutOptions()), shape)


def single(shape: NetworkShape, ranks: int = 1) -> Layout:
    """One process; server and all blocks together."""
    if ranks != 1:
        raise LayoutError(
            f"layout single cannot use {ranks} ranks, only 1", "leave out mpirun, or choose baseline"
        )
    return Layout("single", 1, tuple((block.name, (0,)) for block in shape.blocks))


def baseline(shape: NetworkShape, ranks: int) -> Layout:
    """The paper's Figure 4: each stream on a worker, the lighter first, and the fusion on the last."""
    driver = _driver_of("baseline", shape, ranks)
    return Layout("baseline", ranks, owners_of(shape, _by_stream(shape)), driver=driver)


def optimized(shape: NetworkShape, ranks: int) -> Layout:
    """The paper's Figure 5: each stream's last block and head move to the fusion's worker.

    A stream keeps its first block in any case, for no patch crosses ranks.
    """
    driver = _driver_of("optimized", shape, ranks)
    owners = _by_stream(shape)
    for stream in shape.streams:
        for block in shape.blocks_of(stream)[1:][-_MOVED:]:
            owners[block.name] = owners[shape.output.name]
    return Layout("optimized", ranks, owners_of(shape, owners), driver=driver)


def data(shape: NetworkShape, ranks: int) -> Layout:
    """The paper's comparison: the whole network on every worker, each with its share of the batch.

    Gradients are averaged, and batch normalisation is over a worker's share. The last rank is the driver from
    the count on at which the paper's other layouts have one.
    """
    if ranks < 2:
        raise LayoutError(
            f"layout data cannot use {ranks} rank; it can use any number from 2 (server and workers)",
            "start it with mpirun -np 3, or choose single",
        )
    driver = ranks - 1 if ranks >= len(shape.streams) + 3 else None
    workers = tuple(range(1, ranks if driver is None else driver))
    owners = tuple((block.name, workers) for block in shape.blocks)
    return Layout("data", ranks, owners, driver=driver, averages=True)


def sharded(shape: NetworkShape, ranks: int) -> Layout:
    """All blocks on every rank, each with some of the batch's groups of samples: the bits of one process."""
    if not 2 <= ranks <= GROUPS + 1:
        raise LayoutError(
            f"layout sharded cannot use {ranks} ranks; it can use 2 to {GROUPS}, and a driver beside these",
            f"a batch has {GROUPS} groups of samples to share out",
        )
    driver = GROUPS if ranks > GROUPS else None
    workers = tuple(range(min(ranks, GROUPS)))
    return Layout("sharded", ranks, tuple((block.name, workers) for block in shape.blocks), driver=driver)


def hybrid(shape: NetworkShape, ranks: int) -> Layout:
    """Convolutions sharded over the workers; heads and fusion with the server: no dense parameter crosses.

    The server keeps light streams whole, as long as they are no more than a rank's part of all operations.
    """
    if not 2 <= ranks <= GROUPS + 2:
        raise LayoutError(
            f"layout hybrid cannot use {ranks} ranks; it can use 2 to {GROUPS + 1} (server and workers), and "
            "a driver beside them",
            f"a batch has {GROUPS} groups of samples to share out",
        )
    driver = GROUPS + 1 if ranks > GROUPS + 1 else None
    workers = tuple(range(1, ranks if driver is None else driver))
    light, room = set(), sum(block.flops for block in shape.blocks) / (len(workers) + 1)
    for stream in shape.streams[:-1]:
        room -= sum(block.flops for block in shape.blocks_of(stream))
        if room >= 0:
            light.add(stream)
    owners: dict[str, Ranks] = {}
    for block in shape.blocks:
        *convolutions, _ = shape.blocks_of(block.stream)
        shared = block.stream != FUSION and block.stream not in light and block in convolutions
        owners[block.name] = workers if shared else (0,)
    return Layout("hybrid", ranks, owners_of(shape, owners), driver=driver)


def assigned(
    shape: NetworkShape,
    ranks: int,
    blocks: Mapping[str, int | Sequence[int]],
    shares: Mapping[str, Sequence[int]],
) -> Layout:
    """Any assignment of blocks to ranks; rank 0 is the server, a last rank without blocks the driver."""
    named = {name: (rank,) if isinstance(rank, int) else tuple(rank) for name, rank in blocks.items()}
    owners = _of_blocks(shape, named)
    groups = {
        name: taken
        for name, taken in _of_blocks(shape, {name: tuple(groups) for name, groups in shares.items()}).items()
        if name in shares or len(owners.get(name, ())) > 1
    }
    used = {rank for several in owners.values() for rank in several}
    driver = ranks - 1 if ranks > 1 and ranks - 1 not in used else None
    layout = Layout("custom", ranks, owners_of(shape, owners), driver=driver, shares=owners_of(shape, groups))
    return check(layout, shape)


def _of_blocks(shape: NetworkShape, named: Mapping[str, Ranks]) -> dict[str, Ranks]:
    """What is named by blocks, streams or "fusion", by block; a block's own name goes before its stream's."""
    known = [block.name for block in shape.blocks]
    streams = (*shape.streams, FUSION)
    for name in named:
        if name not in known and name not in streams:
            raise LayoutError(f"layout: no block '{name}' in this network", nearest(name, (*known, *streams)))
    given = {block.name: named.get(block.name, named.get(block.stream)) for block in shape.blocks}
    return {name: numbers for name, numbers in given.items() if numbers is not None}


PRESETS: dict[str, Callable[[NetworkShape, int], Layout]] = {
    "single": single,
    "baseline": baseline,
    "optimized": optimized,
    "data": data,
    "sharded": sharded,
    "hybrid": hybrid,
}


def _by_stream(shape: NetworkShape) -> dict[str, Ranks]:
    """Rank of each block: streams from rank 1 on, the lightest first, the fusion behind them."""
    ranks = {stream: rank for rank, stream in enumerate((*shape.streams, FUSION), 1)}
    return {block.name: (ranks[block.stream],) for block in shape.blocks}


def _driver_of(name: str, shape: NetworkShape, ranks: int) -> int | None:
    """The driver's rank, if there is one for it."""
    workers = len(shape.streams) + 1
    if ranks not in (workers + 1, workers + 2):
        raise LayoutError(
            f"layout {name} of {len(shape.streams)} streams cannot use {ranks} ranks; it can use "
            f"{workers + 1} (server, {workers} workers) or {workers + 2} (with a driver)",
            f"start it with mpirun -np {workers + 2}, or choose data, which can use any number from 2",
        )
    return workers + 1 if ranks == workers + 2 else None
