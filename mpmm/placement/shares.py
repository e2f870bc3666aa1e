"""Shares of a batch: which samples each of several ranks takes."""

from __future__ import annotations

from dataclasses import dataclass

from mpmm.placement.layout import Layout


@dataclass(frozen=True)
class Share:
    """``count`` samples of the global batch, from the ``first`` on."""

    first: int
    count: int


def share_out(batch: int, parts: int) -> tuple[Share, ...]:
    """A batch in contiguous parts as equal as can be, larger ones first; with few samples some are empty."""
    least, more = divmod(batch, parts)
    counts = [least + (part < more) for part in range(parts)]
    return tuple(Share(sum(counts[:part]), counts[part]) for part in range(parts))


def share_of(layout: Layout, block: str, rank: int, batch: int) -> Share:
    """What a rank computes of one of its blocks; nothing of a block it does not own."""
    ranks = layout.owner[block]
    return share_out(batch, len(ranks))[ranks.index(rank)] if rank in ranks else Share(0, 0)
