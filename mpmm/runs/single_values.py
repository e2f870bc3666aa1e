"""Says at a run's start which batches leave batch-norm a single value a channel, and what is done then."""

from __future__ import annotations

import math

from mpmm.network import NetworkSpec
from mpmm.patches import Batches
from mpmm.placement import Layout


def single_values_line(spec: NetworkSpec, batches: Batches, layout: Layout) -> str | None:
    """The line to say; None where every batch-norm gets several values of each channel from every batch.

    Parameters
    ----------
    spec
        The network, of which blocks that end in one band, row and column matter.
    batches
        How many patches a step takes.
    layout
        With data parallelism a worker's share of a batch is a batch of its own.
    """
    workers = len(layout.workers) if layout.name == "data" else 1
    last = batches.count % batches.batch
    if batches.batch < 2 * workers:
        subject = f"every batch, of {batches.batch} patch{'es' if batches.batch > 1 else ''},"
    elif 0 < last < 2 * workers and not batches.drop_last:
        subject = f"the last batch of each epoch, of {last} patch{'es' if last > 1 else ''},"
    else:
        return None
    blocks = blocks_of_one_position(spec)
    if not blocks:
        return None
    alone = "" if workers == 1 else f" on {workers} workers"
    return (
        f"{subject}{alone} leaves batch-norm of {', '.join(blocks)} a single value a channel, which tells no "
        "variance: its running statistics stay as they are then"
    )


def blocks_of_one_position(spec: NetworkSpec) -> tuple[str, ...]:
    """Blocks whose batch-norm gets one value a channel from a patch."""
    return tuple(
        f"{stream.name}.block{number}"
        for stream in spec.streams
        for number, (block, volume) in enumerate(zip(stream.blocks, stream.volumes()[1:], strict=True), 1)
        if block.batch_norm and math.prod(volume) == 1
    )
