"""Says at a run's start which batches leave batch-norm a single value a channel, and what is done then."""

from __future__ import annotations

import math

from mpmm.network import NetworkSpec
from mpmm.patches import Batches
from mpmm.placement import Layout, micro_batches, share_of


def single_values_line(spec: NetworkSpec, batches: Batches, layout: Layout) -> str | None:
    """The line to say; None where every batch-norm gets several values of each channel from every batch.

    Parameters
    ----------
    spec
        The network, of which blocks that end in one band, row and column matter.
    batches
        How many patches a step takes.
    layout
        Each averaging worker's share of a batch, by choice each shard or micro-batch, is normalised alone.
    """
    last = batches.count % batches.batch
    if _least_normalised(layout, batches.batch) == 1:
        subject = f"every batch, of {batches.batch} patch{'es' if batches.batch > 1 else ''},"
    elif last and not batches.drop_last and _least_normalised(layout, last) == 1:
        subject = f"the last batch of each epoch, of {last} patch{'es' if last > 1 else ''},"
    else:
        return None
    blocks = blocks_of_one_position(spec)
    if not blocks:
        return None
    alone = "" if layout.batch_norm == "exact" else f" on {len(layout.workers)} workers"
    if layout.batch_norm == "per_micro_batch":
        alone = f" in {layout.options.micro_batches} micro-batches"
    return (
        f"{subject}{alone} leaves batch-norm of {', '.join(blocks)} a single value a channel, which tells no "
        "variance: its running statistics stay as they are then"
    )


def _least_normalised(layout: Layout, samples: int) -> int:
    """The fewest samples of a batch over which a block's batch normalisation is."""
    if layout.batch_norm == "exact":
        return samples
    if layout.batch_norm == "per_micro_batch":
        return min(share.count for share in micro_batches(layout.options, samples))
    shares = [share_of(layout, block, rank, samples) for block, ranks in layout.owners for rank in ranks]
    return min(share.count for share in shares if share.count)


def blocks_of_one_position(spec: NetworkSpec) -> tuple[str, ...]:
    """Blocks whose batch-norm gets one value a channel from a patch."""
    return tuple(
        f"{stream.name}.block{number}"
        for stream in spec.streams
        for number, (block, volume) in enumerate(zip(stream.blocks, stream.volumes()[1:], strict=True), 1)
        if block.batch_norm and math.prod(volume) == 1
    )
