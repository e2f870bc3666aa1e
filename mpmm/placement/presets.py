"""The layouts that have names, and layouts from an assignment of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mpmm.errors import LayoutError
from mpmm.placement.layout import Layout, check, nearest, owners_of
from mpmm.placement.shape import FUSION, NetworkShape

# Of each stream the optimized layout moves so many blocks: the last with a convolution, and the head.
_MOVED = 2


def layout_for(
    shape: NetworkShape, ranks: int, name: str = "auto", blocks: Mapping[str, int] | None = None
) -> Layout:
    """The layout of this name, or of this assignment, for so many ranks.

    Parameters
    ----------
    shape
        The network.
    ranks
        How many were started.
    name
        "single", "baseline", "optimized" or "data"; "auto" is single on one rank, else baseline.
    blocks
        Rank of each block, replaces ``name``; a stream's name, or "fusion", stands for all its blocks
        that are not named themselves.

    Raises
    ------
    LayoutError
        The layout cannot use so many ranks (the message names those it can), or does not fit the network.
    """
    if blocks:
        return assigned(shape, ranks, blocks)
    chosen = ("single" if ranks == 1 else "baseline") if name == "auto" else name
    if chosen not in PRESETS:
        raise LayoutError(f"no layout '{name}'", nearest(name, ("auto", *PRESETS)))
    return check(PRESETS[chosen](shape, ranks), shape)


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
    places = _by_stream(shape)
    for stream in shape.streams:
        for block in shape.blocks_of(stream)[1:][-_MOVED:]:
            places[block.name] = places[shape.output.name]
    return Layout("optimized", ranks, owners_of(shape, places), driver=driver)


def data(shape: NetworkShape, ranks: int) -> Layout:
    """The paper's comparison: the whole network on every worker, each with its share of the batch.

    The last rank is the driver from the count on at which the other layouts have one.
    """
    if ranks < 2:
        raise LayoutError(
            f"layout data cannot use {ranks} rank; it can use any number from 2 (server and workers)",
            "start it with mpirun -np 3, or choose single",
        )
    driver = ranks - 1 if ranks >= len(shape.streams) + 3 else None
    workers = tuple(range(1, ranks if driver is None else driver))
    return Layout("data", ranks, tuple((block.name, workers) for block in shape.blocks), driver=driver)


def assigned(shape: NetworkShape, ranks: int, blocks: Mapping[str, int]) -> Layout:
    """Any assignment of blocks to ranks; rank 0 is the server, a last rank without blocks the driver."""
    known = [block.name for block in shape.blocks]
    groups = (*shape.streams, FUSION)
    for name in blocks:
        if name not in known and name not in groups:
            raise LayoutError(f"layout: no block '{name}' in this network", nearest(name, (*known, *groups)))
    places = {
        block.name: blocks.get(block.name, blocks.get(block.stream))
        for block in shape.blocks
        if block.name in blocks or block.stream in blocks
    }
    found = {name: rank for name, rank in places.items() if rank is not None}
    driver = ranks - 1 if ranks > 1 and ranks - 1 not in found.values() else None
    return check(Layout("custom", ranks, owners_of(shape, found), driver=driver), shape)


PRESETS: dict[str, Callable[[NetworkShape, int], Layout]] = {
    "single": single,
    "baseline": baseline,
    "optimized": optimized,
    "data": data,
}


def _by_stream(shape: NetworkShape) -> dict[str, int]:
    """Rank of each block: streams from rank 1 on, the lightest first, the fusion behind them."""
    places = {stream: rank for rank, stream in enumerate((*shape.streams, FUSION), 1)}
    return {block.name: places[block.stream] for block in shape.blocks}


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
