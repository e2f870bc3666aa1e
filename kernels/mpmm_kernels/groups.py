"""The fixed groups in which sums over a batch's samples are made, and the tree in which groups are added.

Of groups 0 to 15 a batch's sum is (0 to 7) + (8 to 15), each of these the sum of its halves, and so on down
to single groups, however many threads make it. A shard, which holds a run of whole groups, adds up what it
can of this tree: a few partial sums are left. Who adds those where the tree says so gets the bits of a
process that holds the whole batch. A group without samples (of fewer samples than groups) has no sum: the
other side of its node stands for the node.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Each group has a gradient of its own, and a batch can be shared out to so many ranks at most
GROUPS = 16

# A sum in the tree: the first and the last group in it that have samples
Node = tuple[int, int]


def group_bounds(group: int, samples: int) -> tuple[int, int]:
    """First sample of a group of a batch of ``samples``, and the one after its last."""
    return group * samples // GROUPS, (group + 1) * samples // GROUPS


class Additions(NamedTuple):
    """How sums that stand in a row are added up.

    Attributes
    ----------
    merges
        For each sum: how many of those before it, each as far as it has been added up by then, are added to
        it, the last one first.
    nodes
        What is left.
    rows
        For each of those, where it has been added up: the place of its first sum.
    """

    merges: tuple[int, ...]
    nodes: tuple[Node, ...]
    rows: tuple[int, ...]


@cache
def additions(held: tuple[Node, ...], batch: int) -> Additions:
    """Add up partial sums as far as the tree allows.

    Parameters
    ----------
    held
        Sums of a contiguous run of a batch's groups, in its order.
    batch
        Samples of the batch: they decide which groups have any.
    """
    merges: list[int] = []
    nodes: list[Node] = []
    rows: list[int] = []

    def visit(first: int, stop: int) -> bool | None:
        """Whether the sum of these groups is there; None: they have no samples."""
        filled = [group for group in range(first, stop) if _filled(group, batch)]
        if not filled:
            return None
        if (filled[0], filled[-1]) in held:
            merges.append(0)
            nodes.append((filled[0], filled[-1]))
            rows.append(len(merges) - 1)
            return True
        if stop - first == 1:
            return False
        middle = (first + stop) // 2
        left, right = visit(first, middle), visit(middle, stop)
        if left is None or right is None:
            return right if left is None else left
        if left and right:
            merges[-1] += 1
            last = nodes.pop()
            nodes[-1] = nodes[-1][0], last[1]
            rows.pop()
        return left and right

    visit(0, GROUPS)
    if len(merges) != len(held):
        raise ValueError(f"sums of groups {held} are not parts of the tree over a batch of {batch}")
    return Additions(tuple(merges), tuple(nodes), tuple(rows))


def filled_groups(groups: Iterable[int], batch: int) -> tuple[Node, ...]:
    """Those of some groups that have samples, as the tree's leaves."""
    return tuple((group, group) for group in groups if _filled(group, batch))


def _filled(group: int, batch: int) -> bool:
    first, stop = group_bounds(group, batch)
    return stop > first


@dataclass(frozen=True, eq=False)
class GroupTree:
    """The groups of some samples, and how their sums are added up.

    Attributes
    ----------
    bounds
        int64 (groups + 1,): first sample of each group that has any, and the one after the last.
    merges
        int64 (groups,): as in `Additions`.
    nodes
        The sums that are left; one, if the samples are the whole batch.
    rows
        The groups' rows in which those end.
    """

    bounds: NDArray[np.int64]
    merges: NDArray[np.int64]
    nodes: tuple[Node, ...]
    rows: tuple[int, ...]


@cache
def group_tree(samples: int, batch: int = 0, first: int = 0) -> GroupTree:
    """The groups of a batch, or of a shard of one.

    Parameters
    ----------
    samples
        How many are here.
    batch
        Of the whole batch; 0: it is here.
    first
        Place of the shard's first sample in it.

    Raises
    ------
    ValueError
        The shard is no run of whole groups.
    """
    batch = batch or samples
    bounds = [group_bounds(group, batch) for group in range(GROUPS)]
    inside = [start < stop and first <= start and stop <= first + samples for start, stop in bounds]
    leaves = tuple((group, group) for group in range(GROUPS) if inside[group])
    edges = [bounds[group][0] - first for group, _ in leaves] + [samples]
    if sum(bounds[group][1] - bounds[group][0] for group, _ in leaves) != samples:
        raise ValueError(
            f"samples {first} to {first + samples - 1} of a batch of {batch} are no run of whole groups"
        )
    tree = additions(leaves, batch)
    return GroupTree(np.array(edges), np.array(tree.merges, np.int64), tree.nodes, tree.rows)


def add_up(sums: Sequence[NDArray[np.floating]], merges: Sequence[int]) -> list[NDArray[np.floating]]:
    """Add sums that stand in a row, each in place: those that are left."""
    left: list[NDArray[np.floating]] = []
    for total, count in zip(sums, merges, strict=True):
        for _ in range(count):
            before = left.pop()
            before += total
            total = before
        left.append(total)
    return left
