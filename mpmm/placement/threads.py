"""Threads and cores per rank: the ranks of one machine share its cores by what they have to compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mpmm_kernels.groups import GROUPS

from mpmm.placement.layout import Layout
from mpmm.placement.prediction import operations
from mpmm.placement.shape import NetworkShape


@dataclass(frozen=True)
class CoreAssignment:
    """Where a rank computes.

    Attributes
    ----------
    threads
        How many.
    cores
        Places of the cores it keeps to among those of the machine, from 0; none: it takes any. A rank of
        several threads has one core for each.
    yields
        Whether it lets ranks of more threads go first on these cores.
    """

    threads: int
    cores: tuple[int, ...] = ()
    yields: bool = False


def threads_per_rank(
    shape: NetworkShape, layout: Layout, cores: int, together: Sequence[int] = ()
) -> tuple[int, ...]:
    """Threads for each rank of a machine.

    A rank gets the part of the cores that its part of the operations asks for, and at least one thread:
    more threads than that only take cores from each other. What a search has chosen goes before that.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    cores
        Of the machine.
    together
        The ranks on it; all ranks by default.

    Returns
    -------
    tuple of int
        In the order of ``together``.
    """
    if layout.threads:
        return tuple(min(layout.threads[rank], cores) for rank in together or range(layout.ranks))
    loads = _loads(shape, layout, together)
    total = sum(loads)
    return tuple(max(1, round(cores * load / total)) if total else 1 for load in loads)


def assign_cores(
    shape: NetworkShape, layout: Layout, cores: int, together: Sequence[int] = ()
) -> tuple[CoreAssignment, ...]:
    """Threads for each rank of a machine as `threads_per_rank` gives them, and the cores they keep to.

    Where there are more threads than cores and some ranks have several, each thread of those keeps to a core,
    the heaviest rank's from the first core on; the ranks of one thread share the last cores, as many as their
    operations ask for, and yield to what computes there. A rank that interrupts one thread of a heavy rank
    makes all of them wait.
    """
    counts, loads = threads_per_rank(shape, layout, cores, together), _loads(shape, layout, together)
    if sum(counts) <= cores or max(counts) == 1:
        return tuple(CoreAssignment(count) for count in counts)
    light = sum(load for load, count in zip(loads, counts, strict=True) if count == 1)
    shared = min(cores, max(1, math.ceil(cores * light / sum(loads))))
    assignments, taken = {}, 0
    for index in sorted(range(len(counts)), key=lambda index: -loads[index]):
        count = counts[index]
        if count == 1:
            assignments[index] = CoreAssignment(1, tuple(range(cores - shared, cores)), yields=True)
        else:
            own = tuple((taken + thread) % cores for thread in range(count))
            assignments[index] = CoreAssignment(count, own)
            taken += count
    return tuple(assignments[index] for index in range(len(counts)))


def _loads(shape: NetworkShape, layout: Layout, together: Sequence[int]) -> list[float]:
    ranks = tuple(together) or tuple(range(layout.ranks))
    # so many that each worker has its full share of any block
    batch = GROUPS * len(layout.workers)
    return [operations(shape, layout, rank, batch) for rank in ranks]
