"""The memory of a rank in training: parameters, their gradients, and what a step keeps of its samples."""

from __future__ import annotations

from mpmm.placement.layout import Layout
from mpmm.placement.shape import NetworkShape
from mpmm.placement.shares import share_of

# values of a parameter: itself, its gradient, Adam's moments; of one that is updated elsewhere the first two
_UPDATED, _COPIED = 4, 2
# and as many as kernels were seen to keep besides, where they compute with it
_OF_KERNELS = 2
# what a layer keeps of a sample, and as much again for the gradient of that
_OF_SAMPLES = 2


def held_bytes(shape: NetworkShape, layout: Layout, rank: int, batch: int) -> int:
    """Bytes that a rank trains with, to a fifth: measured, as buffers depend on the kernels.

    Parameters
    ----------
    shape, layout
        The network, and who owns what of it.
    rank, batch
        Whose, and samples of all ranks together in a step.
    """
    serves = rank == layout.server
    values = _UPDATED * sum(block.size for block in shape.blocks) if serves else 0
    copies = 0 if serves else _UPDATED if layout.owners_update else _COPIED
    samples = 0
    for name in layout.blocks_of(rank):
        count = share_of(layout, name, rank, batch).count
        for layer in shape.by_name[name].layers:
            values += (copies + _OF_KERNELS + layer.groups) * layer.size
            samples += _OF_SAMPLES * count * layer.held
    return values * shape.itemsize + samples
