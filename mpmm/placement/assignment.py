"""Assignments: how many of a batch's groups each rank takes of each block, made and changed by the search."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from mpmm_kernels.groups import GROUPS

from mpmm.placement.layout import Layout, owners_of
from mpmm.placement.shape import NetworkShape
from mpmm.placement.shares import even_parts

# of one block: groups by rank, all of a batch together; a rank that is not named has none
Groups = Mapping[int, int]
# by block
Assignment = Mapping[str, Groups]


def assignment_of(layout: Layout) -> dict[str, dict[int, int]]:
    """Groups by block and rank, of a layout that averages nothing."""
    assignment = {}
    for name, ranks in layout.owners:
        groups = layout.groups.get(name) or even_parts(GROUPS, len(ranks))
        assignment[name] = dict(zip(ranks, groups, strict=True))
    return assignment


def layout_of(shape: NetworkShape, ranks: int, assignment: Assignment, name: str) -> Layout:
    """The layout of an assignment, with rank 0 as the server and without a driver.

    Parameters
    ----------
    shape
        The network.
    ranks
        How many there are; some may have nothing to do.
    assignment
        Of every block.
    name
        What the layout is called.
    """
    dealt = {block: dict(sorted(groups.items())) for block, groups in assignment.items()}
    owners = owners_of(shape, {block: tuple(groups) for block, groups in dealt.items()})
    shares = {block: tuple(groups.values()) for block, groups in dealt.items() if len(groups) > 1}
    return Layout(name, ranks, owners, shares=owners_of(shape, shares))


def deal(
    ranks: Collection[int],
    speeds: Mapping[int, float],
    busy: Mapping[int, float],
    seconds: float,
    together: int = 1,
) -> dict[int, int]:
    """Deal a batch's groups out, some together: they go to the rank that will be done with them first.

    Parameters
    ----------
    ranks
        That may take some.
    speeds
        Seconds of work that each does in a second.
    busy
        Seconds of work that each has besides.
    seconds
        Of work in a group.
    together
        A power of two; partial sums are fewer where it is more than one.
    """
    dealt = dict.fromkeys(ranks, 0)

    def done(rank: int) -> tuple[float, int]:
        """When the rank would be done with these, too; later ranks first, for the first has gradients."""
        return (busy.get(rank, 0.0) + (dealt[rank] + together) * seconds) / speeds[rank], -rank

    for _ in range(0, GROUPS, together):
        dealt[min(ranks, key=done)] += together
    return {rank: groups for rank, groups in dealt.items() if groups}


def deal_branches(
    ranks: Collection[int], speeds: Mapping[int, float], busy: Mapping[int, float], seconds: float
) -> dict[int, int]:
    """Deal whole branches of the groups' tree out, so that the last rank is done as early as can be.

    A rank with a branch hands on one partial sum of each gradient, with other groups as many as lie in them:
    on a slow link these cost more than groups that are dealt out more finely save.

    Parameters
    ----------
    ranks, speeds, busy, seconds
        As for `deal`; as many ranks as there are groups at most, each of which takes some.
    """
    ordered = sorted(ranks)

    def done(groups: tuple[int, ...]) -> list[float]:
        """When each rank would be done with so many groups, the last first."""
        each = zip(ordered, groups, strict=True)
        return sorted(
            ((busy.get(rank, 0.0) + own * seconds) / speeds[rank] for rank, own in each), reverse=True
        )

    # of equals the one with few groups on the first ranks, which collect the others' gradients
    earliest = min(_branches(len(ordered), GROUPS), key=lambda groups: (done(groups), groups))
    return dict(zip(ordered, earliest, strict=True))


@cache
def _branches(count: int, groups: int) -> tuple[tuple[int, ...], ...]:
    """All ways to cut a tree over so many groups into so many branches: the groups of each, in order."""
    if count == 1:
        return ((groups,),)
    if count > groups:
        return ()
    half = groups // 2
    return tuple(
        left + right
        for first in range(1, count)
        for left in _branches(first, half)
        for right in _branches(count - first, half)
    )


def exchanged(groups: Groups, source: int, target: int) -> dict[int, int]:
    """Two ranks take each other's number of groups."""
    changed = {**groups, source: groups.get(target, 0), target: groups[source]}
    return {rank: count for rank, count in changed.items() if count}


def moved(groups: Groups, source: int, target: int, together: int = 1) -> dict[int, int]:
    """Some groups go from a rank, which has as many, to another, which may have had none."""
    changed = dict(groups)
    changed[source] -= together
    changed[target] = changed.get(target, 0) + together
    return {rank: count for rank, count in changed.items() if count}


def runs_of(shape: NetworkShape, assignment: Assignment) -> list[tuple[str, ...]]:
    """Blocks that follow each other in a stream, or in the fusion, on the same ranks by the same shares."""
    runs: list[tuple[str, ...]] = []
    for block in shape.blocks:
        last = runs[-1][-1] if runs else None
        same = last is not None and shape.by_name[last].stream == block.stream
        if same and last is not None and assignment[last] == assignment[block.name]:
            runs[-1] = (*runs[-1], block.name)
        else:
            runs.append((block.name,))
    return runs
