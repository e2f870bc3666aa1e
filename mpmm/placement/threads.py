"""Threads per rank: the ranks of one machine share its cores by what they have to compute."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.placement.layout import Layout
from mpmm.placement.prediction import operations
from mpmm.placement.shape import NetworkShape


def threads_per_rank(
    shape: NetworkShape, layout: Layout, cores: int, together: Sequence[int] = ()
) -> tuple[int, ...]:
    """Threads for each rank of a machine.

    A rank gets the part of the cores that its part of the operations asks for, and at least one thread:
    more threads than that only take cores from each other.

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
    ranks = tuple(together) or tuple(range(layout.ranks))
    loads = [operations(shape, layout, rank, len(layout.workers)) for rank in ranks]
    total = sum(loads)
    return tuple(max(1, round(cores * load / total)) if total else 1 for load in loads)
