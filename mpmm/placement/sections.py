"""Sections: what a rank owns, as runs of blocks that follow each other in the forward."""

from __future__ import annotations

from dataclasses import dataclass

from mpmm.placement.layout import Layout
from mpmm.placement.shape import NetworkShape


@dataclass(frozen=True)
class Section:
    """Consecutive blocks on the same ranks."""

    ranks: tuple[int, ...]
    blocks: tuple[str, ...]

    def __str__(self) -> str:
        if len(self.blocks) == 1:
            return self.blocks[0]
        first, last = self.blocks[0], self.blocks[-1]
        same = first.split(".")[0] == last.split(".")[0]
        return f"{first}..{last.split('.', 1)[1] if same else last}"


def sections(shape: NetworkShape, layout: Layout) -> tuple[Section, ...]:
    """All sections in the network's forward order, each as long as the data flow along it."""
    runs: list[Section] = []
    for block in shape.blocks:
        ranks = layout.owner[block.name]
        last = runs[-1] if runs else None
        if last is not None and last.ranks == ranks and last.blocks[-1] in block.inputs:
            runs[-1] = Section(ranks, (*last.blocks, block.name))
        else:
            runs.append(Section(ranks, (block.name,)))
    return tuple(runs)
