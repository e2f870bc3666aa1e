"""Reductions: how partial sums of several ranks come together, and how one rank's values come to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

from mpmm_kernels.groups import additions

from mpmm.placement.shares import Share, even_parts


@dataclass(frozen=True)
class Handover:
    """One rank hands its partial sums to another, which adds them to its own.

    Attributes
    ----------
    sender, receiver
        The ranks.
    sums
        How many partial sums the sender has by then.
    parts, merges
        As in `Combine`.
    """

    sender: int
    receiver: int
    sums: int
    parts: tuple[tuple[int, int], tuple[int, int]]
    merges: tuple[int, ...]


@dataclass(frozen=True)
class Slice:
    """The values of a layer that one of several ranks adds up, and gives on: ``count`` from ``first`` on."""

    rank: int
    first: int
    count: int


@cache
def slices(ranks: tuple[int, ...], size: int) -> tuple[Slice, ...]:
    """A layer's values dealt out to ranks, as equally as can be."""
    counts = even_parts(size, len(ranks))
    starts = (0, *accumulate(counts))
    return tuple(map(Slice, ranks, starts, counts))


@cache
def handovers(shares: tuple[tuple[int, Share], ...], root: int) -> tuple[Handover, ...]:
    """What it takes until one rank has the sum over a batch, in the order in which it can be done.

    Neighbouring ranks add up first: what a rank hands on are the sums of a run of groups, mostly one.

    Parameters
    ----------
    shares
        (rank, its share) of all that hold samples of the batch, in the order of the samples.
    root
        The rank that has the sum at the end.
    """
    if len(shares) == 1:
        return ()
    middle = (len(shares) + 1) // 2
    halves = shares[:middle], shares[middle:]
    heads = [_head(half, root) for half in halves]
    held = [_joined(half).sums for half in halves]
    receiver = heads[1] if heads[1] == root else heads[0]
    sender, sums = (heads[0], held[0]) if receiver == heads[1] else (heads[1], held[1])
    parts = (heads[0], len(held[0])), (heads[1], len(held[1]))
    merges = additions(held[0] + held[1], shares[0][1].batch).merges
    last = Handover(sender, receiver, len(sums), parts, merges)
    return (*handovers(halves[0], root), *handovers(halves[1], root), last)


@cache
def branches(ranks: tuple[int, ...], root: int) -> tuple[tuple[int, int], ...]:
    """Pairs (from, to) along which values come from ``root`` to all ranks, in the order of sending."""
    if len(ranks) == 1:
        return ()
    middle = (len(ranks) + 1) // 2
    halves = ranks[:middle], ranks[middle:]
    heads = [root if root in half else half[0] for half in halves]
    pair = (heads[1], heads[0]) if heads[1] == root else (heads[0], heads[1])
    return (pair, *branches(halves[0], root), *branches(halves[1], root))


def _head(shares: Sequence[tuple[int, Share]], root: int) -> int:
    ranks = [rank for rank, _ in shares]
    return root if root in ranks else ranks[0]


def _joined(shares: Sequence[tuple[int, Share]]) -> Share:
    (_, first), (_, last) = shares[0], shares[-1]
    return Share(first.first, last.stop - first.first, first.batch)
