"""Shares of a batch: which samples each of several ranks takes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise

from mpmm_kernels.groups import GROUPS, Node, group_bounds, group_tree

from mpmm.placement.layout import Layout
from mpmm.placement.options import LayoutOptions
from mpmm.placement.shape import NetworkShape


@dataclass(frozen=True)
class Share:
    """``count`` samples of the global batch, from the ``first`` on.

    Attributes
    ----------
    first, count
        The samples.
    batch
        Samples of the whole batch, of which this is a shard: a run of its groups. 0: sums over samples and
        batch normalisation are over this share alone, for it is the whole, or gradients are averaged.
    per_shard
        Of a shard, or a micro-batch: batch normalisation is over its own samples all the same, by choice.
    micro_batch
        Number of the micro-batch that these are, from 1; 0: the batch is not cut into any.
    """

    first: int
    count: int
    batch: int = 0
    per_shard: bool = False
    micro_batch: int = 0

    @property
    def stop(self) -> int:
        """The sample after the last."""
        return self.first + self.count

    @property
    def sums(self) -> tuple[Node, ...]:
        """What a sum over these samples adds up to in the tree of groups."""
        return group_tree(self.count, self.batch, self.first if self.batch else 0).nodes if self.count else ()

    def overlap(self, other: Share) -> Share:
        """The samples that are in both."""
        first = max(self.first, other.first)
        return Share(first, max(min(self.stop, other.stop) - first, 0))


_NOTHING = Share(0, 0)


def share_out(batch: int, parts: int) -> tuple[Share, ...]:
    """A batch in contiguous parts as equal as can be, larger ones first; with few samples some are empty."""
    edges = (0, *accumulate(even_parts(batch, parts)))
    return tuple(Share(first, stop - first) for first, stop in pairwise(edges))


@cache
def even_parts(items: int, parts: int) -> tuple[int, ...]:
    """So many items in parts as equal as can be, larger ones first."""
    least, more = divmod(items, parts)
    return tuple(least + (part < more) for part in range(parts))


def share_of(layout: Layout, block: str, rank: int, batch: int) -> Share:
    """What a rank computes of one of its blocks; nothing of a block it does not own."""
    ranks = layout.owner[block]
    if rank not in ranks:
        return _NOTHING
    index = ranks.index(rank)
    if layout.averages:
        least, more = divmod(batch, len(ranks))
        return Share(index * least + min(index, more), least + (index < more))
    groups = layout.groups.get(block) or even_parts(GROUPS, len(ranks))
    return _run_of_groups(groups, index, batch, layout.options.batch_norm == "per_shard")


@cache
def _run_of_groups(groups: tuple[int, ...], index: int, batch: int, alone: bool) -> Share:
    """The share of one of several ranks, each of which takes so many groups; schedules ask over and over."""
    start, stop = sum(groups[:index]), sum(groups[: index + 1])
    first, end = group_bounds(start, batch)[0], group_bounds(stop - 1, batch)[1]
    return Share(first, batch) if end - first == batch else Share(first, end - first, batch, alone)


@cache
def micro_batches(options: LayoutOptions, batch: int) -> tuple[Share, ...]:
    """The micro-batches of a batch: runs of its groups as equal as can be, those with samples.

    Where a single one has all samples there is nothing to add up, and it is the batch as a whole.
    """
    edges = (0, *accumulate(even_parts(GROUPS, options.micro_batches)))
    bounds = [(start * batch // GROUPS, stop * batch // GROUPS) for start, stop in pairwise(edges)]
    filled = [(first, stop) for first, stop in bounds if stop > first]
    if len(filled) == 1:
        return (Share(0, batch),)
    alone = options.batch_norm == "per_micro_batch"
    return tuple(
        Share(first, stop - first, batch, alone, number) for number, (first, stop) in enumerate(filled, 1)
    )


def share_read(layout: Layout, rank: int, batch: int) -> Share:
    """The samples that a rank reads of a batch: those of all its blocks, and what lies between them."""
    shares = [share_of(layout, block, rank, batch) for block in layout.blocks_of(rank)]
    shares = [share for share in shares if share.count]
    if not shares:
        return Share(0, 0)
    first, stop = min(share.first for share in shares), max(share.stop for share in shares)
    return Share(first, stop - first)


def rows_read(shape: NetworkShape, layout: Layout, rank: int, batch: int) -> dict[str, slice]:
    """Of each modality those rows of what a rank reads that its blocks compute with.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    rank, batch
        Whose rows, and the samples of the whole batch.

    Returns
    -------
    dict
        By modality, rows of `share_read`; labels are read in all of them.
    """
    begin = share_read(layout, rank, batch).first
    rows: dict[str, slice] = {}
    for name in layout.blocks_of(rank):
        share = share_of(layout, name, rank, batch)
        for source in shape.by_name[name].inputs:
            if share.count and source not in shape.by_name:
                earlier = rows.get(source, slice(share.first - begin, 0))
                first, stop = min(earlier.start, share.first - begin), max(earlier.stop, share.stop - begin)
                rows[source] = slice(first, stop)
    return rows
