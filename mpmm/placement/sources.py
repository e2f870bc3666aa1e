"""Sources: which rank reads which data of a scene; arithmetic on a layout, without a communicator."""

from __future__ import annotations

from collections.abc import Sequence

from mpmm.placement.layout import Layout
from mpmm.placement.shape import BlockShape, NetworkShape

# what a rank with the loss reads besides modalities
LABELS = "labels"


def modalities_of(shape: NetworkShape, layout: Layout, rank: int) -> tuple[str, ...]:
    """Modalities whose patches a rank reads in training."""
    return _modalities_read(shape, [block for block in shape.blocks if rank in layout.owner[block.name]])


def required_sources(shape: NetworkShape, layout: Layout, rank: int, drives: bool = True) -> tuple[str, ...]:
    """What a rank opens: its modalities, the labels where they are dealt out; all modalities if it drives."""
    own = modalities_of(shape, layout, rank)
    if drives and rank == layout.driver:
        own = _modalities_read(shape, shape.blocks)
    labels = (LABELS,) if rank == label_rank(shape, layout) else ()
    return (*own, *labels)


def _modalities_read(shape: NetworkShape, blocks: Sequence[BlockShape]) -> tuple[str, ...]:
    """Modalities in the order of the blocks that read them, each once."""
    sources = (source for block in blocks for source in block.inputs if source not in shape.by_name)
    return tuple(dict.fromkeys(sources))


def label_rank(shape: NetworkShape, layout: Layout) -> int:
    """The rank that reads the labels and draws the split: the first one with the loss."""
    return layout.owner[shape.output.name][0]


def measured_by(shape: NetworkShape, layout: Layout, rank: int) -> tuple[str, ...]:
    """Modalities whose mask and normalisation a rank tells the others: those it is the first to read."""
    first = {
        source: layout.owner[block.name][0]
        for block in reversed(shape.blocks)
        for source in block.inputs
        if source not in shape.by_name
    }
    return tuple(name for name in modalities_of(shape, layout, rank) if first[name] == rank)
