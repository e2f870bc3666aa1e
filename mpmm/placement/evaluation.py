"""A micro-batch of an evaluation: forward through the ranks, logits to the one that collects them."""

from __future__ import annotations

from collections.abc import Iterator

from mpmm.messages import Kind
from mpmm.placement.instructions import Collect, Infer, Instruction
from mpmm.placement.script import Script
from mpmm.placement.training import inputs, reader_of

# Sends under way while the next output is computed: a stream may be two micro-batches ahead of its reader.
AHEAD = 1


def evaluation_step(script: Script) -> Iterator[Instruction]:
    """One micro-batch; the parameters are where they are used. Ranks meet nowhere, so micro-batches flow."""
    for block in script.owned():
        share = script.share(block.name)
        if share.count:
            yield from inputs(script, block)
            yield from _infer(script, block.name)
    yield from _collect(script)


def _infer(script: Script, block: str) -> Iterator[Instruction]:
    last = block == script.shape.output.name
    reader = _collector(script) if last else reader_of(script, script.shape.by_name[block])
    kind = Kind.LOGITS if last else Kind.ACTIVATION
    if reader is not None:
        yield script.settle_output(kind, block, AHEAD)
    yield Infer(block, script.share(block))
    if reader is not None:
        yield script.send_output(kind, block, reader)


def _collector(script: Script) -> int | None:
    """The rank that collects, if it is another."""
    return None if script.layout.collector == script.rank else script.layout.collector


def _collect(script: Script) -> Iterator[Instruction]:
    if script.rank != script.layout.collector:
        return
    output = script.shape.output.name
    for rank in script.pushers(output):
        if rank != script.rank:
            yield script.receive_output(Kind.LOGITS, output, rank)
        yield Collect(script.share(output, rank))
